"""How near to the original are the faces: a distance in squares around them, at their own size."""

from __future__ import annotations

import cv2
import numpy as np

from neurocodec.faces.detector import find_faces
from neurocodec.faces.look import Box
from neurocodec.format.block import Region
from neurocodec.measure.clips import Frames
from neurocodec.measure.lpips import LpipsAlex
from neurocodec.measure.metric import Metric, MetricFiles, Values
from neurocodec.measure.perceptual import Perceptuality
from neurocodec.models.model_files import ModelDescription, installed
from neurocodec.options import DEFAULT_HEADS, DEFAULT_LANDMARKS
from neurocodec.types import Picture

EVERY = 5
"""Frames from one look to the next, at least: faces change little in between, and looks take time."""
MOST_FACES = 4
ROOM = 2.0
"""Side of the square in sides of the face's box."""
LEAST_SQUARE, LARGEST_SQUARE = 64, 512
"""Pixels; smaller squares are passed over, larger ones reduced."""


def square_around(box: Box, width: int, height: int) -> Region | None:
    """The square around a face in a picture of this size, inside it; None for a face that is too small."""
    x, y, w, h = box
    side = min(round(ROOM * max(w, h)), width, height)
    if side < LEAST_SQUARE:
        return None
    left, top = (
        int(np.clip(round(middle - side / 2), 0, length - side))
        for middle, length in ((x + w / 2, width), (y + h / 2, height))
    )
    return Region(left, top, side)


def squares_of(picture: Picture) -> list[Region]:
    """Squares around the faces of a picture (H,W,3), at most four, the largest first."""
    height, width = picture.shape[:2]
    found = (square_around(box, width, height) for box in find_faces(picture))
    return [square for square in found if square is not None][:MOST_FACES]


def cut(picture: Picture, square: Region) -> Picture:
    """What a picture shows in a square, at its own size or 512 pixels."""
    part = picture[square.y : square.y + square.side, square.x : square.x + square.side]
    if square.side > LARGEST_SQUARE:
        return cv2.resize(part, (LARGEST_SQUARE, LARGEST_SQUARE), interpolation=cv2.INTER_AREA)
    return part


_last: list[tuple[Frames, int, dict[int, list[Region]]]] = []


def _squares(source: Frames, step: int) -> dict[int, list[Region]]:
    """By frame, the squares in the clip that was looked at last, which many versions are compared with."""
    if not (_last and _last[0][0] is source and _last[0][1] == step):
        _last[:] = [(source, step, {k: squares_of(source[k]) for k in range(0, len(source), step)})]
    return _last[0][2]


class AroundFaces(Metric):
    """LPIPS around faces, or without its weights the perceptual distance."""

    name, title, better = "faces", "around faces", "lower"
    explained = (
        "LPIPS (AlexNet), without its weights the perceptual distance, in squares twice as large as the "
        f"faces of the source's frame ({MOST_FACES} at most, reduced to {LARGEST_SQUARE} pixels), mean of a "
        f"frame's; of every {EVERY}th frame at most"
    )

    def __init__(self, files: MetricFiles) -> None:
        super().__init__(files)
        self._distance: Metric = LpipsAlex(files) if files.lpips else Perceptuality(files)

    @staticmethod
    def _networks() -> list[ModelDescription]:
        """Those that find faces."""
        return [m for m in installed() if m.shipped and m.name in (DEFAULT_HEADS, DEFAULT_LANDMARKS)]

    def missing(self, width: int, height: int) -> str | None:
        if len(self._networks()) < 2:
            return f"it needs {DEFAULT_HEADS} and {DEFAULT_LANDMARKS}"
        if min(width, height) < LEAST_SQUARE:
            return f"pictures must be at least {LEAST_SQUARE} pixels a side"
        return self._distance.missing(LEAST_SQUARE, LEAST_SQUARE)

    def identity(self) -> str:
        networks = " ".join(sorted(m.hash for m in self._networks()))
        return f"{self.name} {self._distance.identity()} {networks}"

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        out: Values = [None] * len(source)
        for k, squares in _squares(source, max(every, EVERY)).items():
            pairs = [(cut(source[k], s), cut(decoded[k], s)) for s in squares]
            found = [self._distance.measure(a[None], b[None], 1)[0] for a, b in pairs]
            known = [value for value in found if value is not None]
            out[k] = sum(known) / len(known) if known else None
        return out
