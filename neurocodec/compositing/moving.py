"""Moves a picture by shifts that are known at few places."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Shifts = NDArray[np.float32]


def moved(picture: NDArray[Any], shifts: Shifts, scale: tuple[float, float]) -> NDArray[Any]:
    """A picture (H,W) or (H,W,3) sampled where small shifts (h,w,2), x and y times ``scale``, point to."""
    height, width = picture.shape[:2]
    places = []
    for part, factor, grid in zip(cv2.split(shifts), scale, _grid(height, width), strict=True):
        large = cv2.resize(part * np.float32(factor), (width, height), interpolation=cv2.INTER_LINEAR)
        places.append(cv2.add(large, grid, dst=large))
    return cv2.remap(picture, places[0], places[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> tuple[Shifts, Shifts]:
    """Columns and rows of all pixels, each (H,W)."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y
