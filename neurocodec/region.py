"""Where the face is: the square that ``--region face`` codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.block import Region

Box = tuple[float, float, float, float]
Detector = Callable[[NDArray[np.uint8]], list[Box]]

MARGIN = 2.1
"""Side of the coded square in heights of the detected face."""
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


class FaceRegion:
    """Follows the largest face, block by block."""

    def __init__(self, detector: Detector | None = None) -> None:
        self._detect = detector or _face_alignment() or _haar()
        self.region: Region | None = None
        self.blocks_without_face = 0

    def update(self, picture: NDArray[np.uint8]) -> Region:
        """The square for a block that begins with ``picture`` (H,W,3).

        Without a face it is the previous square, or at first the largest in the middle.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, _DETECTION_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        boxes = self._detect(small)
        if not boxes:
            self.blocks_without_face += 1
            if self.region is None:
                side = min(height, width)
                self.region = Region((width - side) // 2, (height - side) // 2, side)
            return self.region
        x, y, w, h = (v / scale for v in max(boxes, key=lambda b: b[2] * b[3]))
        side = max(16, min(round(MARGIN * h), height, width))
        side = min(side, height, width)
        left = round(min(max(x + w / 2 - side / 2, 0), width - side))
        top = round(min(max(y + 0.55 * h - side / 2, 0), height - side))
        proposed = Region(left, top, side)
        if self.region is None or self._differs(self.region, proposed):
            self.region = proposed
        return self.region

    @staticmethod
    def _differs(a: Region, b: Region) -> bool:
        shift = max(abs(a.x + a.side / 2 - b.x - b.side / 2), abs(a.y + a.side / 2 - b.y - b.side / 2))
        return shift > SHIFT * a.side or abs(b.side / a.side - 1) > GROWTH
