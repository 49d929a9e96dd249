"""Where the face is: the square that ``--region face`` codes.

A detector says about where a face is, the landmark network then exactly, so that the square does not depend
on how the detector happened to place its box.
"""

from __future__ import annotations

from neurocodec.errors import InputError
from neurocodec.faces.detector import Detector, find_faces
from neurocodec.faces.look import middle
from neurocodec.faces.tracker import FaceTracker
from neurocodec.format.block import Region
from neurocodec.models.landmark_engine import open_landmark_engine
from neurocodec.types import Picture

MARGIN = 1.8
"""Side of the coded square in heights of the detected face."""
LANDMARK_MARGIN, LANDMARK_PLACE = 2.33, 0.55
"""Side of the coded square in sides of the square around the landmarks, and how far down the latter's middle
lies: the medians of the clips that the motion model was trained on."""
SHIFT, GROWTH = 0.12, 0.25
"""The square stays while the face's has moved less than this part of its side and grown less than that."""


def _default_tracker() -> FaceTracker | None:
    """Landmarks, where their network is installed."""
    try:
        return FaceTracker(open_landmark_engine(device="cpu"))
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

    def update(self, picture: Picture) -> Region:
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

    def by_landmarks(self, picture: Picture) -> tuple[float, float, float] | None:
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

    def by_box(self, picture: Picture) -> tuple[float, float, float] | None:
        """Middle and side of the square by the largest detected box."""
        boxes = find_faces(picture, self._detector)
        if not boxes:
            return None
        self.most_faces = max(self.most_faces, len(boxes))
        return *middle(boxes[0]), MARGIN * boxes[0][3]

    @staticmethod
    def _differs(a: Region, b: Region) -> bool:
        shift = max(abs(a.x + a.side / 2 - b.x - b.side / 2), abs(a.y + a.side / 2 - b.y - b.side / 2))
        return shift > SHIFT * a.side or abs(b.side / a.side - 1) > GROWTH
