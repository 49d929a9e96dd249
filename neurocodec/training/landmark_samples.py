"""Labelled faces to learn facial landmarks from: a cache of image sets and clips, and crops of those."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.datasets.clips import Clip
from neurocodec.datasets.labelled_faces import (
    Landmarks,
    face_square,
    is_validation,
    read_images,
    read_landmarks,
)
from neurocodec.errors import InputError
from neurocodec.models.landmark_engine import MIRROR
from neurocodec.networks.face68 import POINTS, SIDE
from neurocodec.training.frame_cache import read_pairs
from neurocodec.types import Picture, Pictures


def write_cache(
    out: Path, side: int, images: Iterable[tuple[Path, Path]], clips: Iterable[Clip], landmarks: Path | None,
    stride: int,
) -> tuple[int, list[str]]:  # fmt: skip
    """Decode image sets (table, folder) and clips once, into ``out``.

    ``images.npy`` and ``clips.npy`` hold pictures, ``*_points.npy`` their landmarks, ``index.json`` the
    persons; clips are pairs of neighbouring frames with a face.  Images of one person in two tables stay one
    person.  Returns how many pictures there are, and why others were left out.

    Raises:
        InputError: a table, the clips' landmarks or a clip cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    index: dict[str, list[str]] = {"images": [], "clips": []}
    found: dict[str, list[tuple[Pictures, Landmarks]]] = {"images": [], "clips": []}
    skipped: list[str] = []
    for table, folder in images:
        pictures, points, people, reasons = read_images(table, folder, side)
        found["images"].append((pictures, points))
        index["images"] += people
        skipped += reasons
    known = read_landmarks(landmarks)
    for clip in clips:
        if clip.path.stem not in known:
            skipped.append(f"{clip.path.name}: no landmarks for this clip")
            continue
        pictures, points = read_pairs(clip.path, side, stride, landmarks=known[clip.path.stem])
        seen = np.isfinite(points).all((1, 2)).reshape(-1, 2).all(1).repeat(2)
        if not seen.any():
            skipped.append(f"{clip.path.name}: no pair of frames with a face")
            continue
        found["clips"].append((pictures[seen], points[seen]))
        index["clips"] += [clip.identity] * int(seen.sum())
    for kind, parts in found.items():
        if parts:
            np.save(out / f"{kind}.npy", np.concatenate([pictures for pictures, _ in parts]))
            np.save(out / f"{kind}_points.npy", np.concatenate([points for _, points in parts]))
    (out / "index.json").write_text(json.dumps(index))
    return sum(map(len, index.values())), skipped


@dataclass(frozen=True)
class Crop:
    """How a picture becomes the network's input: affine map (2,3) of fractions, mirrored or not."""

    matrix: NDArray[np.float64]
    mirrored: bool

    def points(self, landmarks: Landmarks) -> Landmarks:
        """Landmarks (68,2) of the picture -> of the crop, in the order of a face that is not mirrored."""
        moved = landmarks @ self.matrix[:, :2].T + self.matrix[:, 2]
        return (moved[MIRROR] if self.mirrored else moved).astype(np.float32)

    def picture(self, source: Picture, side: int = SIDE) -> Picture:
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


def jittered(picture: Picture, rng: np.random.Generator) -> Picture:
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


def faceless(picture: Picture, landmarks: Landmarks, rng: np.random.Generator) -> Picture | None:
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
        self._sets: list[tuple[Pictures, Landmarks, list[list[int]]]] = []
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
        pictures: list[Picture] = []
        points: list[Landmarks] = []
        following: list[tuple[Picture, Landmarks]] = []
        for kind, count in ((0, images), (1, pairs)):
            source, marks, _ = self._sets[kind]
            for _ in range(count):
                row = self._row(kind, rng)
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
        source, marks, _ = self._sets[1]
        while nothing:
            row = self._row(1, rng)
            empty = faceless(source[row], marks[row], rng)
            if empty is not None:
                nothing -= 1
                pictures.append(jittered(empty, rng))
                points.append(np.full((POINTS, 2), np.nan, np.float32))
        return np.stack(pictures), np.stack(points)

    def _row(self, kind: int, rng: np.random.Generator) -> int:
        people = self._sets[kind][2]
        rows = people[rng.integers(len(people))]
        return rows[rng.integers(len(rows))]
