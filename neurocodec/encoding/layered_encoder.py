"""Encodes whole frames: a layer of AV1, and the heads between its pictures."""

from __future__ import annotations

import time
from collections import deque
from typing import BinaryIO

from neurocodec.encoding.block_output import BlockOutput
from neurocodec.encoding.file_header import file_description, file_header
from neurocodec.encoding.framing import Frame, Framing
from neurocodec.encoding.head_coder import HeadCoder
from neurocodec.encoding.layer_search import EFFORTS, find_layer
from neurocodec.encoding.layer_trial import REMEMBERED, LayerTrial, LayerTrials
from neurocodec.encoding.layered_block import LayeredBlock
from neurocodec.encoding.report import EncodeReport
from neurocodec.encoding.section import LONGEST_SECTION, MOST_BYTES, Section, find_heads
from neurocodec.encoding.spool import Spool
from neurocodec.encoding.switch_search import find_switches
from neurocodec.encoding.whole_distance import WholeDistance
from neurocodec.errors import InputError
from neurocodec.faces.head_tracks import HeadTracker
from neurocodec.format.block import SoundPacket
from neurocodec.format.head import HeadPart
from neurocodec.format.layer import LayerPart, LayerPicture
from neurocodec.layers.sizes import SMALLEST
from neurocodec.layers.switches import Switch, grid_of, stretches, write_switches
from neurocodec.media.source import MediaSource
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.engines import open_engine
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_FEEDBACK, EncodeSettings
from neurocodec.prefetch import Ahead
from neurocodec.threads import depth_ahead, threads_beside
from neurocodec.types import Progress

_AHEAD = 8
"""Whole pictures and sound packets read before they are looked at."""


class LayeredEncoder:
    """Encodes one video as whole frames; use :func:`neurocodec.encoding.encoder.encode_stream`."""

    def __init__(self, reader: MediaSource, file: BinaryIO, settings: EncodeSettings) -> None:
        self._reader, self._file, self._settings = reader, file, settings
        self.report = EncodeReport()
        motion, feedback = find(settings.model, "motion"), find(DEFAULT_FEEDBACK, "feedback")
        self.report.model, self.report.feedback = motion.name, feedback.name
        self._engine = open_engine(motion, device=settings.device, threads=settings.threads or None)
        self._distance = WholeDistance(DistanceEngine(feedback, settings.device, REMEMBERED))
        self._framing = Framing(reader, self._engine.size, settings)
        self._size = reader.video.width, reader.video.height
        if min(self._size) < SMALLEST:
            raise InputError(f"whole frames need {SMALLEST} pixels a side at least; {reader.name} has less")
        self._rate = float(reader.video.fps)
        self._sound: deque[SoundPacket] = deque()
        self._output: BlockOutput | None = None

    def run(self, progress: Progress | None = None) -> EncodeReport:
        """Encode everything.

        Raises:
            NeurocodecError: as :func:`~neurocodec.encoding.encoder.encode_stream` has it.
        """
        began = time.perf_counter()
        period = min(self._settings.reference_period, LONGEST_SECTION)
        section = self._section()
        try:
            with Ahead(iter(self._framing), depth_ahead(_AHEAD, self._settings.threads)) as items:
                for item in items:
                    if isinstance(item, SoundPacket):
                        self._sound.append(item)
                        continue
                    if item.starts_block and section.pts and self._is_full(section, item, period):
                        self._encode(section, progress)
                        section.spool.__exit__()
                        section = self._section()
                    self._output = self._output or self._begin_file(item)
                    section.add(item.pts, item.square, item.starts_block)
            if self._output is None:
                raise InputError(f"{self._reader.name} has no picture that can be decoded")
            self._encode(section, progress, last=True)
        finally:
            section.spool.__exit__()
        self._output.close(self.report)
        self.report.notes += self._framing.notes
        self.report.seconds = time.perf_counter() - began
        return self.report

    def _section(self) -> Section:
        return Section(Spool(*self._size), HeadTracker(*self._size, rate=self._rate))

    def _is_full(self, section: Section, item: Frame, period: float) -> bool:
        """Whether a block that begins with this frame belongs to the next section."""
        seconds = float((item.pts - section.pts[0]) * self._framing.time_base)
        return seconds + 0.5 > period or section.spool.bytes > MOST_BYTES

    def _begin_file(self, first: Frame) -> BlockOutput:
        usual = self._sound[0].duration if self._sound else 0
        header = file_header(self._reader, self._engine, self._settings, self._framing, first, usual)
        words = file_description(self._reader, self._settings, header)
        return BlockOutput(self._file, header, self._reader.name, words)

    def _encode(self, section: Section, progress: Progress | None, last: bool = False) -> None:
        output, settings = self._output, self._settings
        assert output is not None
        heads, changes = find_heads(section, self._engine, self._size, self._rate)
        effort = EFFORTS[settings.effort]
        trials = LayerTrials(
            section, heads, changes, self._size, self._distance, effort.preset,
            threads_beside(settings.threads),
        )  # fmt: skip
        trial = find_layer(trials, settings.quality, self._rate, max(self._size), effort.trials)
        coder = HeadCoder(self._engine, self._distance, self._size, output.header, settings.smoothing)
        switches = find_switches(section, trial, (output.header.width, output.header.height))
        parts = coder.code(section, heads, trial, switches)
        self.report.heads = max(self.report.heads, *map(_most_at_once, parts))
        blocks = section.blocks
        for b, (block, found) in enumerate(zip(blocks, parts, strict=True)):
            made = self._block(output, section, block, trial, switches, found)
            output.write(made, self._sound, last and b == len(blocks) - 1)
            if progress:
                progress(output.frames, self._reader.video.frames)
        self.report.layer_pictures += len(trial.shown)
        scale = {1: "full size", 2: "half size", 4: "quarter size"}[trial.choice.scale]
        if scale not in self.report.layer_scale:
            self.report.layer_scale += (", " if self.report.layer_scale else "") + scale

    @staticmethod
    def _block(
        output: BlockOutput,
        section: Section,
        block: range,
        trial: LayerTrial,
        switches: list[Switch | None],
        heads: list[HeadPart],
    ) -> LayeredBlock:
        entry = block[0] == 0
        places = [i for i, k in enumerate(trial.shown) if k in block]
        pictures = tuple(LayerPicture(trial.shown[i] - block[0], trial.units[i]) for i in places)
        frames = [len(s) for s in stretches([p.offset for p in pictures])]
        coded = write_switches(
            [switches[i] for i in places], frames, grid_of(output.header.width, output.header.height)
        )
        layer = LayerPart(pictures, trial.size if entry else None, coded)
        pts = section.pts[block[0] : block[-1] + 1]
        return LayeredBlock(output.header, output.frames, pts, layer, tuple(heads), entry)


def _most_at_once(heads: list[HeadPart]) -> int:
    """Of the heads of a block, the most in one frame."""
    return max((sum(a.start <= h.start < a.start + a.frames for a in heads) for h in heads), default=0)
