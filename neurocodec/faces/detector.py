"""Face detection: boxes around the faces of a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.types import Picture

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""
Detector = Callable[[Picture], list[Box]]


class Found(NamedTuple):
    """The box around a face, in pixels, and how sure it is that it is one, in [0,1]."""

    x: float
    y: float
    width: float
    height: float
    score: float


Finder = Callable[[Picture], list[Found]]
"""Finds the faces of a picture (H,W,3)."""
_DETECTION_SIDE = 480
"""Longer side of the picture that a detector is given."""


@cache
def _cascade() -> cv2.CascadeClassifier:
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))


def frontal_faces(grey: NDArray[np.uint8], least: int) -> list[Box]:
    """Boxes of at least ``least`` pixels a side around the frontal faces of a grey picture (H,W).

    By OpenCV's cascade (Viola and Jones, CVPR 2001).
    """
    found = _cascade().detectMultiScale(grey, 1.1, 5, minSize=(least, least))
    return [tuple(float(v) for v in box) for box in found]  # type: ignore[misc]


def _haar(picture: Picture) -> list[Box]:
    grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    return frontal_faces(grey, max(24, min(grey.shape) // 8))


def _face_alignment() -> Detector | None:
    """The S3FD detector of the face-alignment package, when its weights are on this machine already."""
    import torch.hub

    weights = Path(torch.hub.get_dir()) / "checkpoints" / "s3fd-619a316812.pth"
    if not weights.is_file():
        return None
    try:
        from face_alignment.detection.sfd import FaceDetector
    except ImportError:
        return None
    network = FaceDetector(device="cpu", path_to_detector=str(weights))

    def detect(picture: Picture) -> list[Box]:
        found = network.detect_from_image(picture)
        return [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1, score in found if score > 0.5]

    return detect


@cache
def _default_detector() -> Detector:
    return _face_alignment() or _haar


def find_faces(picture: Picture, detector: Detector | None = None) -> list[Box]:
    """Boxes of the faces that a detector finds in a picture (H,W,3), the largest first."""
    height, width = picture.shape[:2]
    scale = min(1.0, _DETECTION_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    boxes = (detector or _default_detector())(small)
    boxes = [(x / scale, y / scale, w / scale, h / scale) for x, y, w, h in boxes]
    return sorted(boxes, key=lambda box: -box[2] * box[3])


def middle(box: Box) -> tuple[float, float]:
    """The middle of the face in a box, which is a little below that of the box."""
    x, y, w, h = box
    return x + w / 2, y + 0.55 * h


def default_finder() -> Finder:
    """What finds faces where nothing else is asked for."""
    return lambda picture: [Found(*box, 1.0) for box in find_faces(picture)]
