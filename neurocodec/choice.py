"""Which frame should be the first reference: one that looks ahead, with eyes open and mouth closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocodec.faces import PRESENT, LandmarkEngine
from neurocodec.landmark_views import frontal_cost

Picture = NDArray[np.uint8]
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
