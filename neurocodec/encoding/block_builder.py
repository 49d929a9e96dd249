"""Collects one block: its references, and the symbols of its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurocodec.format.block import Block, ReferenceFrame, Region, Run, SoundPacket, frame_runs
from neurocodec.format.header import Header, LandmarkCode
from neurocodec.keypoints.packet_code import LandmarkEncoder
from neurocodec.keypoints.packets import SymbolDigest


@dataclass
class _Segment:
    """Landmark frames of a block that use the same references; ``symbols`` (frames, 2N)."""

    first: int
    second: int | None
    symbols: NDArray[np.int32]


class _BlockBuilder:
    """Collects one block."""

    def __init__(self, header: Header, first_frame: int, first_reference: int, region: Region | None) -> None:
        self.header = header
        self.first_frame, self.first_reference, self.region = first_frame, first_reference, region
        self.pts: list[int] = []
        self.references: list[ReferenceFrame] = []
        self.needed: tuple[int, ...] = ()
        self.current: int | None = None
        self.segments: list[_Segment] = []

    @property
    def next_number(self) -> int:
        """Number of the next reference."""
        return self.first_reference + len(self.references)

    def finish(self, audio: list[SoundPacket]) -> Block:
        block = Block(
            self.first_frame, tuple(self.pts), self.first_reference, self.needed, tuple(self.references),
            b"", tuple(audio), self.region, guarded=self.header.version > 3,
        )  # fmt: skip
        if self.header.version == 1:
            return replace(block, landmarks=self._landmarks(self.header.landmark_code))
        if self.current is not None and self.current != self.needed[-1]:
            block = replace(block, current=self.current)
        runs = [Run(len(s.symbols), s.first, s.second) for s in self.segments]
        begun = bool(self.needed) or any(r.offset == 0 for r in self.references)
        usual = (replace(block, pairs=pairs) for pairs in (False, True) if begun)
        fitting = next((b for b in usual if frame_runs(b) == runs), None)
        block = fitting or replace(block, runs=tuple(runs) or None)
        codes = [LandmarkCode.RANGE, LandmarkCode.GOLOMB]
        if self.header.landmark_code is not LandmarkCode.RANGE:
            codes = [self.header.landmark_code]
        written = [(self._landmarks(code), code) for code in codes]
        data, code = min(written, key=lambda x: len(x[0]))
        golomb = code is LandmarkCode.GOLOMB and code is not self.header.landmark_code
        return replace(block, landmarks=data, golomb=golomb)

    def digest(self, digest: SymbolDigest) -> None:
        """Add the block's references and symbols in the order of frames."""
        references = {r.offset: r for r in self.references}
        rows = (row for segment in self.segments for row in segment.symbols)
        for k in range(len(self.pts)):
            if k in references:
                digest.reference(references[k].data)
            else:
                digest.symbols(next(rows))

    def _landmarks(self, code: LandmarkCode) -> bytes:
        writer = LandmarkEncoder(code, self.header.coordinates)
        for segment in self.segments:
            writer.refresh()
            for symbols in segment.symbols:
                writer.write(symbols)
        return writer.getvalue()
