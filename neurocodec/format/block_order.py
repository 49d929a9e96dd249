"""Whether blocks follow each other."""

from __future__ import annotations

from neurocodec.format.block import Block


class BlockOrder:
    """Checks that blocks follow each other: frame and reference numbers, and time."""

    def __init__(self) -> None:
        self.frame = 0
        self._reference = 0
        self._pts: int | None = None

    def follows(self, block: Block, gap: bool) -> bool:
        """Whether ``block`` can come next; with ``gap``, blocks in between may be missing."""
        frames, references = block.first_frame - self.frame, block.first_reference - self._reference
        if min(frames, references) < 0 or (not gap and max(frames, references) > 0):
            return False
        return not block.pts or self._pts is None or block.pts[0] > self._pts

    def advance(self, block: Block) -> None:
        """``block`` has come."""
        self.frame = block.first_frame + len(block.pts)
        self._reference = block.first_reference + len(block.references)
        self._pts = block.pts[-1] if block.pts else self._pts
