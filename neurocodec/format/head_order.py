"""Whether the chunks of heads follow each other, from block to block and within one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neurocodec.format.head import HeadPart


@dataclass(frozen=True)
class _End:
    """What comes next of a head: numbers of a frame and a reference, and the size of those before."""

    frame: int
    reference: int
    size: int

    @staticmethod
    def of(part: HeadPart) -> _End:
        block = part.block
        return _End(
            block.first_frame + len(block.pts), block.first_reference + len(block.references),
            part.reference_size,
        )  # fmt: skip


class HeadOrder:
    """Remembers where each head of a file has come to."""

    def __init__(self) -> None:
        self._ends: dict[int, _End] = {}

    def follows(self, part: HeadPart, before: Sequence[HeadPart], entry: bool, gap: bool) -> bool:
        """Whether ``part`` can come next in a block that has the heads ``before`` it.

        With ``gap``, chunks in between may be missing; in an ``entry`` each head may begin anew.
        """
        own = [p for p in before if p.head == part.head]
        block = part.block
        last = _End.of(own[-1]) if own else self._ends.get(part.head, _End(0, 0, part.reference_size))
        frames, references = block.first_frame - last.frame, block.first_reference - last.reference
        if min(frames, references) < 0 or (max(frames, references) > 0 and not gap and (own or not entry)):
            return False
        if own and own[-1].start + len(own[-1].squares) > part.start:
            return False
        if not block.needed:
            return True
        if entry and min(block.needed) < (own[0] if own else part).block.first_reference:
            return False
        return references > 0 or part.reference_size == last.size

    def advance(self, parts: Iterable[HeadPart]) -> None:
        """A block with these heads has come."""
        self._ends |= {part.head: _End.of(part) for part in parts}
