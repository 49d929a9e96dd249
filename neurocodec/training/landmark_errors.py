"""How far landmarks are off, on which faces: as the product finds them, and in one look at the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from neurocodec.faces.frontal import Pose
from neurocodec.faces.tracker import FaceTracker
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.training.landmark_data import (
    Landmarks,
    Pictures,
    Report,
    face_square,
    is_validation,
    labelled_frames,
    landmarks_of_clip,
    read_picture,
    read_table,
    squared,
)

FRONTAL_TURN, CLEAR_EYES = 0.13, 40.0
"""A face is frontal when its nose tip is at most this part of the eyes' distance off the middle between them,
clear when the outer eye corners are at least so many pixels apart."""
FAILED = 10.0
"""Per cent at which landmarks are useless."""


@dataclass
class Case:
    """One face: where from, its errors in per cent (``tracked`` None: not found), and what it looks like."""

    source: str
    picture: Pictures
    truth: Landmarks
    found: Landmarks | None
    tracked: float | None
    whole: float
    turn: float
    eyes: float

    @property
    def another(self) -> bool:
        """Whether another face was found than the one with stored landmarks: there are several."""
        if self.found is None:
            return False
        (a, size), (b, _) = face_square(self.truth), face_square(self.found)
        return bool(np.linalg.norm(a - b) > 0.35 * size)

    @property
    def clear(self) -> bool:
        """A frontal face that is large enough."""
        return abs(self.turn) <= FRONTAL_TURN and self.eyes >= CLEAR_EYES


def _error(found: Landmarks, truth: Landmarks) -> float:
    """Mean distance in per cent of the distance of the outer eye corners."""
    eyes = float(np.linalg.norm(truth[36] - truth[45]))
    return 100 * float(np.linalg.norm(found - truth, axis=1).mean()) / max(eyes, 1e-3)


def _case(
    engine: LandmarkEngine, tracker: FaceTracker, source: str, picture: Pictures, truth: Landmarks
) -> Case:
    """Measure one picture (H,W,3) with landmarks (68,2) in pixels."""
    face = tracker.update(picture)
    square, fractions = squared(picture, truth, 256)
    whole = _error(engine.landmarks(square[None])[0][0], fractions)
    pose = Pose.of(truth)
    tracked = None if face is None else _error(face.points, truth)
    eyes = float(np.linalg.norm(truth[36] - truth[45]))
    return Case(source, picture, truth, face.points if face else None, tracked, whole, pose.turn, eyes)


def measure_images(engine: LandmarkEngine, sets: Iterable[tuple[Path, Path]]) -> list[Case]:
    """The images (table, folder) of people kept out of training, each by itself."""
    cases = []
    for table, folder in sets:
        for row in read_table(table, Report()):
            picture = read_picture(folder / row.name) if is_validation(row.person) else None
            if picture is not None:
                cases.append(_case(engine, FaceTracker(engine), "images", picture, row.points))
    return cases


def measure_clips(engine: LandmarkEngine, folder: Path, landmarks: Path, every: int) -> list[Case]:
    """Every so many-th frame of the clips in a folder, the face being followed through all of them."""
    cases = []
    stored = np.load(landmarks)
    for path in sorted(folder.glob("*.mp4")):
        if path.stem not in stored:
            continue
        tracker = FaceTracker(engine)
        for picture, marks in labelled_frames(path, landmarks_of_clip(stored[path.stem]), every):
            truth = (marks * picture.shape[1::-1]).astype(np.float32)
            cases.append(_case(engine, tracker, f"clips/{path.stem}", picture, truth))
    return cases


def summary(cases: list[Case]) -> list[str]:
    """Lines: the errors of each kind of face; means and medians are of those where that face was found."""

    def line(name: str, some: list[Case]) -> str:
        if not some:
            return f"{name:<28}{0:>7}"
        found = [c.tracked for c in some if c.tracked is not None and not c.another]
        whole = [c.whole for c in some]
        failed = sum(c.tracked is None or c.tracked > FAILED for c in some) / len(some)
        missing = sum(c.tracked is None for c in some)
        another = sum(c.another for c in some)
        return (
            f"{name:<28}{len(some):>7}{np.mean(found):>9.2f}{np.median(found):>9.2f}{100 * failed:>9.1f}"
            f"{missing:>9}{another:>7}{np.mean(whole):>9.2f}{np.median(whole):>9.2f}"
        )

    out = [
        f"{'':<28}{'faces':>7}{'mean':>9}{'median':>9}{'>10 %':>9}{'no face':>9}{'other':>7}{'whole':>9}"
        f"{'median':>9}"
    ]
    for kind in ("images", "clips"):
        some = [c for c in cases if c.source.startswith(kind)]
        if not some:
            continue
        out.append(line(kind, some))
        out.append(line("  frontal and clear", [c for c in some if c.clear]))
        frontal = [c for c in some if abs(c.turn) <= FRONTAL_TURN and not c.clear]
        out.append(line("  frontal, small", frontal))
        turned = [c for c in some if FRONTAL_TURN < abs(c.turn) <= 3 * FRONTAL_TURN]
        out.append(line("  turned", turned))
        out.append(line("  far turned", [c for c in some if abs(c.turn) > 3 * FRONTAL_TURN]))
    return out


def worst_cases(cases: list[Case], path: Path, count: int = 24, side: int = 200) -> None:
    """A sheet of the worst faces: truth in green, what was found in red."""
    ordered = sorted(cases, key=lambda c: -(1e9 if c.tracked is None else c.tracked))[:count]
    tiles = []
    for case in ordered:
        centre, size = face_square(case.truth)
        scale = side / (1.8 * size)
        shift = side / 2 - scale * centre
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        tile = cv2.warpAffine(case.picture, matrix, (side, side))
        for points, colour in ((case.truth, (60, 255, 60)), (case.found, (255, 60, 60))):
            if points is not None:
                for x, y in np.rint(points * scale + shift).astype(int).tolist():
                    cv2.circle(tile, (x, y), 1, colour, -1)
        tiles.append(tile)
    blank = np.zeros((side, side, 3), np.uint8)
    tiles += [blank] * (-len(tiles) % 8)
    rows = [np.concatenate(tiles[k : k + 8], 1) for k in range(0, len(tiles), 8)]
    cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
