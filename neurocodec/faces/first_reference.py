"""Which frame should be the first reference: one that looks ahead, with eyes open and mouth closed."""

from __future__ import annotations

import numpy as np

from neurocodec.faces.pose import Pose
from neurocodec.faces.tracker import PRESENT
from neurocodec.models.device import BATCH
from neurocodec.models.landmark_engine import LandmarkEngine, Points
from neurocodec.types import Picture

STEP = 3
"""Every how many frames one is considered."""
_BETTER = 0.15
"""How much less a later frame must cost."""


def frontal_cost(points: Points) -> float:
    """How far a face is from looking ahead with eyes open and mouth closed; 0 is best."""
    pose = Pose.of(points)
    closed = max(0.0, 0.1 - min(pose.left_eye, pose.right_eye)) / 0.1
    return 2 * abs(pose.turn) + abs(pose.tilt) / 45 + closed + 2 * max(0.0, pose.mouth - 0.02)


def best_frame(engine: LandmarkEngine, pictures: list[Picture]) -> int:
    """The best of pictures (S,S,3) to begin with; 0 where none is clearly better, or no face is seen."""
    costs: list[float] = []
    tried = range(0, len(pictures), STEP)
    for k in range(0, len(tried), BATCH):
        points, presence = engine.landmarks(np.stack([pictures[i] for i in tried[k : k + BATCH]]))
        costs += [
            frontal_cost(p) if there >= PRESENT else np.inf for p, there in zip(points, presence, strict=True)
        ]
    best = int(np.argmin(costs))
    return tried[best] if costs[best] < costs[0] - _BETTER else 0
