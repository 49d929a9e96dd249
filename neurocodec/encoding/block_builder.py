"""Collects one block: its references, and the symbols of its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurocodec.format.block import Block, ReferenceFrame, Region, Run, SoundPacket, frame_runs
from neurocodec.format.header import Header, LandmarkCode
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.keypoints.packets import SymbolDigest


@dataclass
class Segment:
    """Landmark frames of a block that use the same references; ``symbols`` (frames, 2N)."""

    first: int
    second: int | None
    symbols: NDArray[np.int32]


class BlockBuilder:
    """Collects one block.

    Args:
        header: of the file.
        first_frame: number of the block's first frame.
        first_reference: number that the block's first reference of its own will have.
        pts: timestamps of its frames.
        region: the square of the source that they show.
    """

    def __init__(
        self,
        header: Header,
        first_frame: int,
        first_reference: int,
        pts: list[int],
        region: Region | None,
    ) -> None:
        self.header = header
        self.first_frame, self.first_reference = first_frame, first_reference
        self.pts, self.region = pts, region
        self.references: list[ReferenceFrame] = []
        self.needed: tuple[int, ...] = ()
        self.current: int | None = None
        self.segments: list[Segment] = []

    @property
    def next_number(self) -> int:
        """Number of the next reference."""
        return self.first_reference + len(self.references)

    def finish(self, sound: list[SoundPacket]) -> Block:
        """The block, with the sound of its time."""
        block = Block(
            self.first_frame,
            tuple(self.pts),
            self.first_reference,
            self.needed,
            tuple(self.references),
            b"",
            tuple(sound),
            self.region,
            guarded=self.header.version > 3,
        )
        if self.header.version == 1:
            return replace(block, landmarks=self._packets(self.header.landmark_code))
        if self.current is not None and self.current != self.needed[-1]:
            block = replace(block, current=self.current)
        return self._with_smallest_packets(self._with_runs(block))

    def _with_runs(self, block: Block) -> Block:
        """The block with its runs, by the default rule where that says the same."""
        runs = [Run(len(s.symbols), s.first, s.second) for s in self.segments]
        if self.needed or any(r.offset == 0 for r in self.references):
            for usual in (replace(block, pairs=False), replace(block, pairs=True)):
                if frame_runs(usual) == runs:
                    return usual
        return replace(block, runs=tuple(runs) or None)

    def _with_smallest_packets(self, block: Block) -> Block:
        """The block with its landmark packets; in place of the range code, Golomb's where that is smaller."""
        usual = self.header.landmark_code
        codes = [usual, LandmarkCode.GOLOMB] if usual is LandmarkCode.RANGE else [usual]
        data, code = min(((self._packets(code), code) for code in codes), key=lambda x: len(x[0]))
        return replace(block, landmarks=data, golomb=code is not usual)

    def _packets(self, code: LandmarkCode) -> bytes:
        writer = PacketEncoder(code, self.header.coordinates)
        for segment in self.segments:
            writer.refresh()
            for symbols in segment.symbols:
                writer.write(symbols)
        return writer.getvalue()

    def add_to(self, digest: SymbolDigest) -> None:
        """Add the block's references and symbols to a digest, in the order of frames."""
        references = {r.offset: r for r in self.references}
        rows = (row for segment in self.segments for row in segment.symbols)
        for k in range(len(self.pts)):
            if k in references:
                digest.reference(references[k].data)
            else:
                digest.symbols(next(rows))
