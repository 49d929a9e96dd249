"""Video -> landmarks -> packets -> container."""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurocodec import models
from neurocodec.block import (
    BLOCK_SECONDS,
    MAX_FRAMES,
    Block,
    ReferenceFrame,
    Region,
    SoundPacket,
    StillCodec,
)
from neurocodec.container import NfcWriter
from neurocodec.engine import BATCH, Engine, FeedbackEngine, Reference
from neurocodec.errors import InputError, UnsupportedError
from neurocodec.fit import cut, pad
from neurocodec.header import FINEST_TIME_BASE, HASH_BYTES, AudioTrack, Colour, Fit, Header
from neurocodec.landmarks import LandmarkCode, LandmarkEncoder, dequantize, quantize
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.options import EncodeOptions
from neurocodec.region import FaceRegion
from neurocodec.schedule import PERFECT, RefreshSchedule
from neurocodec.still import decode_still, encode_still
from neurocodec.verdict import is_cut, measured_verdict

Progress = Callable[[int, int | None], None]
_MAX_PENDING_SOUND = 2000
_MAX_REFERENCE_BYTES = 1 << 24
_LARGEST_TERM = 1 << 20


@dataclass
class EncodeReport:
    """What an encode did; sizes in bytes, rates in kbit/s, times in seconds."""

    frames: int = 0
    references: int = 0
    duration: float = 0.0
    bytes: dict[str, int] = field(default_factory=dict)
    kbps: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    model: str = ""
    feedback: str = ""
    symbols_sha256: str = ""
    verified: bool = False
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return dict(self.__dict__)


class SymbolDigest:
    """SHA-256 over what a file decodes to: every frame's symbols and every reference's bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def symbols(self, u: NDArray[np.int32]) -> None:
        self._digest.update(b"u" + u.astype("<i4").tobytes())

    def reference(self, data: bytes) -> None:
        self._digest.update(b"r" + data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


@dataclass
class _Frame:
    """A picture ready for the networks; ``forced`` asks for a refresh (the region moved)."""

    pts: int
    square: NDArray[np.uint8]
    region: Region | None
    starts_block: bool
    forced: bool


class _Judge:
    """Gives the verdict on a rendering by the chosen feedback."""

    def __init__(self, options: EncodeOptions, notes: list[str]) -> None:
        self._network: FeedbackEngine | None = None
        self.name = options.feedback or "measured"
        if self.name == "measured":
            return
        name = self.name
        if name == "network":
            name = models.DEFAULT_FEEDBACK
            if options.profile == "original":
                if any(m.name == models.ORIGINAL_FEEDBACK for m in models.installed()):
                    name = models.ORIGINAL_FEEDBACK
                else:
                    notes.append(
                        "the original's feedback network is not imported; using neurocodec's own "
                        "(see 'neurocodec models import')"
                    )
        description = models.find(name, "feedback")
        self.name = description.name
        self._network = FeedbackEngine(description, options.device)

    def __call__(
        self, rendering: NDArray[np.uint8], original: NDArray[np.uint8], reference: NDArray[np.uint8]
    ) -> float:
        if self._network is None:
            return measured_verdict(rendering, original)
        return self._network.verdict(rendering, reference)


class _BlockBuilder:
    """Collects one block."""

    def __init__(self, header: Header, first_frame: int, first_reference: int, region: Region | None) -> None:
        self.first_frame, self.first_reference, self.region = first_frame, first_reference, region
        self.pts: list[int] = []
        self.references: list[ReferenceFrame] = []
        self.needed: tuple[int, ...] = ()
        self.landmarks = LandmarkEncoder(header.landmark_code, 2 * header.keypoints)

    @property
    def bytes(self) -> int:
        """Bytes of references so far."""
        return sum(len(r.data) for r in self.references)

    def finish(self, audio: list[SoundPacket]) -> Block:
        return Block(
            self.first_frame, tuple(self.pts), self.first_reference, self.needed, tuple(self.references),
            self.landmarks.getvalue(), tuple(audio), self.region,
        )  # fmt: skip


class Encoder:
    """Encodes one video; use :func:`encode_stream`."""

    def __init__(self, reader: MediaReader, file: BinaryIO, options: EncodeOptions) -> None:
        self.options = options
        self.report = EncodeReport()
        description = models.find(options.model or models.DEFAULT_MOTION, "motion")
        self.engine = Engine(description, options.device, options.threads)
        self.judge = _Judge(options, self.report.notes)
        self.report.model, self.report.feedback = description.name, self.judge.name
        self.schedule = RefreshSchedule(options.gap, options.alpha)
        self.reader, self._file = reader, file
        self._face = FaceRegion() if options.region == "face" else None
        self._still = StillCodec[(options.reference_codec or "av1").upper()]
        self._sound: deque[SoundPacket] = deque()
        self._digest = SymbolDigest()
        self._reference: Reference | None = None
        self._last_square: NDArray[np.uint8] | None = None
        self._reference_pts = 0
        self._block: _BlockBuilder | None = None
        self._writer: NfcWriter | None = None
        self._frames = self._references = 0
        self._first_pts = self._last_pts = self._last_step = 0

    # What the file says of the video

    def _start(self, first_pts: int, region: Region | None) -> NfcWriter:
        video, model = self.reader.video, self.engine.description
        width, height = (region.side, region.side) if region else (video.width, video.height)
        c = video.color
        fit = Fit.SQUASH if self.options.profile == "original" else Fit.LETTERBOX
        header = Header(
            width=width, height=height, sar=video.sar.limit_denominator(_LARGEST_TERM),
            rotation=video.rotation, fit=Fit.REGION if region else fit,
            time_base=self._time_base, fps=video.fps.limit_denominator(_LARGEST_TERM), start=first_pts,
            colour=Colour(c.primaries, c.transfer, c.matrix, c.full_range),
            model=model.name, model_hash=bytes.fromhex(model.hash)[:HASH_BYTES],
            model_size=model.size, keypoints=model.keypoints,
            quantization=self.options.quantization,
            landmark_code=LandmarkCode[(self.options.landmark_code or "golomb").upper()],
            audio=self._track(),
        )  # fmt: skip
        try:
            return NfcWriter(self._file, header)
        except ValueError as error:
            raise self._beyond_the_format(error) from error

    def _write(self, block: Block) -> None:
        assert self._writer is not None
        try:
            self._writer.write_block(block)
        except ValueError as error:
            raise self._beyond_the_format(error) from error

    def _beyond_the_format(self, error: ValueError) -> UnsupportedError:
        return UnsupportedError(f"{self.reader.name} goes beyond what an .nfc file can hold: {error}")

    def _track(self) -> AudioTrack | None:
        info = self.reader.audio
        if info is None or not self._has_sound:
            return None
        usual = self._sound[0].duration if self._sound else 0
        return AudioTrack(
            info.codec, info.sample_rate, info.channels, info.time_base, info.initial_padding, usual,
            info.extradata,
        )  # fmt: skip

    @property
    def _has_sound(self) -> bool:
        info = self.reader.audio
        return info is not None and info.sample_rate > 0 and info.channels > 0

    @property
    def _time_base(self) -> Fraction:
        return max(self.reader.video.time_base, Fraction(1, FINEST_TIME_BASE))

    # Pictures

    def _events(self) -> Iterator[_Frame]:
        """Pictures fitted to the model's square; sound goes to the queue as it comes."""
        side, video = self.engine.size, self.reader.video
        place = None
        block_pts: int | None = None
        count = 0
        length = math.ceil(BLOCK_SECONDS / self._time_base)
        exact = self._time_base == video.time_base
        last = None
        region: Region | None = None
        for item in self.reader:
            if isinstance(item, AudioPacket):
                if item.data and self._has_sound:
                    self._sound.append(SoundPacket(item.data, item.pts, item.duration))
                continue
            pts = item.pts if exact else round(item.pts * video.time_base / self._time_base)
            if last is not None and pts <= last:
                pts = last + 1
            last = pts
            starts = block_pts is None or pts - block_pts >= length or count >= MAX_FRAMES
            forced = False
            if starts:
                block_pts, count = pts, 0
            count += 1
            if self._face:
                picture = item.to_rgb()
                if starts:
                    moved = self._face.update(picture)
                    forced, region = moved != region, moved
                assert region is not None
                square = cut(picture, region, side)
            else:
                if place is None:
                    place = self._place()
                square = pad(item.to_rgb(place.width, place.height), place, side)
            yield _Frame(pts, square, region, starts, forced)

    def _place(self) -> Any:
        """Content rectangle, before there is a header."""
        video, side = self.reader.video, self.engine.size
        fit = Fit.SQUASH if self.options.profile == "original" else Fit.LETTERBOX
        probe = Header(
            video.width, video.height, video.sar, 0, fit, Fraction(1, 25), Fraction(25), 0, Colour(),
            "x", bytes(HASH_BYTES), side, 1, 1, LandmarkCode.GOLOMB,
        )  # fmt: skip
        return probe.content()

    # Coding

    def run(self, progress: Progress | None = None) -> EncodeReport:
        began = time.perf_counter()
        batch: list[_Frame] = []
        for frame in self._events():
            batch.append(frame)
            if len(batch) == BATCH:
                self._code(batch, progress)
                batch = []
        if batch:
            self._code(batch, progress)
        if self._writer is None:
            raise InputError(f"{self.reader.name} has no picture that can be decoded")
        self._close_block(last=True)
        self._writer.close()
        self._summarize(time.perf_counter() - began)
        return self.report

    def _code(self, batch: list[_Frame], progress: Progress | None) -> None:
        keypoints = self.engine.keypoints(np.stack([f.square for f in batch]))
        for frame, points in zip(batch, keypoints, strict=True):
            self._code_frame(frame, points)
            if progress:
                progress(self._frames, self.reader.video.frames)

    def _code_frame(self, frame: _Frame, points: NDArray[np.float32]) -> None:
        i = self._frames
        if self._writer is None:
            self._writer = self._start(frame.pts, frame.region)
            self._first_pts = frame.pts
        header = self._writer.header
        forced = frame.forced
        if frame.starts_block or self._block_is_full():
            self._close_block()
            self._block = _BlockBuilder(header, i, self._references, frame.region)
            age = float((frame.pts - self._reference_pts) * header.time_base)
            forced = forced or age + BLOCK_SECONDS > self.options.reference_period
        block = self._block
        assert block is not None
        block.pts.append(frame.pts)
        if self.options.profile == "default" and self._last_square is not None:
            forced = forced or is_cut(self._last_square, frame.square)
        self._last_square = frame.square
        if self._reference is None or forced or self.schedule.is_refresh(i):
            self._refresh(frame, block)
        else:
            if not block.references:
                block.needed = (self._references - 1,)
            u = quantize(points, self._reference.keypoints, header.quantization)
            block.landmarks.write(u)
            self._digest.symbols(u)
            if self.schedule.wants_verdict(i):
                decoded = dequantize(u, self._reference.keypoints, header.quantization)
                rendering = self.engine.render(self._reference, decoded[None])[0]
                self.schedule.judged(self.judge(rendering, frame.square, self._reference.picture))
        self._frames += 1
        self._last_step = frame.pts - self._last_pts if self._frames > 1 else 0
        self._last_pts = frame.pts

    def _block_is_full(self) -> bool:
        return self._block is not None and self._block.bytes > _MAX_REFERENCE_BYTES

    def _refresh(self, frame: _Frame, block: _BlockBuilder) -> None:
        quality = self.options.reference_quality
        assert quality is not None
        data = encode_still(frame.square, self._still, quality)
        picture = decode_still(data, self._still, self.engine.size)
        self._reference = self.engine.reference(picture)
        self._reference_pts = frame.pts
        block.references.append(ReferenceFrame(len(block.pts) - 1, self._still, data))
        block.landmarks.refresh()
        self._digest.reference(data)
        self._references += 1
        self.schedule.refreshed()
        assert self.schedule.verdict == PERFECT

    # Blocks

    def _close_block(self, last: bool = False) -> None:
        if self._block is None or self._writer is None:
            return
        audio: list[SoundPacket] = []
        end = None
        if not last:
            track, header = self._writer.header.audio, self._writer.header
            if track:
                seconds = (self._block.pts[0] * header.time_base) + BLOCK_SECONDS
                end = seconds / track.time_base
        while self._sound and (end is None or self._sound[0].pts < end) and len(audio) < _MAX_PENDING_SOUND:
            audio.append(self._sound.popleft())
        self._write(self._block.finish(audio))
        self._block = None
        while len(self._sound) > (0 if last else _MAX_PENDING_SOUND):
            some = [self._sound.popleft() for _ in range(min(_MAX_PENDING_SOUND, len(self._sound)))]
            silent = _BlockBuilder(self._writer.header, self._frames, self._references, Region(0, 0, 1))
            self._write(silent.finish(some))

    def _summarize(self, seconds: float) -> None:
        assert self._writer is not None
        header, sizes = self._writer.header, self._writer.bytes_by_kind
        duration = playing_time(header, self._first_pts, self._last_pts, self._last_step)
        r = self.report
        r.frames, r.references, r.duration, r.bytes = self._frames, self._references, duration, sizes
        r.kbps = rates(sizes, duration)
        r.seconds, r.symbols_sha256 = seconds, self._digest.hexdigest()
        if self.reader.skipped:
            r.notes.append(f"{self.reader.skipped} damaged pictures of the source were left out")
        if self._face and self._face.blocks_without_face:
            r.notes.append(
                f"no face was found at the start of {self._face.blocks_without_face} blocks; "
                "the square stayed where it was (at first: the middle of the picture)"
            )


def playing_time(header: Header, first: int, last: int, step: int) -> float:
    """Seconds from the first picture to the end of the last one.

    The last one is shown for one frame at the file's rate, or for as long as the one before it (``step``,
    0 if there is none) where that was shorter.
    """
    tail = 1 / header.fps
    if step:
        tail = min(tail, step * header.time_base)
    return float((last - first) * header.time_base + tail)


def rates(sizes: dict[str, int], duration: float) -> dict[str, float]:
    """kbit/s of the whole file and of everything but the sound."""
    scale = 8 / 1000 / duration
    return {"total": sizes["total"] * scale, "video": (sizes["total"] - sizes["audio"]) * scale}


def encode_stream(
    source: Any, file: BinaryIO, options: EncodeOptions, progress: Progress | None = None
) -> EncodeReport:
    """Encode ``source`` (path or file object) into the open binary ``file``, front to back.

    Raises:
        NeurocodecError: for bad options, input, models or output; see :mod:`neurocodec.errors`.
    """
    options = options.resolved()
    with MediaReader(
        source,
        audio=options.audio != "none",
        audio_mode=options.audio,  # type: ignore[arg-type]
        audio_bitrate=options.audio_bitrate,
        threads=options.threads,
    ) as reader:
        return Encoder(reader, file, options).run(progress)
