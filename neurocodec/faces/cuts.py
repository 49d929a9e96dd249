"""Where one shot ends and another begins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.types import Picture

_SIDE = 24
_LEAST = 9.0
"""Mean difference of two small grey pictures, in levels, below which nothing is a cut."""
_TIMES = 3.5
"""A cut differs by so many times what pictures differed by lately."""
_MEMORY = 0.8


class CutFinder:
    """Compares every picture with the one before, small and whatever their brightness."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self._usual = 0.0

    def update(self, picture: Picture) -> bool:
        """Whether a shot begins with the next picture (H,W,3); the first one begins none."""
        now = small_grey(picture, _SIDE)
        before, self._before = self._before, now
        if before is None:
            return False
        change = float(np.abs(now - before).mean())
        cut = change > max(_LEAST, _TIMES * self._usual)
        if not cut:
            self._usual = _MEMORY * self._usual + (1 - _MEMORY) * change
        return cut


def small_grey(picture: Picture, side: int) -> NDArray[np.float32]:
    """A picture (H,W,3) as grey levels (side,side) less their mean; mostly free of noise."""
    step = max(1, min(picture.shape[:2]) // (8 * side))
    small = cv2.resize(picture[::step, ::step], (side, side), interpolation=cv2.INTER_AREA)
    grey = small.astype(np.float32).mean(-1)
    return grey - grey.mean()
