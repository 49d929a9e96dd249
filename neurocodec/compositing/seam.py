"""Blending of a head's square into a picture, without a step at its edges."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.format.block import Region
from neurocodec.types import Picture

RAMP = 8
"""The ramp at an edge is the side divided by so much."""


def blend(picture: Picture, head: Picture, square: Region, shown: NDArray[np.float32] | None = None) -> None:
    """Put a head (side,side,3) into a picture (H,W,3), in place; what lies outside is left away.

    ``shown`` (side,side) says how much of the head is seen where; without it, all of it is.
    """
    height, width = picture.shape[:2]
    left, top = max(square.x, 0), max(square.y, 0)
    right, bottom = min(square.x + square.side, width), min(square.y + square.side, height)
    if shown is not None:
        left, right = _within(left, right, square.x, (shown > 0).max(0))
        top, bottom = _within(top, bottom, square.y, (shown > 0).max(1))
    if left >= right or top >= bottom:
        return
    across = _weights(square.side, square.x > 0, square.x + square.side < width)
    down = _weights(square.side, square.y > 0, square.y + square.side < height)
    rows, columns = slice(top - square.y, bottom - square.y), slice(left - square.x, right - square.x)
    weight = down[rows, None] * across[None, columns]
    if shown is not None:
        weight *= shown[rows, columns]
    under = picture[top:bottom, left:right]
    picture[top:bottom, left:right] = cv2.blendLinear(under, head[rows, columns], 1 - weight, weight)


def _within(first: int, stop: int, start: int, seen: NDArray[np.bool_]) -> tuple[int, int]:
    """The part of a range in which something is seen, by a list that begins at ``start``."""
    places = np.flatnonzero(seen)
    if not len(places):
        return stop, stop
    return max(first, start + int(places[0])), min(stop, start + int(places[-1]) + 1)


@lru_cache(maxsize=64)
def _weights(side: int, first: bool, last: bool) -> NDArray[np.float32]:
    """Weights (side,) along one axis, with ramps at these edges: smoothstep of the distance."""
    distance = np.arange(side) + 0.5
    nearest = np.full(side, np.inf)
    if first:
        nearest = distance
    if last:
        nearest = np.minimum(nearest, distance[::-1])
    t = np.minimum(nearest * RAMP / side, 1)
    return np.asarray(3 * t**2 - 2 * t**3, np.float32)
