"""Writes blocks with the sound that belongs to their time, and counts."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import BinaryIO, Protocol

from neurocodec.encoding.block_builder import BlockBuilder
from neurocodec.encoding.layered_block import LayeredBlock
from neurocodec.encoding.report import EncodeReport
from neurocodec.errors import UnsupportedError
from neurocodec.format.block import BLOCK_SECONDS, Block, Region, SoundPacket
from neurocodec.format.description import Description
from neurocodec.format.header import Header
from neurocodec.format.times import playing_time, rates
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packets import SymbolDigest

_MOST_SOUND = 2000
"""Sound packets in a block; those that are left have blocks of their own."""


class UnwrittenBlock(Protocol):
    """A block of frames with these timestamps; ``next_number`` is that of the reference after its last."""

    pts: list[int]

    @property
    def next_number(self) -> int:
        """Number of the next reference."""

    def add_to(self, digest: SymbolDigest) -> None:
        """Add what it decodes to to a digest."""

    def finish(self, sound: list[SoundPacket]) -> Block:
        """The block, with the sound of its time."""


class BlockOutput:
    """A file that is being written.

    Args:
        file: open for writing.
        header: of the file.
        name: of the source, for messages.
        description: what the file says of itself.

    Raises:
        UnsupportedError: the header goes beyond what the format can hold.
    """

    def __init__(
        self, file: BinaryIO, header: Header, name: str, description: Description | None = None
    ) -> None:
        self.header, self._name = header, name
        self._digest = SymbolDigest()
        self.frames = self.references = 0
        self._first, self._last, self._step = header.start, 0, 0
        try:
            self._writer = NfcWriter(file, header, description)
        except ValueError as error:
            raise self._beyond_the_format(error) from error

    def _beyond_the_format(self, error: ValueError) -> UnsupportedError:
        return UnsupportedError(f"{self._name} goes beyond what an .nfc file can hold: {error}")

    def begin(self, pts: list[int], region: Region | None) -> BlockBuilder:
        """The block that comes next, of frames with these timestamps."""
        return BlockBuilder(self.header, self.frames, self.references, pts, region)

    def write(self, builder: UnwrittenBlock, sound: deque[SoundPacket], last: bool) -> None:
        """Write a block, and take from ``sound`` what belongs to its time (to the ``last`` one: all).

        Raises:
            UnsupportedError: the block goes beyond what the format can hold.
        """
        steps = [b - a for a, b in pairwise([self._last, *builder.pts])]
        self.frames += len(builder.pts)
        self.references = builder.next_number
        self._step = steps[-1] if self.frames > 1 else 0
        self._last = builder.pts[-1]
        builder.add_to(self._digest)
        self._put(builder.finish(self._sound_of(builder, sound, last)))
        while len(sound) > (0 if last else _MOST_SOUND):
            some = [sound.popleft() for _ in range(min(_MOST_SOUND, len(sound)))]
            self._put(self._without_frames(some))

    def _without_frames(self, sound: list[SoundPacket]) -> Block:
        if self.header.layered:
            return LayeredBlock(self.header, self.frames, []).finish(sound)
        return self.begin([], Region(0, 0, 1)).finish(sound)

    def _sound_of(self, builder: UnwrittenBlock, sound: deque[SoundPacket], last: bool) -> list[SoundPacket]:
        end = None
        if not last and self.header.audio:
            seconds = builder.pts[0] * self.header.time_base + BLOCK_SECONDS
            end = seconds / self.header.audio.time_base
        found: list[SoundPacket] = []
        while sound and (end is None or sound[0].pts < end) and len(found) < _MOST_SOUND:
            found.append(sound.popleft())
        return found

    def _put(self, block: Block) -> None:
        try:
            self._writer.write_block(block)
        except ValueError as error:
            raise self._beyond_the_format(error) from error

    @property
    def ending(self) -> bytes:
        """What would make a whole file of the blocks so far."""
        return self._writer.ending

    def count(self, report: EncodeReport) -> None:
        """Put frames, references, duration, bytes and rates so far in the report."""
        report.frames, report.references = self.frames, self.references
        report.duration = playing_time(self.header, self._first, self._last, self._step)
        report.bytes = self._writer.bytes_by_kind
        report.kbps = rates(report.bytes, report.duration)

    def close(self, report: EncodeReport) -> None:
        """Write the index, and put what was written and the digest of its symbols in the report."""
        self._writer.close()
        self.count(report)
        report.symbols_sha256 = self._digest.hexdigest()
