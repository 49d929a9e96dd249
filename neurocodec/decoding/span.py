"""The part of a file that is wanted, and the blocks that it takes to decode it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block, SoundPacket
from neurocodec.format.chunks import IndexEntry
from neurocodec.format.damage import Loss, loss_of_parts
from neurocodec.format.header import Header
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import end_of
from neurocodec.options import DecodeOptions


@dataclass(frozen=True)
class Span:
    """The part of a file that is wanted, in units of the video's time base; ``end`` may be None."""

    start: int | None
    end: int | None

    @staticmethod
    def of(options: DecodeOptions, header: Header) -> Span:
        """From seconds after the first frame."""
        begin = Fraction(options.start or 0).limit_denominator(10**6)
        start = None if options.start is None else header.start + int(begin / header.time_base)
        if options.duration is None:
            return Span(start, None)
        length = Fraction(options.duration).limit_denominator(10**6)
        return Span(start, header.start + int((begin + length) / header.time_base))

    def shows(self, block: Block, header: Header, following: int | None = None) -> list[int]:
        """The frames of a block that are on screen in the span; one may have begun before it.

        ``following`` is when the next block's first frame is shown, where that is known.
        """
        if not block.pts:
            return []
        ends = [*block.pts[1:], end_of(block, -1, header) if following is None else following]
        return [
            k
            for k, (pts, end) in enumerate(zip(block.pts, ends, strict=True))
            if (self.start is None or end > self.start) and (self.end is None or pts < self.end)
        ]

    def hears(self, packet: SoundPacket, header: Header) -> bool:
        """Whether the middle of a sound packet lies in the span."""
        assert header.audio is not None
        place = (packet.pts + packet.duration // 2) * header.audio.time_base / header.time_base
        return (self.start is None or place >= self.start) and (self.end is None or place < self.end)


Item = tuple[Block, int] | Loss
"""A block and its bytes, or what is lost."""


def _blocks_by_index(
    reader: NfcReader, entries: list[IndexEntry], span: Span
) -> Iterator[tuple[Item, int | None]]:
    """The blocks of ``span``, each after those before the span that lend it references."""
    first = _first_wanted(entries, span)[0]
    lenders = entries[:first]
    if reader.header.layered:
        lenders = []
        yield from (((block, 0), None) for block in _since_entry(reader, entries, first))
    begins = {e.first_frame: e.pts for e in entries if e.frames}

    def following(entry: IndexEntry) -> int | None:
        return begins.get(entry.first_frame + entry.frames)

    for entry in entries[first:]:
        beyond = span.end is not None and entry.frames > 0 and entry.pts >= span.end
        try:
            block = reader.block_at(entry)
        except DamagedFileError as error:
            yield Loss(entry.offset, str(error)), None
            if beyond:
                return
            continue
        if block.needed:
            low, high = min(block.needed), max(block.needed)
            wanted = [
                e for e in lenders if e.first_reference <= high and e.first_reference + e.references > low
            ]
            lenders = [e for e in lenders if e not in wanted]
            for lender in wanted:
                try:
                    yield (reader.block_at(lender), 0), following(lender)
                except DamagedFileError as error:
                    yield Loss(lender.offset, str(error)), None
        yield loss_of_parts(entry.offset, block) if block.lost else (block, 0), following(entry)
        if beyond:
            return
    reader.promised = sum(e.frames for e in entries)


def _since_entry(reader: NfcReader, entries: list[IndexEntry], first: int) -> Iterator[Block]:
    """The blocks of a layered file before one that begin with the last entry up to there."""
    begin = first
    with suppress(DamagedFileError):
        while begin and not reader.block_at(entries[begin]).entry:
            begin -= 1
    for entry in entries[begin:first]:
        with suppress(DamagedFileError):
            yield reader.block_at(entry)


def plan(reader: NfcReader, span: Span) -> tuple[int, Iterator[tuple[Item, int | None]]]:
    """The number of the first frame that may be wanted, and all that is needed to decode ``span``.

    By index where there is one, else everything in order; each with the time of the first frame after the
    block, where it is known.
    """
    entries = reader.index() if span.start is not None else None
    if entries:
        return _first_wanted(entries, span)[1], _blocks_by_index(reader, entries, span)
    return 0, _blocks_in_order(reader, span)


def _first_wanted(entries: list[IndexEntry], span: Span) -> tuple[int, int]:
    """Place in the index, and first frame, of the last block that begins before the span."""
    assert span.start is not None
    first = max((k for k, e in enumerate(entries) if e.frames and e.pts <= span.start), default=0)
    return first, entries[first].first_frame


def _blocks_in_order(reader: NfcReader, span: Span) -> Iterator[tuple[Item, int | None]]:
    """Each one after a look at the next, where the part begins somewhere in the file."""
    held: Item | None = None
    for item in reader:
        begins = None if isinstance(item, Loss) or not item[0].pts else item[0].pts[0]
        if span.start is None:
            yield item, None
        elif held is not None:
            yield held, begins if _adjacent(held, item) else None
        held = item
        if span.end is not None and begins is not None and begins >= span.end:
            break
    if span.start is not None and held is not None:
        yield held, None


def _adjacent(a: Item, b: Item) -> bool:
    """Whether ``b`` is the block right after ``a``."""
    if isinstance(a, Loss) or isinstance(b, Loss):
        return False
    return b[0].first_frame == a[0].first_frame + len(a[0].pts)
