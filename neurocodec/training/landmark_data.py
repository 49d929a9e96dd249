"""Labelled faces to learn 68 landmarks from: published image sets and clips, split by person.

The published layout is a folder of images and a CSV: a header, then in each row an image's name and 136
numbers x0,y0,...,x67,y67 in pixels.  The name begins with the person (``Some_Name_12.jpg``), which is what
the sets are split by.  Clips come with an npz: for every clip (key: its name without ending) an array
(frames, 68, 2) of uint16, fractions of the frame as ``(u - 16384) / 16384``, 65535 where no face was found.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import InputError
from neurocodec.models.landmark_engine import MIRROR
from neurocodec.networks.face68 import POINTS, SIDE
from neurocodec.types import Pictures

Landmarks = NDArray[np.float32]
COORDINATES = 2 * POINTS
NO_FACE = 65535
_UNIT = 16384
_INDEX = re.compile(r"_?\d+$")


@dataclass
class Report:
    """What was read and what was left out, with the reasons."""

    read: int = 0
    skipped: list[str] = field(default_factory=list)

    def lines(self, most: int = 10) -> list[str]:
        """For people: the count, then the first reasons."""
        out = [f"{self.read} read, {len(self.skipped)} skipped"]
        out += [f"  skipped: {reason}" for reason in self.skipped[:most]]
        if len(self.skipped) > most:
            out.append(f"  ... and {len(self.skipped) - most} more")
        return out


@dataclass(frozen=True)
class Row:
    """One line of a CSV: an image's name and its landmarks (68,2) in pixels."""

    name: str
    points: Landmarks

    @property
    def person(self) -> str:
        """Who is shown: the name without its ending and number."""
        return _INDEX.sub("", Path(self.name).stem)


def read_table(path: Path, report: Report) -> list[Row]:
    """The usable rows of a CSV in the published layout; the others are noted in ``report``.

    Raises:
        InputError: no such file, no text, or a header without a name and 136 columns.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except FileNotFoundError:
        raise InputError(f"no landmark table {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from None
    lines = csv.reader(text.splitlines())
    header = next(lines, None)
    if header is None or len(header) != 1 + COORDINATES:
        have = "nothing" if header is None else f"{max(len(header) - 1, 0)} coordinate columns"
        raise InputError(f"{path} has {have}; a name and {COORDINATES} coordinates are needed")
    rows: list[Row] = []
    seen: set[str] = set()
    for cells in lines:
        where = f"{path.name}, line {lines.line_num}"
        if not cells:
            continue
        if len(cells) != len(header):
            report.skipped.append(f"{where}: {len(cells) - 1} coordinates instead of {COORDINATES}")
            continue
        try:
            values = np.array([float(cell) for cell in cells[1:]], np.float32)
        except ValueError:
            report.skipped.append(f"{where}: not all coordinates are numbers")
            continue
        if not np.isfinite(values).all():
            report.skipped.append(f"{where}: a coordinate is not finite")
        elif not cells[0] or Path(cells[0]).name != cells[0]:
            report.skipped.append(f"{where}: {cells[0]!r} is no image name")
        elif cells[0] in seen:
            report.skipped.append(f"{where}: {cells[0]} was there before")
        else:
            seen.add(cells[0])
            rows.append(Row(cells[0], values.reshape(POINTS, 2)))
    return rows


def is_validation(person: str, percent: int = 15) -> bool:
    """Whether a person belongs to the validation part: by a hash of the name, the same on every machine."""
    return int.from_bytes(hashlib.sha256(person.encode()).digest()[:4], "big") % 100 < percent


def squared(picture: Pictures, points: Landmarks, side: int) -> tuple[Pictures, Landmarks]:
    """A picture and its landmarks in pixels -> (side,side,3), edges repeated; landmarks as fractions."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, size, interpolation=method)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    out = cv2.copyMakeBorder(
        small, top, side - size[1] - top, left, side - size[0] - left, cv2.BORDER_REPLICATE
    )
    fractions = (points * np.array([size[0] / width, size[1] / height]) + (left, top)) / side
    return out, fractions.astype(np.float32)


def read_picture(path: Path) -> Pictures | None:
    """An image file as RGB (H,W,3), None if it does not open."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    found = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if found is None else cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def read_images(
    table: Path, folder: Path, side: int, report: Report
) -> tuple[Pictures, Landmarks, list[Row]]:
    """The images of a table: (n,side,side,3), landmarks (n,68,2) as fractions, and their rows.

    Left out and noted: images that are missing or do not open, and landmarks that lie mostly outside.

    Raises:
        InputError: as :func:`read_table`, or nothing is left.
    """
    pictures, points, rows = [], [], []
    for row in read_table(table, report):
        picture = read_picture(folder / row.name)
        if picture is None:
            report.skipped.append(f"{row.name}: the image is missing or does not open")
            continue
        square, fractions = squared(picture, row.points, side)
        if ((fractions < 0) | (fractions > 1)).any(1).mean() > 0.5:
            report.skipped.append(f"{row.name}: most landmarks lie outside the image")
            continue
        pictures.append(square)
        points.append(fractions)
        rows.append(row)
    report.read += len(rows)
    if not rows:
        raise InputError(f"{table} has no usable row for the images in {folder}")
    return np.stack(pictures), np.stack(points), rows


def landmarks_of_clip(stored: NDArray[np.uint16]) -> Landmarks:
    """Stored landmarks (frames,68,2) uint16 -> fractions of the frame, NaN where no face was found."""
    out: Landmarks = ((stored.astype(np.float32) - _UNIT) / _UNIT).astype(np.float32)
    out[(stored == NO_FACE).any((1, 2))] = np.nan
    return out


def labelled_frames(
    path: Path, landmarks: Landmarks, every: int
) -> Iterator[tuple[NDArray[np.uint8], Landmarks]]:
    """Pictures (H,W,3) RGB and landmarks (68,2) of every so many-th frame of a clip, where they are known."""
    capture = cv2.VideoCapture(str(path))
    for t, marks in enumerate(landmarks):
        good, frame = capture.read()
        if not good:
            break
        if t % every == 0 and np.isfinite(marks).all():
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8), marks
    capture.release()


def read_clip(path: Path, landmarks: Landmarks, side: int, stride: int) -> tuple[Pictures, Landmarks]:
    """Frames t and t+1 for every ``stride``-th t whose faces are known: (2n,side,side,3), (2n,68,2)."""
    capture = cv2.VideoCapture(str(path))
    pictures: list[Pictures] = []
    points: list[Landmarks] = []
    t = 0
    while True:
        good, frame = capture.read()
        if not good or t >= len(landmarks):
            break
        start = t - t % stride
        pair = landmarks[start : start + 2]
        if t % stride < 2 and len(pair) == 2 and np.isfinite(pair).all():
            rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            pictures.append(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA))
            points.append(landmarks[t])
        t += 1
    capture.release()
    even = len(pictures) // 2 * 2
    if not even:
        return np.zeros((0, side, side, 3), np.uint8), np.zeros((0, POINTS, 2), np.float32)
    return np.stack(pictures[:even]), np.stack(points[:even])


def write_cache(
    out: Path,
    side: int,
    images: Iterable[tuple[Path, Path]],
    clips: Iterable[tuple[Path, str]],
    clip_landmarks: Path | None,
    stride: int,
) -> Report:
    """Decode image sets (table, folder) and clips (path, person) once, into ``out``.

    ``images.npy`` and ``clips.npy`` hold pictures, ``*_points.npy`` their landmarks, ``index.json`` the
    persons; clips are pairs of neighbouring frames.  Images of one person in two tables stay one person.
    """
    out.mkdir(parents=True, exist_ok=True)
    report = Report()
    parts = [read_images(table, folder, side, report) for table, folder in images]
    index: dict[str, list[str]] = {"images": [r.person for p in parts for r in p[2]]}
    index["names"] = [r.name for p in parts for r in p[2]]
    index["clips"] = []
    if parts:
        np.save(out / "images.npy", np.concatenate([p[0] for p in parts]))
        np.save(out / "images_points.npy", np.concatenate([p[1] for p in parts]))
    stored = np.load(clip_landmarks) if clip_landmarks else {}
    pictures, points = [], []
    for path, person in clips:
        if path.stem not in stored:
            report.skipped.append(f"{path.name}: no landmarks for this clip")
            continue
        some, their = read_clip(path, landmarks_of_clip(stored[path.stem]), side, stride)
        if not len(some):
            report.skipped.append(f"{path.name}: no pair of frames with a face")
            continue
        pictures.append(some)
        points.append(their)
        index["clips"] += [person] * len(some)
        report.read += len(some)
    if pictures:
        np.save(out / "clips.npy", np.concatenate(pictures))
        np.save(out / "clips_points.npy", np.concatenate(points))
    (out / "index.json").write_text(json.dumps(index))
    return report


# Augmentation


@dataclass(frozen=True)
class Crop:
    """How a picture becomes the network's input: affine map (2,3) of fractions, mirrored or not."""

    matrix: NDArray[np.float64]
    mirrored: bool

    def points(self, landmarks: Landmarks) -> Landmarks:
        """Landmarks (68,2) of the picture -> of the crop, in the order of a face that is not mirrored."""
        moved = landmarks @ self.matrix[:, :2].T + self.matrix[:, 2]
        return (moved[MIRROR] if self.mirrored else moved).astype(np.float32)

    def picture(self, source: Pictures, side: int = SIDE) -> Pictures:
        """The crop (side,side,3) of a square picture; what lies outside repeats the edge."""
        shrinks = side / source.shape[0] * np.sqrt(abs(np.linalg.det(self.matrix[:, :2])))
        if shrinks < 0.7:
            smaller = max(1, round(source.shape[0] * shrinks))
            source = cv2.resize(source, (smaller, smaller), interpolation=cv2.INTER_AREA)
        pixels = self.matrix.copy()
        pixels[:, :2] *= side / source.shape[0]
        pixels[:, 2] = self.matrix[:, 2] * side + 0.5 * (pixels[:, :2].sum(1) - 1)
        return cv2.warpAffine(
            source, pixels, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def face_square(landmarks: Landmarks) -> tuple[NDArray[np.float64], float]:
    """Centre (2,) and side of the square around landmarks (68,2), in their units."""
    low, high = landmarks.min(0).astype(np.float64), landmarks.max(0).astype(np.float64)
    return (low + high) / 2, float((high - low).max())


def crop_matrix(
    centre: NDArray[np.float64], side: float, degrees: float = 0.0, mirrored: bool = False
) -> NDArray[np.float64]:
    """Affine map (2,3) that takes the square around ``centre`` to [0,1]², turned by ``degrees``."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / side
    if mirrored:
        turn[0] = -turn[0]
    return np.concatenate([turn, (0.5 - turn @ centre)[:, None]], 1)


def random_crop(landmarks: Landmarks, rng: np.random.Generator) -> Crop:
    """A square of 1.25 to 2.8 faces, off centre as long as the face is inside, turned, perhaps mirrored."""
    centre, face = face_square(landmarks)
    side = face * float(np.exp(rng.uniform(np.log(1.25), np.log(2.8))))
    room = max(side - face, 0.0) / 2 + 0.04 * face
    centre = centre + rng.uniform(-1, 1, 2) * room * rng.uniform(0, 1)
    degrees = float(rng.normal(0, 10))
    mirrored = bool(rng.random() < 0.5)
    return Crop(crop_matrix(centre, side, degrees, mirrored), mirrored)


def jittered(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """Other light, colour, sharpness and compression."""
    gamma, gains = float(np.exp(rng.uniform(-0.5, 0.5))), rng.uniform(0.8, 1.2, 3)
    ramp = (np.arange(256) / 255.0) ** gamma * 255
    table = np.clip(ramp[:, None] * gains * rng.uniform(0.75, 1.15) + rng.uniform(-15, 15), 0, 255)
    out = cv2.LUT(picture, table.astype(np.uint8)[:, None, :].reshape(1, 256, 3))
    choice = rng.random()
    if choice < 0.15:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.5, 2.0))
    elif choice < 0.3:
        small = max(24, int(out.shape[0] * rng.uniform(0.3, 0.8)))
        down = cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA)
        out = cv2.resize(down, out.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    elif choice < 0.45:
        _, coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))])
        out = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if rng.random() < 0.05:
        out = np.repeat(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    if rng.random() < 0.12:
        x, y = rng.integers(0, out.shape[0], 2)
        w, h = rng.integers(10, out.shape[0] // 3, 2)
        out = out.copy()
        out[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return out


def faceless(picture: Pictures, landmarks: Landmarks, rng: np.random.Generator) -> Pictures | None:
    """A crop (SIDE,SIDE,3) that shows less than a fifth of the face, or None if none was found."""
    low, high = landmarks.min(0), landmarks.max(0)
    for _ in range(8):
        side = float(rng.uniform(0.15, 0.7))
        corner = rng.uniform(0, 1 - side, 2)
        overlap = np.clip(np.minimum(high, corner + side) - np.maximum(low, corner), 0, None)
        if overlap.prod() < 0.2 * (high - low).prod() and overlap.prod() < 0.1 * side * side:
            return Crop(crop_matrix(corner + side / 2, side), False).picture(picture)
    return None


class Faces:
    """Samples of a cache: single images and pairs of neighbouring frames, people drawn evenly.

    ``held_out``: take the people of :func:`is_validation` instead of the others.
    """

    def __init__(self, cache: Path, held_out: bool = False) -> None:
        index = json.loads((cache / "index.json").read_text())
        self._sets = []
        for kind, step in (("images", 1), ("clips", 2)):
            people: dict[str, list[int]] = {}
            for row, person in list(enumerate(index[kind]))[::step]:
                if is_validation(person) is held_out:
                    people.setdefault(person, []).append(row)
            if not people:
                raise InputError(f"{cache} has no {kind} of the wanted people")
            pictures = np.load(cache / f"{kind}.npy", mmap_mode="r")
            points = np.load(cache / f"{kind}_points.npy")
            self._sets.append((pictures, points, [people[k] for k in sorted(people)]))

    def sample(
        self, images: int, pairs: int, nothing: int, rng: np.random.Generator
    ) -> tuple[Pictures, Landmarks]:
        """``images`` images, then first frames of ``pairs``, then second ones, then faceless crops.

        Returns pictures (B,SIDE,SIDE,3) and landmarks (B,68,2), NaN for the faceless.
        """
        pictures: list[Pictures] = []
        points: list[Landmarks] = []
        following: list[tuple[Pictures, Landmarks]] = []
        for kind, count in ((0, images), (1, pairs)):
            source, marks, people = self._sets[kind]
            for _ in range(count):
                rows = people[rng.integers(len(people))]
                row = rows[rng.integers(len(rows))]
                crop = random_crop(marks[row], rng)
                state = rng.bit_generator.state
                pictures.append(jittered(crop.picture(source[row]), rng))
                points.append(crop.points(marks[row]))
                if kind == 1:
                    rng.bit_generator.state = state
                    second = jittered(crop.picture(source[row + 1]), rng)
                    following.append((second, crop.points(marks[row + 1])))
        pictures += [p for p, _ in following]
        points += [m for _, m in following]
        while nothing:
            source, marks, people = self._sets[1]
            rows = people[rng.integers(len(people))]
            row = rows[rng.integers(len(rows))]
            empty = faceless(source[row], marks[row], rng)
            if empty is not None:
                nothing -= 1
                pictures.append(jittered(empty, rng))
                points.append(np.full((POINTS, 2), np.nan, np.float32))
        return np.stack(pictures), np.stack(points)
