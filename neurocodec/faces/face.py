"""A face that was found, and how far it is from another one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurocodec.models.landmark_engine import Points


@dataclass(frozen=True)
class Face:
    """Landmarks (68,2) in pixels, the probability that there is a face, and how many faces were seen."""

    points: Points
    probability: float
    seen: int = 1

    @property
    def eye_distance(self) -> float:
        """Between the outer corners of the eyes, in pixels."""
        return float(np.linalg.norm(self.points[36] - self.points[45]))


def error_of(found: Face | None, truth: Face | None) -> float | None:
    """Mean distance of landmarks in per cent of the true distance of the outer eye corners."""
    if found is None or truth is None:
        return None
    return (
        100 * float(np.linalg.norm(found.points - truth.points, axis=1).mean()) / max(truth.eye_distance, 1)
    )
