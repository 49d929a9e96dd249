"""Where the landmark network looks: a square around a face, and boxes around faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.models.landmark_engine import Points
from neurocodec.networks.face68 import SIDE
from neurocodec.types import Picture

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""
ROOM = 1.4
"""Side of the square that the network looks at, in sides of the square around the landmarks."""
_BOX_ROOM = 1.25
"""Side of the square in which a detected face is looked for first, in heights of its box."""
_MOVED, _GROWN = 0.1, 0.15
"""The square stays while the face's centre moved less than this part of it, and its size changed less."""
FOREHEAD = 0.33
"""How far the box of a face reaches above its landmarks, in heights of those."""


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

    @staticmethod
    def of_box(box: Box) -> Square:
        """The square to look at for a face that was detected in a box."""
        return Square(*middle(box), _BOX_ROOM * box[3])

    def differs(self, other: Square) -> bool:
        """Whether a face has moved or grown so much that the square should follow."""
        moved = max(abs(self.x - other.x), abs(self.y - other.y)) > _MOVED * self.side
        return moved or abs(other.side / self.side - 1) > _GROWN


def middle(box: Box) -> tuple[float, float]:
    """The middle of the head in a box, which is a little below that of the box."""
    x, y, w, h = box
    return x + w / 2, y + 0.55 * h


def box_of(landmarks: Points) -> NDArray[np.float32]:
    """The box (4,) of a face, forehead to chin, by its landmarks (68,2), in their units."""
    low, high = landmarks.min(0), landmarks.max(0)
    width, height = high - low
    return np.array([low[0], low[1] - FOREHEAD * height, width, (1 + FOREHEAD) * height], np.float32)
