"""The clips of a folder and whose they are; frames of a video or of a folder of pictures."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from neurocodec.errors import InputError, NeurocodecError, OutputError
from neurocodec.media.frames import open_video
from neurocodec.media.square import cut, resize
from neurocodec.types import Picture

VIDEOS = frozenset((".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".y4m", ".mxf"))
PICTURES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"))
TABLE = "clips.csv"
_FOLDER_RATE = Fraction(25)
"""Frame rate of a folder of pictures, which has none of its own."""


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of pictures (its frames in natural order of name), and who it shows."""

    path: Path
    identity: str


def find_clips(
    folder: Path, min_face: int = 0, split: str = "train", table: Path | None = None
) -> list[Clip]:
    """The clips of a folder.

    With a table (``clips.csv`` in the folder, or ``table``) those it lists: columns ``clip`` and
    ``identity``, and optionally ``split`` (only rows of ``split`` count) and ``src_face_px`` (at least
    ``min_face``).  Otherwise a sub-folder that holds clips is a person, and a clip in the folder itself is a
    person of its own.

    Raises:
        InputError: no folder, a table that cannot be read, or no clip.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    table = table or folder / TABLE
    clips = _listed(table, folder, min_face, split) if table.is_file() else _found(folder)
    if not clips:
        raise InputError(f"no clips in {folder} (videos, or folders of pictures)")
    return clips


def _listed(table: Path, folder: Path, min_face: int, split: str) -> list[Clip]:
    try:
        with table.open(newline="") as handle:
            return [
                Clip(folder / row["clip"], row["identity"])
                for row in csv.DictReader(handle)
                if row.get("split", split) == split
                and int(row.get("src_face_px") or min_face) >= min_face
                and (folder / row["clip"]).exists()
            ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{table} is no table of clips (columns clip, identity): {error}") from None


def _found(folder: Path) -> list[Clip]:
    clips = []
    for path in sorted(folder.iterdir()):
        if _is_video(path):
            clips.append(Clip(path, path.stem))
        elif path.is_dir():
            inner = [p for p in sorted(path.iterdir()) if _is_video(p) or is_frame_folder(p)]
            clips += [Clip(p, path.name) for p in inner]
            if not inner and is_frame_folder(path):
                clips.append(Clip(path, path.name))
    return clips


def _is_video(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEOS


def is_frame_folder(path: Path) -> bool:
    """Whether this is a folder with pictures in it."""
    return path.is_dir() and any(p.suffix.lower() in PICTURES for p in path.iterdir())


def expanded(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of folders, the clips in them (those a table calls validation).

    Raises:
        InputError: a folder without clips.
    """
    out: list[Path] = []
    for path in paths:
        many = path.is_dir() and not is_frame_folder(path)
        out += [c.path for c in find_clips(path, split="val")] if many else [path]
    return out


def pictures_of(path: Path) -> Iterator[Picture]:
    """Upright pictures (H,W,3) RGB of a video or of a folder of pictures, one after the other.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_dir():
        with open_video(path, threads=1) as (_, found):
            yield from (picture.to_rgb() for picture in found)
        return
    for file in sorted((p for p in path.iterdir() if p.suffix.lower() in PICTURES), key=_natural):
        yield read_image(file)


def read_image(file: Path) -> Picture:
    """An image file as RGB (H,W,3).

    Raises:
        InputError: it is missing, or is no picture.
    """
    found = cv2.imread(str(file), cv2.IMREAD_COLOR) if file.is_file() else None
    if found is None:
        raise InputError(f"{file} is not a picture")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)


def write_image(picture: Picture, file: Path) -> None:
    """A picture (H,W,3) RGB as an image file of the kind its name says.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        written = cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error:
        written = False
    if not written:
        raise OutputError(f"cannot write {file}")


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """frame2 before frame10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", path.name)]


def frames_of(path: Path, size: int, region: str = "full") -> Iterator[Picture]:
    """Frames (size,size,3) RGB of a clip, one after the other.

    ``region`` is ``full`` (the picture squeezed into the square if it is not square: give square clips) or
    ``face`` (the square around the face of the first frame).

    Raises:
        InputError: it cannot be read.
    """
    square = None
    for picture in pictures_of(path):
        if region == "face":
            if square is None:
                from neurocodec.faces.region import FaceRegion

                square = FaceRegion().update(picture)
            yield cut(picture, square, size)
        else:
            yield resize(picture, size, size)


def first_seconds(path: Path, size: int, seconds: float) -> tuple[list[Picture], Fraction]:
    """The first frames (size,size,3) of a clip, and its frame rate (25 of a folder of pictures).

    Raises:
        InputError: there are none.
    """
    fps = _FOLDER_RATE
    if not path.is_dir():
        with open_video(path, threads=1) as (video, _):
            fps = video.fps
    frames = list(islice(frames_of(path, size), max(1, math.ceil(seconds * float(fps)))))
    if not frames:
        raise InputError(f"{path} has no frames")
    return frames, fps


def readable(path: Path, size: int, region: str, most: int) -> list[Picture]:
    """Up to ``most`` frames of a clip; fewer, or none, where it breaks off or cannot be read."""
    out: list[Picture] = []
    with suppress(NeurocodecError):
        for picture in islice(frames_of(path, size, region), most):
            out.append(picture)
    return out
