"""Which frame should be the first reference: one that looks ahead, with eyes open and mouth closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurocodec.faces.tracker import PRESENT
from neurocodec.models.landmark_engine import LandmarkEngine, Points
from neurocodec.types import Picture


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


def frontal_cost(points: Points) -> float:
    """How far a face is from looking ahead with eyes open and mouth closed; 0 is best."""
    pose = Pose.of(points)
    closed = max(0.0, 0.1 - min(pose.left_eye, pose.right_eye)) / 0.1
    return 2 * abs(pose.turn) + abs(pose.tilt) / 45 + closed + 2 * max(0.0, pose.mouth - 0.02)


STEP = 3
"""Every how many frames one is considered."""
_BETTER = 0.15
"""How much less a later frame must cost."""
_BATCH = 8


def best_frame(engine: LandmarkEngine, pictures: list[Picture]) -> int:
    """The best of pictures (S,S,3) to begin with; 0 where none is clearly better, or no face is seen."""
    costs: list[float] = []
    tried = range(0, len(pictures), STEP)
    for k in range(0, len(tried), _BATCH):
        points, presence = engine.landmarks(np.stack([pictures[i] for i in tried[k : k + _BATCH]]))
        costs += [
            frontal_cost(p) if there >= PRESENT else np.inf for p, there in zip(points, presence, strict=True)
        ]
    best = int(np.argmin(costs))
    return tried[best] if costs[best] < costs[0] - _BETTER else 0
