"""Face detection: boxes around the faces of a picture.

The head finder proposes boxes.  The landmark network looks into each: it says whether there is a face at all,
and where it is more exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from neurocodec.faces.look import Box, Square, box_of
from neurocodec.models.head_engine import HeadEngine, open_head_engine, overlaps
from neurocodec.models.landmark_engine import LandmarkEngine, open_landmark_engine
from neurocodec.types import Picture

Detector = Callable[[Picture], list[Box]]
LEAST_SCORE = 0.5
_LEAST_PROPOSAL = 0.5
_MOST_PROPOSALS = 8
_AGREE = 0.55
"""Overlap of a proposed box and that of the landmarks from which on their mean is taken."""
_DETECTION_SIDE = 480
"""Longer side of the picture that a detector is given."""


class Found(NamedTuple):
    """The box around a face, forehead to chin, in pixels, and how sure it is that it is one, in [0,1]."""

    x: float
    y: float
    width: float
    height: float
    score: float


Finder = Callable[[Picture], list[Found]]
"""Finds the faces of a picture (H,W,3)."""


class FaceFinder:
    """Finds faces by both networks.  A score is the head finder's times the probability of landmarks."""

    def __init__(self, heads: HeadEngine, landmarks: LandmarkEngine) -> None:
        self._heads, self._landmarks = heads, landmarks

    def __call__(self, picture: Picture) -> list[Found]:
        """The faces of a picture (H,W,3), the surest first."""
        proposed = self._heads.find(picture, _LEAST_PROPOSAL)[:_MOST_PROPOSALS]
        if not len(proposed):
            return []
        squares = [Square.of_box((x, y, w, h)) for x, y, w, h, _ in proposed.tolist()]
        fractions, presence = self._landmarks.landmarks(np.stack([s.cut(picture) for s in squares]))
        out = []
        for face, square, points, there in zip(proposed, squares, fractions, presence, strict=True):
            box, exact = face[:4], box_of(square.place(points))
            if overlaps(box, exact[None])[0][0] > _AGREE:
                box = (box + exact) / 2
            x, y, width, height = box.tolist()
            out.append(Found(x, y, width, height, float(face[4] * there)))
        return sorted((f for f in out if f.score >= LEAST_SCORE), key=lambda f: -f.score)


@cache
def default_finder() -> Finder:
    """The networks that come along.

    Raises:
        InputError: one of them is not installed.
    """
    return FaceFinder(open_head_engine(device="cpu"), open_landmark_engine(device="cpu"))


def find_faces(picture: Picture, detector: Detector | None = None) -> list[Box]:
    """Boxes of the faces in a picture (H,W,3), the largest first, by our networks or a given detector.

    Raises:
        InputError: one of our networks is not installed.
    """
    if detector is None:
        boxes: list[Box] = [(f.x, f.y, f.width, f.height) for f in default_finder()(picture)]
    else:
        height, width = picture.shape[:2]
        scale = min(1.0, _DETECTION_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        found = detector(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        boxes = [(x / scale, y / scale, w / scale, h / scale) for x, y, w, h in found]
    return sorted(boxes, key=lambda box: -box[2] * box[3])
