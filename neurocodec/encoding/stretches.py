"""What placing references in a block is about: references, stretches of frames between them, the block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurocodec.models.motion_engine import Reference
from neurocodec.types import Picture, Pictures

Verdicts = Callable[[Pictures, Sequence[Picture]], NDArray[np.float64]]


@dataclass
class Placed:
    """A reference: frame offset in its block, number in the file, ready to render with.

    ``chain`` is the number of the independent reference from which it has to be decoded.
    """

    offset: int
    number: int
    chain: int
    reference: Reference


@dataclass
class Stretch:
    """Frames start..stop-1 between two references; ``errors`` of those that were looked at, by offset."""

    start: int
    stop: int
    before: Placed
    after: Placed | None
    errors: dict[int, float] = field(default_factory=dict)
    settled: bool = False


class ReferenceMaker(Protocol):
    """Codes the references of a block, and says what further ones would cost."""

    def code(self, offset: int, independent: bool) -> Placed:
        """A reference at a frame of the block; an independent one begins a chain, if there are chains."""

    def preview(self, pictures: list[Picture], before: Picture | None) -> tuple[list[Picture], int]:
        """About what pictures would decode to as references after ``before``, and their bytes in all.

        Without ``before``, as an independent one and those that follow it.
        """


@dataclass(frozen=True)
class BlockFrames:
    """A block in which references are to be placed.

    ``pictures`` (S,S,3) and ``keypoints`` (frames,N,2) are those of its frames.  The offsets ``forced`` get a
    reference in any case, at ``cuts`` another scene begins.  Earlier references may serve again if they are
    numbered ``lowest`` or higher, and their chain ``oldest`` or higher.  ``current`` is the one in use (None:
    offset 0 is forced).
    """

    pictures: list[Picture]
    keypoints: NDArray[np.float32]
    forced: list[int]
    cuts: list[int]
    current: Placed | None
    oldest: int
    maker: ReferenceMaker
    lowest: int = 0
