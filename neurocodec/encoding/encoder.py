"""Video -> landmarks -> packets -> container."""

from __future__ import annotations

import io
import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurocodec.encoding.block_builder import _BlockBuilder, _Segment
from neurocodec.encoding.cuts import is_cut
from neurocodec.encoding.lookahead import Lookahead, Placed
from neurocodec.encoding.report import EncodeReport
from neurocodec.encoding.schedule import PERFECT, RefreshSchedule
from neurocodec.errors import InputError, UnsupportedError
from neurocodec.faces.frontal import best_frame
from neurocodec.faces.region import FaceRegion
from neurocodec.format.block import (
    BLOCK_SECONDS,
    MAX_BLOCK_REFERENCES,
    MAX_CHAIN,
    RECENT,
    Block,
    ReferenceFrame,
    Region,
    SoundPacket,
    StillCodec,
)
from neurocodec.format.header import (
    FINEST_TIME_BASE,
    HASH_BYTES,
    AudioTrack,
    Colour,
    Fit,
    Header,
    LandmarkCode,
    LatentModel,
)
from neurocodec.format.times import playing_time, rates
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packets import SymbolDigest
from neurocodec.keypoints.quantization import dequantize, quantize, scaled
from neurocodec.keypoints.smoothing import smooth
from neurocodec.media.reader import MediaReader
from neurocodec.media.square import cut, pad
from neurocodec.media.types import AudioPacket
from neurocodec.models import files as models
from neurocodec.models.device import BATCH
from neurocodec.models.engine import Engine, Reference
from neurocodec.models.feedback import CountedFeedback, FeedbackNetwork, find_feedback, open_feedback
from neurocodec.models.files import ModelDescription
from neurocodec.models.landmark_driven import DrivenEngine
from neurocodec.models.landmark_engine import default_engine
from neurocodec.options import EncodeOptions
from neurocodec.prefetch import Ahead
from neurocodec.references.coder import ReferenceCoder
from neurocodec.threads import ahead, beside
from neurocodec.types import Progress

_MAX_PENDING_SOUND = 2000
_MOST_FRAMES = 600
"""Frames of a block, which are held in memory."""
_LARGEST_TERM = 1 << 20
_AHEAD = 64
"""Pictures and sound packets read before they are coded."""


@dataclass
class Frame:
    """A picture ready for the networks; ``forced`` asks for a refresh (the region moved)."""

    pts: int
    square: NDArray[np.uint8]
    region: Region | None
    starts_block: bool
    forced: bool


def _feedback(options: EncodeOptions, notes: list[str]) -> FeedbackNetwork:
    """The chosen feedback network (None: the original's, where it has been imported)."""
    description = find_feedback(options.feedback)
    if options.feedback is None and description.name != models.ORIGINAL_FEEDBACK:
        notes.append(
            "the original's feedback network is not imported; using neurocodec's own "
            "(see 'neurocodec models import')"
        )
    return open_feedback(description, options.device)


class Encoder:
    """Encodes one video; use :func:`encode_stream`."""

    def __init__(self, reader: MediaReader, file: BinaryIO, options: EncodeOptions) -> None:
        self.options = options
        self.report = EncodeReport()
        description = models.find(options.model or models.DEFAULT_MOTION, "motion")
        self.engine = self._engine(description, options)
        self.judge = CountedFeedback(_feedback(options, self.report.notes))
        self.report.model, self.report.feedback = description.name, self.judge.description.name
        self.schedule = RefreshSchedule(options.gap, options.alpha)
        looks_ahead = options.refresh == "lookahead"
        price = options.price
        assert price is not None and options.reference_quality is not None
        assert options.quantization is not None
        self._quantization = options.quantization
        self._lookahead = (
            Lookahead(self.engine, self.judge, options.gap, price, options.alpha) if looks_ahead else None
        )
        self.reader, self._file = reader, file
        self._chooser = default_engine(device=options.device) if options.first_reference == "best" else None
        self._face = FaceRegion() if options.region == "face" else None
        codec = StillCodec[(options.reference_codec or "av1").upper()]
        self._coder = ReferenceCoder(codec, options.reference_quality, self.engine.size, looks_ahead)
        self._chains: deque[tuple[int, int]] = deque(maxlen=RECENT)
        self._sound: deque[SoundPacket] = deque()
        self._digest = SymbolDigest()
        self._current: Placed | None = None
        self._last_square: NDArray[np.uint8] | None = None
        self._writer: NfcWriter | None = None
        self._frames = self._references = 0
        self._first_pts = self._last_pts = self._last_step = 0

    def _engine(self, description: ModelDescription, options: EncodeOptions) -> Engine:
        if options.landmarks == "learned":
            return Engine(description, options.device, options.threads)
        name = options.landmark_model or models.DEFAULT_LANDMARKS
        landmarks = models.find(name, "landmarks")
        engine = DrivenEngine(description, landmarks, options.device, options.threads)
        if not engine.fitted:
            self.report.notes.append(
                f"{landmarks.name} was fitted to other weights than those of {description.name}; "
                "'neurocodec train landmarks map' fits it again"
            )
        return engine

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
            quantization=self._quantization,
            landmark_code=self._landmark_code, audio=self._track(),
            version=1 if self._old_format else 4,
            transformed=not self._old_format and self.engine.basis is not None, latent=self._latent,
        )  # fmt: skip
        try:
            return NfcWriter(self._file, header)
        except ValueError as error:
            raise self._beyond_the_format(error) from error

    @property
    def _landmark_code(self) -> LandmarkCode:
        return LandmarkCode[(self.options.landmark_code or "range").upper()]

    @property
    def _old_format(self) -> bool:
        """Whether version 1 of the format has all that is needed."""
        return self._lookahead is None and self._landmark_code is not LandmarkCode.RANGE and not self._latent

    @property
    def _latent(self) -> LatentModel | None:
        return self.engine.latent_model if isinstance(self.engine, DrivenEngine) else None

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

    def frames(self) -> Iterator[Frame]:
        """Pictures fitted to the model's square."""
        return (item for item in self._items() if isinstance(item, Frame))

    def _items(self) -> Iterator[Frame | SoundPacket]:
        """Fitted pictures and sound, as they come."""
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
                    yield SoundPacket(item.data, item.pts, item.duration)
                continue
            pts = item.pts if exact else round(item.pts * video.time_base / self._time_base)
            if last is not None and pts <= last:
                pts = last + 1
            last = pts
            starts = block_pts is None or pts - block_pts >= length or count >= _MOST_FRAMES
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
            yield Frame(pts, square, region, starts, forced)

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
        frames: list[Frame] = []
        with Ahead(self._items(), ahead(_AHEAD, self.options.threads)) as items:
            for item in items:
                if isinstance(item, SoundPacket):
                    self._sound.append(item)
                    continue
                if item.starts_block and frames:
                    self._code(frames, progress)
                    frames = []
                frames.append(item)
        if frames:
            self._code(frames, progress, last=True)
        if self._writer is None:
            raise InputError(f"{self.reader.name} has no picture that can be decoded")
        self._writer.close()
        self._coder.restart()
        self._summarize(time.perf_counter() - began)
        return self.report

    def _code(self, frames: list[Frame], progress: Progress | None, last: bool = False) -> None:
        """One block."""
        if self._writer is None:
            self._writer = self._start(frames[0].pts, frames[0].region)
            self._first_pts = frames[0].pts
        values = np.concatenate(
            [
                self.engine.measure(np.stack([f.square for f in frames[k : k + BATCH]]))
                for k in range(0, len(frames), BATCH)
            ]
        )
        block = _BlockBuilder(self._writer.header, self._frames, self._references, frames[0].region)
        block.pts = [f.pts for f in frames]
        forced, cuts = self._forced(frames)
        if self._lookahead:
            self._code_ahead(block, frames, values, forced, cuts)
        else:
            self._code_on_schedule(block, frames, values, {*forced, *cuts})
        self._frames += len(frames)
        self._references = block.next_number
        steps = [b - a for a, b in pairwise([self._last_pts, *block.pts])]
        self._last_step = steps[-1] if self._frames > 1 else 0
        self._last_pts = block.pts[-1]
        if progress:
            progress(self._frames, self.reader.video.frames)
        self._finish(block, last)

    def _forced(self, frames: list[Frame]) -> tuple[list[int], list[int]]:
        """Offsets at which there has to be a reference, and offsets at which another scene begins."""
        assert self._writer is not None
        chain = self._chains[-1][0] if self._chains else 0
        in_use = {chain, self._current.chain if self._current else chain}
        since = min((t for n, t in self._chains if n in in_use), default=0)
        age = float((frames[0].pts - since) * self._writer.header.time_base)
        long = self._references - chain > MAX_CHAIN - MAX_BLOCK_REFERENCES
        due = self._current is None or long or age + BLOCK_SECONDS > self.options.reference_period
        if due:
            self._coder.restart()
        gone = self._current is not None and self._current.number < self._references - RECENT
        forced, cuts = [], []
        for k, frame in enumerate(frames):
            before, self._last_square = self._last_square, frame.square
            if (k == 0 and (due or gone)) or frame.forced:
                forced.append(k)
            elif self.options.profile == "default" and before is not None and is_cut(before, frame.square):
                cuts.append(k)
        return forced, cuts

    def _refresh(self, block: _BlockBuilder, frame: Frame, offset: int) -> Placed:
        """A new reference: coded, decoded, made ready, and noted in the block."""
        coded = self._coder.code(frame.square)
        number = block.next_number
        if not coded.dependent:
            self._chains.append((number, frame.pts))
        block.references.append(ReferenceFrame(offset, self._coder.codec, coded.data, coded.dependent))
        return Placed(offset, number, self._chains[-1][0], self.engine.reference(coded.picture))

    def _oldest_chain(self, pts: int, first: int) -> int:
        """Number of the oldest chain that a block which begins at ``pts`` may go back to."""
        assert self._writer is not None
        period = self.options.reference_period / self._writer.header.time_base
        allowed = [n for n, t in self._chains if pts - t <= period and first - n <= RECENT]
        return min(allowed, default=first)

    def _code_ahead(
        self,
        block: _BlockBuilder,
        frames: list[Frame],
        values: NDArray[np.float32],
        forced: list[int],
        cuts: list[int],
    ) -> None:
        assert self._lookahead is not None
        placed: list[Placed] = []

        def code(offset: int, begins: bool) -> Placed:
            if begins and offset in cuts:
                self._coder.restart()
            placed.append(self._refresh(block, frames[offset], offset))
            return placed[-1]

        first, chain = block.first_reference, self._chains[-1][0] if self._chains else 0
        current = self._current if 0 not in forced else None
        if 0 in forced and self._chooser:
            others = [k for k in (*forced, *cuts) if k]
            best = best_frame(self._chooser, [f.square for f in frames[: min(others, default=len(frames))]])
            forced = [best, *(k for k in forced if k)]
        oldest = self._oldest_chain(frames[0].pts, first)
        stretches = self._lookahead.place(
            [f.square for f in frames],
            self.engine.points(values),
            forced,
            cuts,
            current,
            oldest,
            code,
            self._coder.preview,
        )
        used = [p for p in (current, *(s.before for s in stretches)) if p is not None and p.number < first]
        starts = [p.chain for p in used]
        if block.references and block.references[0].dependent:
            starts.append(chain)
        if starts:
            block.needed = tuple(range(min(starts), first))
            block.current = current.number if current else None
        for s in stretches:
            symbols = self._trajectory(values[s.start : s.stop], s.before.reference)
            second = None if s.after is None else s.after.number
            block.segments.append(_Segment(s.before.number, second, symbols))
        ends_open = bool(stretches) and stretches[-1].stop == len(frames)
        self._current = stretches[-1].before if ends_open else max(placed, key=lambda p: p.offset)

    def _trajectory(self, values: NDArray[np.float32], reference: Reference) -> NDArray[np.int32]:
        assert self.options.smoothing is not None
        exact = scaled(values, reference.coded, self._quantization, self._basis)
        return smooth(exact, self.options.smoothing)

    def _code_on_schedule(
        self, block: _BlockBuilder, frames: list[Frame], values: NDArray[np.float32], forced: set[int]
    ) -> None:
        """The original's way: frame by frame, a refresh when the last rendering has become bad."""
        header = block.header
        rows: list[NDArray[np.int32]] = []

        def end_segment() -> None:
            if rows:
                assert self._current is not None
                block.segments.append(_Segment(self._current.number, None, np.stack(rows)))
                rows.clear()

        for k, frame in enumerate(frames):
            i = self._frames + k
            wanted = k in forced or self.schedule.is_refresh(i)
            full = header.version > 1 and len(block.references) >= MAX_BLOCK_REFERENCES
            if self._current is None or (wanted and not full):
                end_segment()
                self._current = self._refresh(block, frame, k)
                self.schedule.refreshed()
                assert self.schedule.verdict == PERFECT
                continue
            if k == 0:
                block.needed = (self._current.number,)
            reference = self._current.reference
            u = quantize(values[k], reference.coded, header.quantization, self._basis)
            rows.append(u)
            if self.schedule.wants_verdict(i):
                decoded = dequantize(u, reference.coded, header.quantization, self._basis)
                rendering = self.engine.render([reference], self.engine.points(decoded[None]))[0]
                verdict = self.judge(rendering[None], [frame.square])
                self.schedule.judged(float(verdict[0]))
        end_segment()

    @property
    def _basis(self) -> NDArray[np.int16] | None:
        assert self._writer is not None
        return self.engine.basis if self._writer.header.transformed else None

    # Blocks

    def _finish(self, builder: _BlockBuilder, last: bool) -> None:
        """Write the block with the sound that belongs to its time."""
        assert self._writer is not None
        audio: list[SoundPacket] = []
        end = None
        if not last:
            track, header = self._writer.header.audio, self._writer.header
            if track:
                seconds = (builder.pts[0] * header.time_base) + BLOCK_SECONDS
                end = seconds / track.time_base
        while self._sound and (end is None or self._sound[0].pts < end) and len(audio) < _MAX_PENDING_SOUND:
            audio.append(self._sound.popleft())
        block = builder.finish(audio)
        builder.digest(self._digest)
        self._write(block)
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
        r.verdicts, r.judging = self.judge.verdicts, self.judge.seconds
        r.seconds, r.symbols_sha256 = seconds, self._digest.hexdigest()
        if self.reader.skipped:
            r.notes.append(f"{self.reader.skipped} damaged pictures of the source were left out")
        if self._face and self._face.most_faces > 1:
            r.notes.append(f"up to {self._face.most_faces} faces were seen at once; the largest is coded")
        if self._face and self._face.blocks_without_face:
            r.notes.append(
                f"no face was found at the start of {self._face.blocks_without_face} blocks; "
                "the square stayed where it was (at first: the middle of the picture)"
            )


def fitted_pictures(source: Any, options: EncodeOptions) -> Iterator[NDArray[np.uint8]]:
    """The source's pictures (S,S,3) as an encoder with these options hands them to its networks."""
    options = options.resolved()
    with MediaReader(source, audio=False, threads=beside(options.threads)) as reader:
        for frame in Encoder(reader, io.BytesIO(), options).frames():
            yield frame.square


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
        threads=beside(options.threads),
    ) as reader:
        return Encoder(reader, file, options).run(progress)
