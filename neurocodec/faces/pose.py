"""What a face does: eyes, mouth, turn and tilt of the head, from its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurocodec.models.landmark_engine import Points


@dataclass(frozen=True)
class Pose:
    """What a face does, independent of its size: in units of the distance of the outer eye corners.

    ``turn`` is negative when the nose points to the left of the picture, ``tilt`` is in degrees clockwise.
    """

    left_eye: float
    right_eye: float
    mouth: float
    turn: float
    tilt: float

    @staticmethod
    def of(points: Points) -> Pose:
        """From landmarks (68,2)."""
        p = points.astype(np.float64)
        eyes = p[45] - p[36]
        scale = max(float(np.hypot(*eyes)), 1e-6)

        def gap(above: tuple[int, ...], below: tuple[int, ...]) -> float:
            return float(np.hypot(*(p[list(above)].mean(0) - p[list(below)].mean(0)))) / scale

        along = eyes / scale
        middle = (p[36] + p[45]) / 2
        return Pose(
            left_eye=gap((37, 38), (41, 40)),
            right_eye=gap((43, 44), (47, 46)),
            mouth=gap((61, 62, 63), (67, 66, 65)),
            turn=float((p[30] - middle) @ along) / scale,
            tilt=float(np.degrees(np.arctan2(eyes[1], eyes[0]))),
        )
