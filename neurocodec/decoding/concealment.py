"""Keypoints for frames whose packets are lost: on the way from the reference shown before to the one after.

Linear in time, as error concealment of motion does it (e.g. the temporal direct mode's scaling by distance in
H.264, 8.4.1.2.3); with a reference on one side only, that one's keypoints.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurocodec.format.block import RECENT, Block

_REMEMBERED = 4 * RECENT
Values = NDArray[np.float32]


class Anchors:
    """When references are shown; of those of earlier blocks, the last few are remembered."""

    def __init__(self) -> None:
        self._shown: OrderedDict[int, int] = OrderedDict()

    def add(self, block: Block) -> None:
        """Note a block's references."""
        for k, reference in enumerate(block.references):
            self._shown[block.first_reference + k] = block.pts[reference.offset]
        while len(self._shown) > max(_REMEMBERED, 2 * len(block.references)):
            self._shown.popitem(last=False)

    def of(self, block: Block) -> list[tuple[int, int]]:
        """Timestamps and numbers of the references that a block's frames lie between, in order of time."""
        current = block.needed[-1] if block.current is None and block.needed else block.current
        shown = [
            (block.pts[reference.offset], block.first_reference + k)
            for k, reference in enumerate(block.references)
        ]
        if current is not None:
            shown.append((min(self._shown.get(current, block.pts[0]), block.pts[0] - 1), current))
        return sorted(shown)


def between(pts: int, anchors: list[tuple[int, int]], values: Callable[[int], Values]) -> Values:
    """What is coded of a frame at ``pts``, in pairs (M/2,2), guessed from that of the anchors.

    ``values`` gives that of a reference by its number; there is at least one anchor.
    """
    place = bisect_right([t for t, _ in anchors], pts)
    if place in (0, len(anchors)):
        return values(anchors[min(place, len(anchors) - 1)][1])
    (start, before), (end, after) = anchors[place - 1 : place + 1]
    share = np.float32((pts - start) / (end - start))
    return (1 - share) * values(before) + share * values(after)
