"""Face detection: boxes around the faces of a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cv2

from neurocodec.models.head_engine import HeadEngine, open_head_engine
from neurocodec.types import Picture

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""
Detector = Callable[[Picture], list[Box]]
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


@cache
def _engine() -> HeadEngine:
    return open_head_engine(device="cpu")


def default_finder() -> Finder:
    """The network that comes along.

    Raises:
        InputError: it is not installed.
    """
    engine = _engine()
    return lambda picture: [Found(*face) for face in engine.find(picture).tolist()]


def find_faces(picture: Picture, detector: Detector | None = None) -> list[Box]:
    """Boxes of the faces in a picture (H,W,3), the largest first, by our own network or a given detector.

    Raises:
        InputError: our network is not installed.
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


def middle(box: Box) -> tuple[float, float]:
    """The middle of the head in a box, which is a little below that of the box."""
    x, y, w, h = box
    return x + w / 2, y + 0.55 * h
