"""Where the face is: the square that ``--region face`` codes.

A detector says about where a face is, the landmark network then exactly, so that the square does not depend
on how the detector happened to place its box.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.block import Region

if TYPE_CHECKING:
    from neurocodec.faces import FaceTracker

Box = tuple[float, float, float, float]
Detector = Callable[[NDArray[np.uint8]], list[Box]]

MARGIN = 2.1
"""Side of the coded square in heights of the detected face."""
LANDMARK_MARGIN, LANDMARK_PLACE = 2.33, 0.55
"""Side of the coded square in sides of the square around the landmarks, and how far down the latter's middle
lies: the medians of the clips that the motion model was trained on."""
SHIFT, GROWTH = 0.12, 0.25
"""The square stays while the face's has moved less than this part of its side and grown less than that."""
_DETECTION_SIDE = 480


def _haar() -> Detector:
    """OpenCV's frontal-face cascade (Viola and Jones, CVPR 2001)."""
    folder = Path(cv2.__file__).parent / "data"
    cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))

    def detect(picture: NDArray[np.uint8]) -> list[Box]:
        grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        least = max(24, min(grey.shape) // 8)
        found = cascade.detectMultiScale(grey, 1.1, 5, minSize=(least, least))
        return [tuple(float(v) for v in box) for box in found]  # type: ignore[misc]

    return detect


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

    def detect(picture: NDArray[np.uint8]) -> list[Box]:
        found = network.detect_from_image(picture)
        return [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1, score in found if score > 0.5]

    return detect


@lru_cache(maxsize=1)
def _default_detector() -> Detector:
    return _face_alignment() or _haar()


def find_faces(picture: NDArray[np.uint8], detector: Detector | None = None) -> list[Box]:
    """Boxes (x, y, width, height), in pixels, of the faces that a detector finds in a picture (H,W,3)."""
    height, width = picture.shape[:2]
    scale = min(1.0, _DETECTION_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    boxes = (detector or _default_detector())(small)
    return [(x / scale, y / scale, w / scale, h / scale) for x, y, w, h in boxes]


def _default_tracker() -> FaceTracker | None:
    """Landmarks, where their network is installed."""
    from neurocodec.errors import InputError
    from neurocodec.faces import FaceTracker, default_engine

    try:
        return FaceTracker(default_engine(device="cpu"))
    except InputError:
        return None


class FaceRegion:
    """Follows the largest face, block by block.

    Args:
        detector: finds faces; with one of one's own, landmarks are only used if a tracker is given too.
        tracker: finds landmarks.
    """

    def __init__(self, detector: Detector | None = None, tracker: FaceTracker | None = None) -> None:
        self._detector = detector
        self._tracker = tracker if tracker or detector else _default_tracker()
        self.region: Region | None = None
        self.blocks_without_face = 0
        self.most_faces = 0

    def update(self, picture: NDArray[np.uint8]) -> Region:
        """The square for a block that begins with ``picture`` (H,W,3).

        Without a face it is the previous square, or at first the largest in the middle.
        """
        height, width = picture.shape[:2]
        found = self.by_landmarks(picture) if self._tracker else None
        found = found or self.by_box(picture)
        if found is None:
            self.blocks_without_face += 1
            if self.region is None:
                side = min(height, width)
                self.region = Region((width - side) // 2, (height - side) // 2, side)
            return self.region
        x, y, asked = found
        side = min(max(16, round(asked)), height, width)
        left = round(min(max(x - side / 2, 0), width - side))
        top = round(min(max(y - side / 2, 0), height - side))
        proposed = Region(left, top, side)
        if self.region is None or self._differs(self.region, proposed):
            self.region = proposed
        return self.region

    def by_landmarks(self, picture: NDArray[np.uint8]) -> tuple[float, float, float] | None:
        """Middle and side of the square by the landmarks of the largest face."""
        assert self._tracker is not None
        face = self._tracker.update(picture)
        if face is None:
            return None
        self.most_faces = max(self.most_faces, face.seen)
        low, high = face.points.min(0), face.points.max(0)
        side = LANDMARK_MARGIN * float((high - low).max())
        x, y = (low + high) / 2
        return float(x), float(y) - (LANDMARK_PLACE - 0.5) * side, side

    def by_box(self, picture: NDArray[np.uint8]) -> tuple[float, float, float] | None:
        """Middle and side of the square by the largest detected box."""
        boxes = find_faces(picture, self._detector)
        if not boxes:
            return None
        self.most_faces = max(self.most_faces, len(boxes))
        x, y, w, h = max(boxes, key=lambda b: b[2] * b[3])
        return x + w / 2, y + 0.55 * h, MARGIN * h

    @staticmethod
    def _differs(a: Region, b: Region) -> bool:
        shift = max(abs(a.x + a.side / 2 - b.x - b.side / 2), abs(a.y + a.side / 2 - b.y - b.side / 2))
        return shift > SHIFT * a.side or abs(b.side / a.side - 1) > GROWTH
