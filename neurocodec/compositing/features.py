"""Where a rendered head is shown: around eyes and mouth.

Interpolated pictures are sharper than rendered ones nearly everywhere, but what eyes and lips do between two
pictures only the landmarks tell (docs/experiments.md, "Whole frames").
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Part = tuple[int, int, int, int]
"""Keypoints at both corners of an eye or the mouth, above and below."""
_SIDE = 64
_SOFT = 0.3
"""The edge of an ellipse goes from 1 less so much to 1 more, in its radii."""
_LEAST_WIDTH = 1e-3
"""Of a part, in sides of the square."""


def features_weight(keypoints: NDArray[np.float32], parts: Sequence[Part], side: int) -> NDArray[np.float32]:
    """How much of a head (side,side) is shown, by its keypoints (N,2) in [-1,1]; the first part is the mouth.

    Each part is an ellipse along its corners with a soft edge (``docs/format.md``, 7.4).
    """
    places = (np.arange(_SIDE, dtype=np.float32) + 0.5) * (2 / _SIDE) - 1
    x, y = places[None, :], places[:, None]
    out = np.zeros((_SIDE, _SIDE), np.float32)
    for k, part in enumerate(parts):
        left, right, above, below = keypoints[list(part)]
        middle = keypoints[list(part)].mean(0)
        width = max(float(np.linalg.norm(right - left)), 2 * _LEAST_WIDTH)
        across = (right - left) / width
        height = float(np.linalg.norm(above - below))
        long, high = (width, 0.75 * width) if k == 0 else (1.1 * width, 0.77 * width)
        high += 0.5 * height if k == 0 else 0.55 * height
        dx, dy = x - middle[0], y - middle[1]
        distance = np.hypot(
            (dx * across[0] + dy * across[1]) / long, (dy * across[0] - dx * across[1]) / high
        )
        t = np.clip((1 + _SOFT - distance) / (2 * _SOFT), 0, 1)
        out = np.maximum(out, 3 * t**2 - 2 * t**3)
    return cv2.resize(out, (side, side), interpolation=cv2.INTER_LINEAR)
