"""Faces with 68 facial landmarks: published image sets, and clips with a file of landmarks beside them.

The published layout is a folder of images and a CSV: a header, then in each row an image's name and 136
numbers x0,y0,...,x67,y67 in pixels.  The name begins with the person (``Some_Name_12.jpg``), which is what
the sets are split by.  The landmarks of clips are an npz: for every clip (its name without ending) an array
(frames,68,2) of uint16, shares of the frame as ``(u - 16384) / 16384``, 65535 where no face was found.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.datasets.clips import pictures_of, read_image
from neurocodec.errors import InputError
from neurocodec.types import Picture, Pictures

POINTS = 68
NO_FACE = 65535
Landmarks = NDArray[np.float32]
"""Facial landmarks of one face or several, (...,68,2)."""
_UNIT = 16384
_NUMBER = re.compile(r"_?\d+$")


@dataclass(frozen=True)
class LabelledImage:
    """One line of a table: an image's name and its landmarks (68,2) in pixels."""

    name: str
    points: Landmarks

    @property
    def person(self) -> str:
        """Who is shown: the name without its ending and number."""
        return _NUMBER.sub("", Path(self.name).stem)


def is_validation(person: str, percent: int = 15) -> bool:
    """Whether a person belongs to the validation part: by a hash of the name, the same on every machine."""
    return int.from_bytes(hashlib.sha256(person.encode()).digest()[:4], "big") % 100 < percent


def read_table(path: Path) -> tuple[list[LabelledImage], list[str]]:
    """The usable rows of a table in the published layout, and why others are left out.

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
    if header is None or len(header) != 1 + 2 * POINTS:
        have = "nothing" if header is None else f"{max(len(header) - 1, 0)} coordinate columns"
        raise InputError(f"{path} has {have}; a name and {2 * POINTS} coordinates are needed")
    images: dict[str, LabelledImage] = {}
    skipped = []
    for cells in filter(None, lines):
        try:
            if cells[0] in images:
                raise ValueError(f"{cells[0]} was there before")
            images[cells[0]] = _labelled_image(cells)
        except ValueError as reason:
            skipped.append(f"{path.name}, line {lines.line_num}: {reason}")
    return list(images.values()), skipped


def _labelled_image(cells: list[str]) -> LabelledImage:
    """A row of a table; ValueError says what is wrong with it."""
    name, *coordinates = cells
    if len(coordinates) != 2 * POINTS:
        raise ValueError(f"{len(coordinates)} coordinates instead of {2 * POINTS}")
    try:
        values = np.array([float(cell) for cell in coordinates], np.float32)
    except ValueError:
        raise ValueError("not all coordinates are numbers") from None
    if not np.isfinite(values).all():
        raise ValueError("a coordinate is not finite")
    if not name or Path(name).name != name:
        raise ValueError(f"{name!r} is no image name")
    return LabelledImage(name, values.reshape(POINTS, 2))


def face_square(landmarks: Landmarks) -> tuple[NDArray[np.float64], float]:
    """Centre (2,) and side of the square around landmarks (68,2), in their units."""
    low, high = landmarks.min(0).astype(np.float64), landmarks.max(0).astype(np.float64)
    return (low + high) / 2, float((high - low).max())


def squared(picture: Picture, points: Landmarks, side: int) -> tuple[Picture, Landmarks]:
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


def read_images(table: Path, folder: Path, side: int) -> tuple[Pictures, Landmarks, list[str], list[str]]:
    """The images of a table: (n,side,side,3), landmarks (n,68,2) as fractions, people (n), what is left out.

    Left out, beside rows that cannot be used: images that are missing or do not open, and landmarks that lie
    mostly outside.

    Raises:
        InputError: as :func:`read_table`, or nothing is left.
    """
    pictures, points, people = [], [], []
    images, skipped = read_table(table)
    for image in images:
        try:
            picture = read_image(folder / image.name)
        except InputError:
            skipped.append(f"{image.name}: the image is missing or does not open")
            continue
        square, fractions = squared(picture, image.points, side)
        if ((fractions < 0) | (fractions > 1)).any(1).mean() > 0.5:
            skipped.append(f"{image.name}: most landmarks lie outside the image")
            continue
        pictures.append(square)
        points.append(fractions)
        people.append(image.person)
    if not people:
        raise InputError(f"{table} has no usable row for the images in {folder}")
    return np.stack(pictures), np.stack(points), people, skipped


def read_landmarks(file: Path | None) -> dict[str, Landmarks]:
    """Landmarks (frames,68,2) of clips by their names, fractions of the frame, NaN where no face was found.

    Raises:
        InputError: the file does not hold that.
    """
    if file is None:
        return {}
    try:
        with np.load(file) as content:
            stored = {name: content[name] for name in content.files}
        if any(m.ndim != 3 or m.shape[1:] != (POINTS, 2) or m.dtype != np.uint16 for m in stored.values()):
            raise ValueError(f"not (frames,{POINTS},2) of uint16")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{file} does not hold landmarks: {error}") from None
    return {name: _fractions(marks) for name, marks in stored.items()}


def _fractions(stored: NDArray[np.uint16]) -> Landmarks:
    out: Landmarks = ((stored.astype(np.float32) - _UNIT) / _UNIT).astype(np.float32)
    out[(stored == NO_FACE).any((1, 2))] = np.nan
    return out


def labelled_clips(
    folder: Path, landmarks: Path, every: int
) -> Iterator[Iterator[tuple[Picture, Landmarks]]]:
    """Of each clip (MP4) of a folder that a file of landmarks knows, every so many-th frame with a face.

    Pictures (H,W,3), and landmarks (68,2) in their pixels.

    Raises:
        InputError: the landmarks or a clip cannot be read.
    """
    known = read_landmarks(landmarks)
    for path in sorted(folder.glob("*.mp4")):
        if path.stem in known:
            yield (
                (picture, (marks * picture.shape[1::-1]).astype(np.float32))
                for t, (picture, marks) in enumerate(zip(pictures_of(path), known[path.stem], strict=False))
                if t % every == 0 and np.isfinite(marks).all()
            )
