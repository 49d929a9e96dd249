"""How bad a rendering looks: not its mean distance alone, but its worst places, and its eyes and mouth.

A mean over the picture forgives what people see first: a ghost of two pictures, a hand that is gone, a
mouth that does something else.  So the distance is found by place on a grid; the worst twentieth of it, and
the places around the eyes and the mouth, count more.  The weights were chosen by a table of pairs that were
looked at (docs/experiments.md, "A judge that sees ghosts").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurocodec.models.distance import DistanceEngine
from neurocodec.types import Picture, Pictures

GRID = 15
"""Places a side; the three deepest of the distance's five depths have as many for 256x256."""
WORST = 0.05
"""Share of places that are the worst ones."""
WORST_WEIGHT, FACE_WEIGHT = 0.2, 0.6
"""Of the worst places beside all, and of eyes and mouth beside both."""
_REACH = 0.12
"""Spread of a keypoint's surroundings (the picture is 2 wide)."""
_FACE_POINTS = (*range(9), *range(10, 14))
"""Keypoints of mouth and eyes that are tied to facial landmarks."""
_USUAL = 1.5, 1.22
"""What is found in shares of the mean distance, usually: without and with eyes and mouth."""


def judged(places: NDArray[np.float64], keypoints: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """Shares of distances by place (B,G,G), which add up, -> how bad each looks (B,), as large as a distance.

    ``keypoints`` (B,N,2) of the originals: with them, eyes and mouth count more.
    """
    count, grid = places.shape[:2]
    flat = np.sort(places.reshape(count, -1), 1) * grid**2
    worst = flat[:, -max(1, round(WORST * grid**2)) :].mean(1)
    whole = (1 - WORST_WEIGHT) * flat.mean(1) + WORST_WEIGHT * worst
    if keypoints is None:
        return np.asarray(whole / _USUAL[0])
    axis = (2 * np.arange(grid) + 1) / grid - 1
    x, y = np.moveaxis(keypoints[:, list(_FACE_POINTS)].astype(np.float64), -1, 0)[..., None]
    down, across = (np.exp(-0.5 * ((axis - at) / _REACH) ** 2) for at in (y, x))
    around = (down[..., None] * across[:, :, None]).max(1)
    total = np.maximum(around.sum((1, 2)), 1e-9)
    face = (places * around).sum((1, 2)) / total * grid**2
    return np.asarray(((1 - FACE_WEIGHT) * whole + FACE_WEIGHT * face) / _USUAL[1])


class Judge:
    """A distance that sees the worst places, and eyes and mouth."""

    def __init__(self, distance: DistanceEngine) -> None:
        self._distance = distance

    def __call__(
        self, pictures: Pictures, originals: Sequence[Picture], keypoints: NDArray[np.float32] | None = None
    ) -> NDArray[np.float64]:
        """Pictures (B,S,S,3), as many (S,S,3), keypoints (B,N,2) of these -> how bad they look (B,)."""
        return judged(self._distance.places(pictures, originals, GRID), keypoints)
