"""How far facial landmarks are off, on which faces; how steady the square is that they are looked for in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from neurocodec.datasets.clips import read_image
from neurocodec.datasets.labelled_faces import (
    Landmarks,
    face_square,
    is_validation,
    labelled_clips,
    read_table,
    squared,
)
from neurocodec.errors import InputError
from neurocodec.faces.face import Face, error_of
from neurocodec.faces.look import Square
from neurocodec.faces.pose import Pose
from neurocodec.faces.region import LANDMARK_MARGIN, FaceRegion
from neurocodec.faces.tracker import FaceTracker
from neurocodec.faces.views import drawn
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.types import Picture

FRONTAL_TURN, CLEAR_EYES = 0.13, 40.0
"""A face is frontal when its nose tip is at most this part of the eyes' distance off the middle between them,
clear when the outer eye corners are at least so many pixels apart."""
FAILED = 10.0
"""Per cent at which landmarks are useless."""
_BORDER_X, _BORDER_Y = 192, 128
_NONE = (np.nan, np.nan, np.nan)


@dataclass
class Case:
    """One face: where from, its errors in per cent (``tracked`` None: not found), and what it looks like.

    ``tracked``: as the product finds it; ``whole``: in one look at the whole picture.
    """

    source: str
    picture: Picture
    truth: Face
    found: Face | None
    tracked: float | None
    whole: float
    turn: float

    @property
    def another(self) -> bool:
        """Whether another face was found than the one with stored landmarks: there are several."""
        if self.found is None:
            return False
        (a, size), (b, _) = face_square(self.truth.points), face_square(self.found.points)
        return bool(np.linalg.norm(a - b) > 0.35 * size)

    @property
    def kind(self) -> str:
        """What sort of face it is."""
        if self.turn > 3 * FRONTAL_TURN:
            return "far turned"
        if self.turn > FRONTAL_TURN:
            return "turned"
        return "frontal and clear" if self.truth.eye_distance >= CLEAR_EYES else "frontal, small"


KINDS = ("frontal and clear", "frontal, small", "turned", "far turned")


def _case(
    engine: LandmarkEngine, tracker: FaceTracker, source: str, picture: Picture, points: Landmarks
) -> Case:
    """Measure one picture (H,W,3) with landmarks (68,2) in pixels."""
    truth, found = Face(points, 1.0), tracker.update(picture)
    square, fractions = squared(picture, points, 256)
    looked, there = (Face(256 * p, 1.0) for p in (engine.landmarks(square[None])[0][0], fractions))
    whole = error_of(looked, there)
    assert whole is not None
    return Case(source, picture, truth, found, error_of(found, truth), whole, abs(Pose.of(points).turn))


def image_cases(engine: LandmarkEngine, sets: Sequence[tuple[Path, Path]]) -> Iterator[Case]:
    """The images (table, folder) of people kept out of training, each by itself."""
    for table, folder in sets:
        for image in read_table(table)[0]:
            with suppress(InputError):
                if is_validation(image.person):
                    picture = read_image(folder / image.name)
                    yield _case(engine, FaceTracker(engine), "images", picture, image.points)


def clip_cases(engine: LandmarkEngine, folder: Path, landmarks: Path, every: int) -> Iterator[Case]:
    """Every so many-th frame of the clips in a folder, the face being followed through all of them."""
    for clip in labelled_clips(folder, landmarks, every):
        tracker = FaceTracker(engine)
        for picture, points in clip:
            yield _case(engine, tracker, "clips", picture, points)


def error_lines(cases: Sequence[Case]) -> list[str]:
    """The errors of each kind of face; means and medians are of those where that face was found."""
    heads = ("faces", "mean", "median", ">10 %", "no face", "other", "whole", "median")
    widths = (7, 9, 9, 9, 9, 7, 9, 9)
    out = [" " * 28 + "".join(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True))]
    for source in ("images", "clips"):
        every = [c for c in cases if c.source == source]
        if every:
            out.append(_line(source, every))
            out += [_line(f"  {kind}", [c for c in every if c.kind == kind]) for kind in KINDS]
    return out


def _line(name: str, cases: Sequence[Case]) -> str:
    if not cases:
        return f"{name:<28}{0:>7}"
    found = [c.tracked for c in cases if c.tracked is not None and not c.another]
    whole = [c.whole for c in cases]
    failed = sum(c.tracked is None or c.tracked > FAILED for c in cases) / len(cases)
    missing, another = sum(c.tracked is None for c in cases), sum(c.another for c in cases)
    return (
        f"{name:<28}{len(cases):>7}{np.mean(found):>9.2f}{np.median(found):>9.2f}{100 * failed:>9.1f}"
        f"{missing:>9}{another:>7}{np.mean(whole):>9.2f}{np.median(whole):>9.2f}"
    )


def worst_faces(cases: Sequence[Case], count: int = 24, columns: int = 4) -> Picture:
    """A sheet of the worst faces, each with its true landmarks and, beside it, with those found."""
    tiles = []
    for case in sorted(cases, key=lambda c: -(1e9 if c.tracked is None else c.tracked))[:count]:
        square = Square.around(case.truth.points)
        both = (square.cut(drawn(case.picture, face)) for face in (case.truth, case.found))
        tiles.append(np.concatenate(list(both), 1))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[k : k + columns], 1) for k in range(0, len(tiles), columns)])


def region_lines(engine: LandmarkEngine, folder: Path, landmarks: Path, every: int) -> list[str]:
    """How steady the square of ``--region face`` is, by boxes and by landmarks, each frame by itself.

    Each clip is put into a larger picture.  Deviations are those of middle and side from the square that the
    clip's stored landmarks ask for, in per cent of its side, less their mean over the clip.
    """
    ways = {"box": FaceRegion.by_box, "landmarks": FaceRegion.by_landmarks}
    off, edges = [], (_BORDER_Y, _BORDER_Y, _BORDER_X, _BORDER_X)
    for clip in labelled_clips(folder, landmarks, every):
        rows = []
        for frame, points in clip:
            picture = np.asarray(cv2.copyMakeBorder(frame, *edges, cv2.BORDER_REPLICATE), np.uint8)
            middle, size = face_square(points + np.array([_BORDER_X, _BORDER_Y], np.float32))
            found = [find(FaceRegion(tracker=FaceTracker(engine)), picture) for find in ways.values()]
            squares = np.array([square or _NONE for square in found])
            side = LANDMARK_MARGIN * size
            rows.append(100 * (squares - (*middle, side)) / side)
        if rows:
            off.append(np.abs(rows - np.nanmean(rows, 0)))
    frames = np.concatenate(off)
    deviations, missed = np.nanmean(frames, (0, 2)), np.isnan(frames[..., 0]).sum(0)
    return [f"{len(frames)} frames"] + [
        f"by {way}: deviation {deviation:.2f} % of the side, nothing found in {count}"
        for way, deviation, count in zip(ways, deviations, missed, strict=True)
    ]
