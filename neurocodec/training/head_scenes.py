"""Scenes to learn to find faces in: heads of clips of any size on all kinds of grounds.

A cache of pictures of heads with the boxes of their faces is made of clips once.  Scenes are made while
learning: heads as they are, as windows or cut out, on photographs, on parts of the clips that show no face,
and on drawn grounds; with captions, things before them, and worse pictures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from neurocodec.datasets.clips import PICTURES, Clip, frames_of, read_image
from neurocodec.datasets.labelled_faces import read_landmarks
from neurocodec.errors import InputError
from neurocodec.faces.detector import Finder
from neurocodec.faces.look import box_of
from neurocodec.faces.tracker import FaceTracker
from neurocodec.models.head_engine import overlaps
from neurocodec.models.landmark_engine import open_landmark_engine
from neurocodec.training.landmark_samples import jittered
from neurocodec.types import Picture, Pictures

Boxes = NDArray[np.float32]
"""Left, top, width, height, (n,4)."""
SMALLEST = 9.0
"""Pixels; smaller faces are neither wanted nor wrong."""
_SHOWN = 0.7
"""Share of a face that must be in the picture for it to be wanted."""
_MOST_FACES = 4
_HEADS = (0.12, 0.5, 0.2, 0.1, 0.08)
"""Chances of so many heads in a scene."""
_TILED, _EMPTY, _WHOLE = 0.5, 0.4, 0.3
"""Share of scenes of tiles, of tiles without a head, and of tiles that are not cut once more."""
_FACELESS = 0.2
"""Share of heads whose faces are painted over, so that a head's outline and a window's edge are no face."""
_LEAST_TILE = 40
_GROUND_SIDE = 640
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789 .,!?"


@dataclass(frozen=True)
class Scene:
    """A picture (S,S,3), the faces in it, and places where a face would be neither right nor wrong."""

    picture: Picture
    faces: Boxes
    ignored: Boxes


def write_cache(
    clips: Sequence[Clip], out: Path, side: int, count: int, landmarks: Path | None, finder: Finder | None
) -> None:
    """Keep up to ``count`` pictures of each clip, (n,side,side,3), with up to four faces each.

    Faces come from ``landmarks`` or, where there are none, from the landmark network that comes along;
    ``finder`` adds others that are in the picture too.  Pictures without a face are left out.

    Raises:
        InputError: a clip or the landmarks cannot be read, or no face is in any.
    """
    known = read_landmarks(landmarks)
    engine = None if landmarks else open_landmark_engine(device="cpu")
    pictures, faces, people = [], [], []
    for clip in tqdm(clips, desc="clips"):
        frames = list(frames_of(clip.path, side))
        marks = known.get(clip.path.stem)
        tracker = FaceTracker(engine) if engine else None
        for k in np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int)) if frames else ():
            found = []
            if tracker is not None:
                face = tracker.update(frames[k])
                found = [box_of(face.points)] if face else []
            elif marks is not None and k < len(marks) and np.isfinite(marks[k]).all():
                found = [box_of(marks[k] * side)]
            for other in finder(frames[k]) if finder and found else ():
                box = np.array(other[:4], np.float32)
                if overlaps(box, np.stack(found))[0].max() < 0.3:
                    found.append(box)
            if found:
                pictures.append(frames[k])
                padded = np.full((_MOST_FACES, 4), np.nan, np.float32)
                padded[: len(found)] = found[:_MOST_FACES]
                faces.append(padded)
                people.append(clip.identity)
    if not pictures:
        raise InputError("no clip shows a face")
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "heads.npy", np.stack(pictures))
    np.save(out / "faces.npy", np.stack(faces))
    (out / "people.json").write_text(json.dumps(people))


def photographs(folder: Path | None) -> list[Picture]:
    """The pictures in a folder and below it, made smaller; they must show no faces.

    Raises:
        InputError: one of them cannot be read.
    """
    out = []
    for file in sorted(folder.rglob("*")) if folder else ():
        if file.suffix.lower() in PICTURES:
            picture = read_image(file)
            scale = min(1.0, _GROUND_SIDE / max(picture.shape[:2]))
            out.append(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return out


class Heads:
    """Scenes of the people of a cache, less ``apart`` of them; ``held_out``: of those only."""

    def __init__(
        self, cache: Path, grounds: Sequence[Picture], apart: int, *, held_out: bool = False
    ) -> None:
        try:
            people = json.loads((cache / "people.json").read_text())
            self._pictures: Pictures = np.load(cache / "heads.npy", mmap_mode="r")
            self._faces = np.load(cache / "faces.npy")
        except (OSError, ValueError) as error:
            raise InputError(f"{cache} is no cache of heads: {error}") from None
        names = sorted(set(people))
        others = set(names[:: max(1, len(names) // apart)][:apart]) if apart else set()
        kept = others if held_out else set(names) - others
        self._rows = [[r for r, p in enumerate(people) if p == name] for name in names if name in kept]
        if not self._rows:
            raise InputError(f"{cache} has heads of too few people")
        self._grounds = list(grounds)

    def scene(self, side: int, rng: np.random.Generator) -> Scene:
        """A scene of ``side`` pixels: heads on a ground, or as often tiles that are filled with heads."""
        if rng.random() < _TILED:
            canvas, faces, cut = self._tiles(side, rng)
            if rng.random() < 0.2:
                _caption(canvas, faces, rng)
            return _sorted(jittered(canvas, rng), faces, side, cut)
        canvas = self._ground(side, rng)
        count = int(rng.choice(len(_HEADS), p=_HEADS))
        faces = []
        largest = 0.9 if count < 2 else 0.8 / count
        for k in range(count):
            wanted = float(np.exp(rng.uniform(np.log(10), np.log(largest * side))))
            canvas, faces = self._with_head(canvas, faces, wanted, k == 0, rng)
        if rng.random() < 0.2:
            _caption(canvas, faces, rng)
        return _sorted(jittered(canvas, rng), faces, side)

    def _tiles(
        self, side: int, rng: np.random.Generator
    ) -> tuple[Picture, list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """A canvas of tiles, parts of heads' pictures or grounds; its faces, and those cut by tiles."""
        canvas = np.zeros((side, side, 3), np.uint8)
        faces: list[NDArray[np.float32]] = []
        cut: list[NDArray[np.float32]] = []
        for left, top, width, height in _split(0, 0, side, side, rng):
            here = canvas[top : top + height, left : left + width]
            if rng.random() < _EMPTY:
                here[:] = cv2.resize(self._ground(max(width, height), rng), (width, height))
                continue
            head, own = self._head(rng)
            size = np.array([width, height]) * head.shape[0] / max(width, height) / rng.uniform(1.0, 1.9)
            free = own[0, :2] + own[0, 2:] * rng.uniform(0.2, 0.8, 2) - size * rng.uniform(0.25, 0.75, 2)
            x, y = np.clip(free, 0, head.shape[0] - size).astype(int)
            w, h = np.maximum(size.astype(int), 1)
            method = cv2.INTER_AREA if w > width else cv2.INTER_LINEAR
            part = head[y : y + h, x : x + w] * rng.uniform(0.85, 1.15, 3)
            part = np.clip(part, 0, 255).astype(np.uint8)
            here[:] = cv2.resize(part, (width, height), interpolation=method)
            scale = np.tile([width / w, height / h], 2)
            moved = (own - (x, y, 0, 0)) * scale + (left, top, 0, 0)
            tile = np.array([left, top, width, height], np.float32)
            for box in moved.astype(np.float32):
                inside = _inside(box, tile)
                share = float(inside[2:].prod() / box[2:].prod())
                if share > 0.1:
                    (faces if share > _SHOWN else cut).append(inside)
        return canvas, faces, cut

    def _head(self, rng: np.random.Generator) -> tuple[Picture, Boxes]:
        """A picture of a head, perhaps mirrored, and the faces in it, the main one first."""
        rows = self._rows[rng.integers(len(self._rows))]
        row = rows[rng.integers(len(rows))]
        picture, faces = np.asarray(self._pictures[row]), self._faces[row]
        faces = faces[np.isfinite(faces[:, 0])].copy()
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            faces[:, 0] = picture.shape[1] - faces[:, 0] - faces[:, 2]
        return picture, faces

    def _with_head(
        self, canvas: Picture, faces: list[NDArray[np.float32]], wanted: float, first: bool,
        rng: np.random.Generator,
    ) -> tuple[Picture, list[NDArray[np.float32]]]:  # fmt: skip
        """A canvas with one more head, whose face has sides of about ``wanted``, if there is room for it."""
        side = canvas.shape[0]
        head, own = self._head(rng)
        scale = wanted / float(np.sqrt(own[0, 2] * own[0, 3]))
        if scale < 0.7:  # smaller first, so that nothing is left out
            small = max(8, round(head.shape[0] * scale))
            own *= small / head.shape[0]
            scale *= head.shape[0] / small
            head = cv2.resize(head, (small, small), interpolation=cv2.INTER_AREA)
        head = np.clip(head * rng.uniform(0.8, 1.2, 3), 0, 255).astype(np.uint8)
        faceless = rng.random() < _FACELESS
        if faceless:
            head = _painted_over(head, own, rng)
        middle = own[0, :2] + own[0, 2:] / 2
        room = 0.5 * wanted if rng.random() < 0.85 else 0.05 * wanted
        at = rng.uniform(min(room, side / 2), max(side - room, side / 2), 2)
        stretch = scale * np.exp(rng.uniform(-0.1, 0.1, 2) * 0.7)
        angle = float(np.clip(rng.normal(0, 9), -25, 25)) * np.pi / 180
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * stretch
        matrix = np.concatenate([turn, (at - turn @ middle)[:, None]], 1)
        shape = (
            "all"
            if first and wanted > 0.2 * side and rng.random() < 0.5
            else str(rng.choice(["window", "soft", "cut out"]))
        )
        mask: NDArray[np.float32] | None = None
        if shape != "all":
            mask = cv2.warpAffine(_mask(shape, head.shape[0], own[0], rng), matrix, (side, side))
        if mask is not None and any(_covered(mask, f) > 0.1 for f in faces):
            return canvas, faces
        border = cv2.BORDER_REPLICATE if mask is None or rng.random() < 0.5 else cv2.BORDER_REFLECT_101
        pasted = cv2.warpAffine(head, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
        if mask is None:
            canvas = pasted
        else:
            canvas = (canvas + (pasted.astype(np.float32) - canvas) * mask[..., None]).astype(np.uint8)
        placed = []
        for k, (x, y, w, h) in enumerate(own if not faceless else ()):
            centre = turn @ (x + w / 2, y + h / 2) + matrix[:, 2]
            size = np.array([w, h]) * stretch
            box = np.concatenate([centre - size / 2, size]).astype(np.float32)
            if k == 0 or mask is None or _covered(mask, box) > 0.5:
                placed.append(box)
        return canvas, [*faces, *placed]

    def _ground(self, side: int, rng: np.random.Generator) -> Picture:
        """Something without a face (side,side,3)."""
        choice = rng.random()
        if choice < 0.3 and self._grounds:
            return _piece(self._grounds[rng.integers(len(self._grounds))], side, rng)
        if choice < 0.55:
            return self._without_face(side, rng)
        if choice < 0.8:
            head, faces = self._head(rng)
            return _piece(_painted_over(head, faces, rng), side, rng)
        return _drawn(side, rng)

    def _without_face(self, side: int, rng: np.random.Generator) -> Picture:
        """A part of a clip's picture that shows no face: shoulders, hands, walls."""
        for _ in range(6):
            head, faces = self._head(rng)
            size = int(rng.uniform(0.16, 0.6) * head.shape[0])
            x, y = rng.integers(0, head.shape[0] - size + 1, 2)
            part = np.array([x, y, size, size], np.float32)
            corner = np.maximum(part[:2], faces[:, :2])
            end = np.minimum(part[:2] + part[2:], faces[:, :2] + faces[:, 2:])
            if np.clip(end - corner, 0, None).prod(1).max() < 0.12 * faces[:, 2:].prod(1).min():
                return cv2.resize(head[y : y + size, x : x + size], (side, side))
        return _drawn(side, rng)


def _split(
    left: int, top: int, width: int, height: int, rng: np.random.Generator
) -> list[tuple[int, int, int, int]]:
    """A rectangle cut into tiles: left, top, width, height."""
    longer = max(width, height)
    if longer < 2 * _LEAST_TILE or (longer < 3 * min(width, height) and rng.random() < _WHOLE):
        return [(left, top, width, height)]
    at = int(rng.integers(_LEAST_TILE, longer - _LEAST_TILE + 1))
    if width >= height:
        return [
            *_split(left, top, at, height, rng),
            *_split(left + at, top, width - at, height, rng),
        ]
    return [*_split(left, top, width, at, rng), *_split(left, top + at, width, height - at, rng)]


def _inside(box: NDArray[np.float32], frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """The part of a box (4,) that lies in another."""
    corner = np.maximum(box[:2], frame[:2])
    end = np.minimum(box[:2] + box[2:], frame[:2] + frame[2:])
    return np.concatenate([corner, np.clip(end - corner, 0, None)]).astype(np.float32)


def _covered(mask: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """Mean of a mask in a box; 0 outside of the picture."""
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
    right, bottom = np.ceil(box[:2] + box[2:]).astype(int)
    part = mask[top : max(bottom, top), left : max(right, left)]
    return float(part.mean()) if part.size else 0.0


def _mask(shape: str, side: int, face: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """What of a head's picture is pasted, (side,side) in [0,1]."""
    mask = np.zeros((side, side), np.float32)
    if shape == "window":
        left, top = rng.uniform(0, 0.12, 2) * side
        mask[int(top) :, int(left) : side - int(left)] = 1
    elif shape == "soft":
        edge = max(1, int(rng.uniform(0.05, 0.22) * side))
        mask[edge:, edge : side - edge] = 1
        mask = cv2.blur(mask, (2 * edge + 1, 2 * edge + 1), borderType=cv2.BORDER_REPLICATE)
    elif shape == "cut out":
        x, y = face[:2] + face[2:] / 2
        w, h = face[2:] * rng.uniform(0.75, 1.0)
        cv2.ellipse(mask, (int(x), int(y - 0.05 * h)), (int(w), int(h)), 0, 0, 360, 1, -1)
        shoulders = np.array([[x - 0.5 * w, y], [x + 0.5 * w, y], [x + 1.7 * w, side], [x - 1.7 * w, side]])
        cv2.fillPoly(mask, [shoulders.astype(np.int32)], 1.0)
        soft = 2 * int(rng.uniform(0, 0.03) * side) + 1
        mask = cv2.blur(mask, (soft, soft))
    return mask


def _piece(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """A square of a picture, of half to all of its shorter side, as (side,side,3)."""
    size = int(min(picture.shape[:2]) * rng.uniform(0.5, 1.0))
    top, left = (int(rng.integers(0, n - size + 1)) for n in picture.shape[:2])
    method = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    out = cv2.resize(picture[top : top + size, left : left + size], (side, side), interpolation=method)
    return np.ascontiguousarray(out[:, ::-1]) if rng.random() < 0.5 else out


def _painted_over(head: Picture, faces: Boxes, rng: np.random.Generator) -> Picture:
    """A picture of a head without its faces: other parts of it, or its mean colour, in their places."""
    out = head.copy()
    side = head.shape[0]
    for x, y, w, h in faces:
        mask = np.zeros((side, side), np.float32)
        at = int(x + w / 2), int(y + h / 2)
        cv2.ellipse(mask, at, (int(0.62 * w), int(0.62 * h)), 0, 0, 360, 1, -1)
        soft = 2 * int(rng.uniform(2, 10)) + 1
        mask = cv2.blur(mask, (soft, soft))[..., None]
        if rng.random() < 0.5:
            other = np.roll(head, (int(h * rng.uniform(0.8, 1.3)), int(w * rng.uniform(-0.6, 0.6))), (0, 1))
            other = cv2.GaussianBlur(other, (0, 0), rng.uniform(0.5, 6))
        else:
            skin = head[int(max(y, 0)) : int(y + h), int(max(x, 0)) : int(x + w)]
            other = np.broadcast_to(skin.mean((0, 1)), head.shape)
        out = (out + (other - out.astype(np.float32)) * mask).astype(np.uint8)
    return out


def _drawn(side: int, rng: np.random.Generator) -> Picture:
    """A ground that is drawn: a smooth pattern, stripes, boxes, discs and words."""
    cells = rng.integers(0, 256, (*rng.integers(1, 9, 2), 3), np.uint8)
    method = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
    out = cv2.resize(cells, (side, side), interpolation=method)
    if rng.random() < 0.5:
        out = np.clip(out * rng.uniform(0.2, 0.6) + rng.uniform(0, 150), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        period, angle = rng.uniform(3, 40), rng.uniform(0, np.pi)
        down, across = np.mgrid[:side, :side]
        wave = np.sin((across * np.cos(angle) + down * np.sin(angle)) * 2 * np.pi / period)
        out = np.clip(out + rng.uniform(10, 60) * wave[..., None], 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 8))):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        x, y, w, h = (int(v) for v in (*rng.integers(0, side, 2), *rng.integers(4, side // 2, 2)))
        kind = rng.random()
        if kind < 0.45:
            cv2.rectangle(out, (x, y), (x + w, y + h), colour, -1 if rng.random() < 0.6 else 2)
        elif kind < 0.75:
            axes = (w // 2, h // 2)
            cv2.ellipse(out, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            _words(out, (x - w, y), colour, rng)
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(4, 40), (side // 2 + 1, side // 2 + 1, 3)).astype(np.float32)
        noise = cv2.resize(noise, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)[:side, :side]
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(out)


def _words(canvas: Picture, at: tuple[int, int], colour: tuple[int, ...], rng: np.random.Generator) -> None:
    text = "".join(_LETTERS[k] for k in rng.integers(0, len(_LETTERS), int(rng.integers(2, 18))))
    scale = float(rng.uniform(0.3, 1.5))
    cv2.putText(
        canvas, text, at, int(rng.integers(0, 5)), scale, colour, int(rng.integers(1, 4)), cv2.LINE_AA
    )


def _caption(canvas: Picture, faces: Sequence[NDArray[np.float32]], rng: np.random.Generator) -> None:
    """Words where no face is, on a bar or not."""
    side = canvas.shape[0]
    y = int(rng.integers(side // 8, side))
    if any(f[1] - 24 < y < f[1] + f[3] + 8 for f in faces):
        return
    if rng.random() < 0.4:
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.rectangle(canvas, (0, y - 20), (side, y + 8), colour, -1)
    _words(canvas, (int(rng.integers(-20, side // 2)), y), (255, 255, 255), rng)


def _sorted(
    picture: Picture, faces: Sequence[NDArray[np.float32]], side: int,
    cut: Sequence[NDArray[np.float32]] = (),
) -> Scene:  # fmt: skip
    """A scene: faces as far as they are in the picture; those that hardly are, or are tiny, are ignored."""
    wanted: list[NDArray[np.float32]] = []
    ignored = list(cut)
    frame = np.array([0, 0, side, side], np.float32)
    for box in faces:
        seen = _inside(box, frame)
        share = seen[2:].prod() / box[2:].prod()
        if share >= 0.1:
            keep = share > _SHOWN and np.sqrt(seen[2:].prod()) >= SMALLEST
            (wanted if keep else ignored).append(seen)
    empty = np.zeros((0, 4), np.float32)
    return Scene(picture, np.stack(wanted) if wanted else empty, np.stack(ignored) if ignored else empty)
