"""Encodes a video: frames, keypoints, references, blocks, file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from neurocodec.encoding.block_output import BlockOutput
from neurocodec.encoding.cuts import CutDetector
from neurocodec.encoding.doubted import HeldBack, OtherwiseBetterError
from neurocodec.encoding.file_header import file_description, file_header
from neurocodec.encoding.framing import Frame, Framing
from neurocodec.encoding.layered_encoder import LayeredEncoder
from neurocodec.encoding.opening import open_source
from neurocodec.encoding.placement import MeasuredFrames, open_placement
from neurocodec.encoding.reference_sender import ReferenceSender
from neurocodec.encoding.region_choice import choose_region, region_by_size
from neurocodec.encoding.region_trial import Beginning, better_region
from neurocodec.encoding.report import EncodeReport
from neurocodec.encoding.rewinding import can_be_read_twice
from neurocodec.errors import InputError
from neurocodec.files.opening import is_path
from neurocodec.format.block import SoundPacket
from neurocodec.media.source import MediaSource
from neurocodec.models.device import BATCH
from neurocodec.models.engines import open_engine
from neurocodec.models.feedback import CountedFeedback, find_feedback, open_feedback
from neurocodec.models.latent_engine import LatentEngine
from neurocodec.models.model_files import find
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import EncodeOptions, EncodeSettings
from neurocodec.prefetch import Ahead
from neurocodec.threads import depth_ahead
from neurocodec.types import Picture, Progress

_AHEAD = 64
"""Pictures and sound packets read before they are coded."""


class Encoder:
    """Encodes one video; use :func:`encode_stream`."""

    def __init__(self, reader: MediaSource, file: BinaryIO, settings: EncodeSettings) -> None:
        self.settings, self.report = settings, EncodeReport()
        self._reader, self._file = reader, file
        self._engine = self._open_engine()
        self._feedback = self._open_feedback()
        self._framing = Framing(reader, self._engine.size, settings)
        self._cuts = CutDetector() if settings.profile == "default" else None
        self._sender = ReferenceSender(self._engine, settings)
        self._placement = open_placement(self._engine, self._feedback, self._sender, settings)
        self._sound: deque[SoundPacket] = deque()
        self._output: BlockOutput | None = None
        self._begun: Callable[[EncodeReport, bytes], None] | None = None

    def _open_engine(self) -> MotionEngine:
        settings = self.settings
        motion = find(settings.model, "motion")
        self.report.model = motion.name
        driver = find(settings.landmark_model, "landmarks") if settings.landmarks == "68" else None
        engine = open_engine(motion, driver, device=settings.device, threads=settings.threads or None)
        if driver and isinstance(engine, LatentEngine) and not engine.fitted:
            self.report.notes.append(
                f"{driver.name} was fitted to other weights than those of {motion.name}; "
                "'neurocodec train landmarks map' fits it again"
            )
        return engine

    def _open_feedback(self) -> CountedFeedback:
        wanted = self.settings.feedback
        description = find_feedback(wanted)
        self.report.feedback = description.name
        if len(wanted) > 1 and description.name != wanted[0]:
            self.report.notes.append(
                "the original's feedback network is not imported; using neurocodec's own "
                "(see 'neurocodec models import')"
            )
        return CountedFeedback(open_feedback(description, self.settings.device))

    def run(
        self, progress: Progress | None = None, begun: Callable[[EncodeReport, bytes], None] | None = None
    ) -> EncodeReport:
        """Encode everything.

        ``begun`` is called after the first block, with what is known by then and with the bytes that would
        make a whole file of it.  What it raises ends the encode.

        Raises:
            NeurocodecError: as :func:`encode_stream` has it.
        """
        self._begun = begun
        began = time.perf_counter()
        try:
            self._encode_blocks(progress)
        finally:
            self._sender.coder.restart()
        if self._output is None:
            raise InputError(f"{self._reader.name} has no picture that can be decoded")
        self._output.close(self.report)
        self.report.verdicts, self.report.judging = self._feedback.verdicts, self._feedback.seconds
        self.report.notes += self._framing.notes
        self.report.seconds = time.perf_counter() - began
        return self.report

    def _encode_blocks(self, progress: Progress | None) -> None:
        frames: list[Frame] = []
        with Ahead(iter(self._framing), depth_ahead(_AHEAD, self.settings.threads)) as items:
            for item in items:
                if isinstance(item, SoundPacket):
                    self._sound.append(item)
                    continue
                if item.starts_block and frames:
                    self._encode_block(frames, progress)
                    frames = []
                frames.append(item)
        if frames:
            self._encode_block(frames, progress, last=True)

    def _encode_block(self, frames: list[Frame], progress: Progress | None, last: bool = False) -> None:
        output = self._output = self._output or self._begin_file(frames[0])
        builder = output.begin([f.pts for f in frames], frames[0].region)
        values = self._measured(frames)
        anew = self._sender.begins_anew(builder)
        forced = [k for k, f in enumerate(frames) if f.moved or (k == 0 and anew)]
        cuts = self._cuts.find([f.square for f in frames]) if self._cuts else []
        cuts = [k for k in cuts if k not in forced]
        self._placement.place(builder, MeasuredFrames(frames, values, forced, cuts))
        if progress:
            progress(output.frames + len(frames), self._reader.video.frames)
        output.write(builder, self._sound, last)
        if self._begun:
            output.count(self.report)
            self._begun(self.report, output.ending)
            self._begun = None

    def _begin_file(self, first: Frame) -> BlockOutput:
        usual = self._sound[0].duration if self._sound else 0
        header = file_header(self._reader, self._engine, self.settings, self._framing, first, usual)
        words = file_description(self._reader, self.settings, header)
        return BlockOutput(self._file, header, self._reader.name, words)

    def _measured(self, frames: list[Frame]) -> NDArray[np.float32]:
        """What is coded of frames, (frames, M/2, 2)."""
        squares = [f.square for f in frames]
        groups = (squares[k : k + BATCH] for k in range(0, len(squares), BATCH))
        return np.concatenate([self._engine.coded_values(np.stack(group)) for group in groups])


def fitted_pictures(reader: MediaSource, settings: EncodeSettings) -> Iterator[Picture]:
    """The pictures (S,S,3) as an encoder with these settings hands them to its networks."""
    side = find(settings.model, "motion").size
    return (frame.square for frame in Framing(reader, side, settings).frames())


def encode_stream(
    source: Any, file: BinaryIO, options: EncodeOptions, progress: Progress | None = None
) -> EncodeReport:
    """Encode ``source`` (path or file object) into the open binary ``file``, front to back.

    Raises:
        NeurocodecError: for bad options, input, models or output; see :mod:`neurocodec.errors`.
    """
    settings = options.settings()
    region = _region_or_either(source, settings)
    if region == "either" and is_path(source):
        return _encoded_in_full_or_frames(source, file, settings, progress)
    if region == "either":
        region = better_region(source, settings, _encoded)
    return _encoded(source, file, replace(settings, region=region), progress)


def settled_region(source: Any, settings: EncodeSettings) -> str:
    """The region of settings; in place of ``auto``, the better one for a source that can be read twice.

    Raises:
        NeurocodecError: as :func:`encode_stream` has it.
    """
    region = _region_or_either(source, settings)
    return better_region(source, settings, _encoded) if region == "either" else region


def _region_or_either(source: Any, settings: EncodeSettings) -> str:
    """As :func:`settled_region`, but ``either`` where both ways have to be tried."""
    if settings.region != "auto" or not can_be_read_twice(source):
        return settings.region
    region = choose_region(source, settings)
    if not is_path(source):
        source.seek(0)
    return region


def _encoded_in_full_or_frames(
    source: Any, file: BinaryIO, settings: EncodeSettings, progress: Progress | None
) -> EncodeReport:
    """Begin with the full picture, and go on with it unless the trial is for whole frames."""
    full, held = replace(settings, region="full"), HeldBack(file)

    def begun(report: EncodeReport, ending: bytes) -> None:
        beginning = Beginning(held.kept + ending, report.kbps["video"], report.duration)
        if better_region(source, settings, _encoded, beginning) == "frames":
            raise OtherwiseBetterError
        held.release()

    try:
        with open_source(source, full) as reader:
            return Encoder(reader, cast(BinaryIO, held), full).run(progress, begun)
    except OtherwiseBetterError:
        return _encoded(source, file, replace(settings, region="frames"), progress)


def _encoded(
    source: Any, file: BinaryIO, settings: EncodeSettings, progress: Progress | None = None
) -> EncodeReport:
    with open_source(source, settings) as reader:
        return encode_opened(reader, file, settings, progress)


def encode_opened(
    reader: MediaSource, file: BinaryIO, settings: EncodeSettings, progress: Progress | None = None
) -> EncodeReport:
    """Encode what has been opened into the open binary ``file``.

    Raises:
        NeurocodecError: as :func:`encode_stream` has it.
    """
    if settings.region == "auto":
        video = reader.video
        settings = replace(settings, region=region_by_size(video.width, video.height) or "full")
    encoder = LayeredEncoder if settings.region == "frames" else Encoder
    return encoder(reader, file, settings).run(progress)
