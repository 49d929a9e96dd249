"""Faces in pictures: 68 landmarks by the landmark network, followed from frame to frame.

A face is first looked for with :mod:`neurocodec.faces.detector`; after that, the square in which the network
looks follows its own landmarks.  The square only moves when the face has, so that landmarks
of a still face do not tremble with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from neurocodec.faces.detector import find_faces, middle
from neurocodec.faces.face import Face
from neurocodec.models.landmark_engine import LandmarkEngine, Points
from neurocodec.networks.face68 import SIDE
from neurocodec.types import Picture

ROOM = 1.4
"""Side of the square that the network looks at, in sides of the square around the landmarks."""
_BOX_ROOM = 1.25
"""Side of the square in which a detected face is looked for first, in heights of its box."""
_MOVED, _GROWN = 0.1, 0.15
"""The square stays while the face's centre moved less than this part of it, and its size changed less."""
PRESENT = 0.5
"""Least probability of a face at which landmarks count."""


@dataclass(frozen=True)
class Square:
    """Centre and side in pixels of a picture."""

    x: float
    y: float
    side: float

    def cut(self, picture: Picture) -> Picture:
        """The square as a picture (128,128,3); outside, the edge is repeated."""
        scale = SIDE / self.side
        if scale < 0.7:
            height, width = picture.shape[:2]
            size = max(1, round(width * scale)), max(1, round(height * scale))
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            return Square(self.x * size[0] / width, self.y * size[1] / height, float(SIDE)).cut(small)
        shift = [SIDE / 2 - 0.5 - scale * (v - 0.5) for v in (self.x, self.y)]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        return cv2.warpAffine(
            picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def place(self, fractions: Points) -> Points:
        """Landmarks as fractions of the square -> pixels of the picture."""
        return (np.array([self.x, self.y]) + (fractions - 0.5) * self.side).astype(np.float32)

    @staticmethod
    def around(points: Points) -> Square:
        """The square to look at for a face with these landmarks in pixels."""
        low, high = points.min(0), points.max(0)
        x, y = (low + high) / 2
        return Square(float(x), float(y), ROOM * float((high - low).max()))

    def differs(self, other: Square) -> bool:
        """Whether a face has moved or grown so much that the square should follow."""
        moved = max(abs(self.x - other.x), abs(self.y - other.y)) > _MOVED * self.side
        return moved or abs(other.side / self.side - 1) > _GROWN


class FaceTracker:
    """Follows the largest face through the pictures of a video."""

    def __init__(self, engine: LandmarkEngine) -> None:
        self._engine = engine
        self._square: Square | None = None
        self._seen = 1

    def update(self, picture: Picture) -> Face | None:
        """The face in the next picture (H,W,3), or None."""
        if self._square is not None:
            face = self._look(picture, self._square)
            if face is not None:
                return face
            self._square = None
        for square in self._candidates(picture):
            face = self._look(picture, square)
            if face is not None:
                return face
        return None

    def _candidates(self, picture: Picture) -> Iterator[Square]:
        """Squares around the detected faces, the largest first; without any, the middle of the picture."""
        boxes = find_faces(picture)
        self._seen = max(1, len(boxes))
        for box in boxes:
            yield Square(*middle(box), _BOX_ROOM * box[3])
        if not boxes:
            height, width = picture.shape[:2]
            for share in (1.0, 0.6):
                yield Square(width / 2, height / 2, share * min(height, width))

    def _look(self, picture: Picture, square: Square) -> Face | None:
        """Landmarks from a square; once more from where they are, if that is elsewhere."""
        for _ in range(2):
            fractions, probability = self._engine.landmarks(square.cut(picture)[None], mirrored=True)
            if probability[0] < PRESENT:
                return None
            points = square.place(fractions[0])
            proposed = Square.around(points)
            if proposed.side < 8:
                return None
            if not square.differs(proposed):
                break
            square = proposed
        self._square = square
        return Face(points, float(probability[0]), self._seen)


def compared(engine: LandmarkEngine, first: Picture, second: Picture, face: Face) -> tuple[Face, Face]:
    """What is in the place of a ``face`` in two pictures (H,W,3), looked at alike.

    Whether either still is a face does not matter: one that is no more is a large error, not a missing one.
    """
    square = Square.around(face.points)
    pictures = np.stack([square.cut(p) for p in (first, second)])
    fractions, presence = engine.landmarks(pictures, mirrored=True)
    a, b = (Face(square.place(f), float(p), face.seen) for f, p in zip(fractions, presence, strict=True))
    return a, b
