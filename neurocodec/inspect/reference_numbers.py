"""References get new numbers when a file is written again without some of them."""

from __future__ import annotations

from dataclasses import replace

from neurocodec.format.block import MAX_CHAIN, Block, ReferenceFrame, Run


class ReferenceNumbers:
    """New numbers of references by their old ones; which of them depend on others is remembered too."""

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._independent: set[int] = set()
        self.next = 0

    def add(self, old: int, reference: ReferenceFrame) -> None:
        """A reference has been written."""
        self._new[old] = self.next
        if not reference.dependent:
            self._independent.add(old)
        self.next += 1
        for gone in [n for n in self._new if n < old - 2 * MAX_CHAIN][:16]:
            del self._new[gone]
            self._independent.discard(gone)

    def complete(self, needed: tuple[int, ...], version: int) -> bool:
        """Whether all of these were written and, in version 2, can be decoded by themselves."""
        here = all(n in self._new for n in needed)
        return here and (version == 1 or not needed or needed[0] in self._independent)

    def renumbered(self, block: Block, version: int) -> Block:
        """A whole block with the numbers that its references have now; those it needs end right before it."""
        move, number = self.next - block.first_reference, self.next
        if version == 1:
            return replace(block, first_reference=number, needed=tuple(self._new[n] for n in block.needed))
        runs = block.runs
        if runs is not None:
            runs = tuple(
                Run(r.frames, r.first + move, None if r.second is None else r.second + move) for r in runs
            )
        return replace(
            block, first_reference=number, needed=tuple(n + move for n in block.needed), runs=runs,
            current=None if block.current is None else block.current + move,
        )  # fmt: skip
