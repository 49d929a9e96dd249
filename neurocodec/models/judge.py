"""How bad a rendering looks: its distance, of which the worst places count more than the rest.

A mean over the picture forgives what people see first: a ghost of two pictures, a hand that is gone.  So the
distance is found by place on a grid, and the worst twentieth of the places weighs a fifth.  How well that
agrees with pairs that were looked at, and what else was tried, is in docs/experiments.md ("A judge that sees
ghosts").
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
WORST_WEIGHT = 0.2
_USUAL = 1.4
"""What is found in shares of the mean distance, usually."""


def judged(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of distances by place (B,G,G), which add up to the distances, -> how bad each looks (B,).

    That is usually as large as the distance.
    """
    flat = np.sort(places.reshape(len(places), -1), 1)
    count = flat.shape[1]
    worst = flat[:, -max(1, round(WORST * count)) :].mean(1) * count
    return np.asarray(((1 - WORST_WEIGHT) * flat.sum(1) + WORST_WEIGHT * worst) / _USUAL)


class Judge:
    """A distance that sees the worst places."""

    def __init__(self, distance: DistanceEngine) -> None:
        self._distance = distance

    def __call__(self, pictures: Pictures, originals: Sequence[Picture]) -> NDArray[np.float64]:
        """Pictures (B,S,S,3) and as many (S,S,3) -> how bad they look (B,), 0 = alike."""
        return judged(self._distance.places(pictures, originals, GRID))
