"""Faces in pictures: 68 landmarks by the landmark network, followed from frame to frame.

A face is first looked for with :mod:`neurocodec.faces.detector`; after that, the square in which the network
looks follows its own landmarks.  The square only moves when the face has, so that landmarks
of a still face do not tremble with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurocodec.faces.detector import find_faces
from neurocodec.faces.face import Face
from neurocodec.faces.look import Square
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.types import Picture

PRESENT = 0.5
"""Least probability of a face at which landmarks count."""


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
            yield Square.of_box(box)
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
