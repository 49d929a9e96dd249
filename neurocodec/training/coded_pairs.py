"""Pictures as codecs leave them, and their originals: what the perceptual distance learns from.

Short pieces of clips go through other codecs at random rates and sizes, and others are rendered by a motion
model.  What no codec does by itself but happens to pictures (two pictures in one, a part of another frame,
shifts, noise) is done to them while learning (:func:`spoilt`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from neurocodec.datasets.clips import Clip, readable
from neurocodec.errors import InputError, NeurocodecError, OutputError
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.peers.pyav import PyAvCodec
from neurocodec.peers.registry import CODECS
from neurocodec.peers.scaled import ScaledCodec
from neurocodec.training.frame_pairs import FramePairs
from neurocodec.training.renderings import render
from neurocodec.types import Pictures

TAUGHT = ("av1", "hevc", "h264")
"""Codecs whose pictures are learned from; others stay unknown, to be tested with."""
_QUICK = {"libsvtav1": "8", "libx265": "medium", "libx264": "medium"}
_PIECE, _KEPT = 12, 3
"""Frames that are coded together, and how many of them are kept."""
_SCALES = (1, 1, 2, 2, 3, 4)
_LONGEST = 240
"""Only so many of a clip's first frames are looked at."""
_FINER = 12
"""Steps of the quantizer below a codec's ladder that are used as well."""


class Pairs(NamedTuple):
    """Pictures and their originals (n,S,S,3) uint8, and what made each (n)."""

    pictures: Pictures
    originals: Pictures
    kinds: list[str]


def quick(name: str) -> ScaledCodec:
    """A codec of the comparison at a preset that is fast: its errors are of the same kind."""
    codec = CODECS[name]()
    assert isinstance(codec, ScaledCodec)
    if isinstance(codec, PyAvCodec) and codec.encoder in _QUICK:
        options, preset = codec.options, _QUICK[codec.encoder]
        codec.options = lambda crf: {**options(crf), "preset": preset}  # type: ignore[method-assign]
    return codec


def coded(clips: Sequence[Clip], names: Sequence[str], size: int, seed: int) -> Pairs:
    """Of every clip a few frames as each of the codecs leaves them, at a random rate and size.

    Raises:
        InputError: a clip cannot be read, or none is long enough.
    """
    rng = np.random.default_rng(seed)
    codecs = {name: quick(name) for name in dict.fromkeys(names)}
    found: list[tuple[Any, Any, str]] = []
    for clip in tqdm(clips, desc="coding", unit=" clips", disable=None, leave=False):
        frames = readable(clip.path, size, "full", _LONGEST)
        if len(frames) < _PIECE:
            continue
        for name in names:
            codec = codecs[name]
            start = int(rng.integers(len(frames) - _PIECE + 1))
            piece = np.stack(frames[start : start + _PIECE])
            scale = int(rng.choice(_SCALES))
            level = int(rng.integers(min(codec.levels) - _FINER, max(codec.levels) + 1))
            point = {codec.varied: level, "scale": scale}
            try:
                packets = codec.encode(piece, Fraction(25), point)
                decoded = codec.decode(packets, piece.shape, Fraction(25), point)
            except NeurocodecError:
                continue
            for k in rng.choice(_PIECE, _KEPT, replace=False):
                found.append((decoded[k], piece[k], name))
    if not found:
        raise InputError("no clip has enough frames to be coded")
    pictures, originals, kinds = zip(*found, strict=True)
    return Pairs(np.stack(pictures), np.stack(originals), list(kinds))


def rendered(pairs: FramePairs, count: int, engine: MotionEngine, seed: int) -> Pairs:
    """Renderings of a model from near and far references, coded where the cache has such."""
    made = render(pairs, count, engine, seed, 0.05, 0.3)
    return Pairs(made.pictures, made.originals, [engine.description.path.stem] * count)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """All of them in one."""
    return Pairs(
        np.concatenate([p.pictures for p in parts]),
        np.concatenate([p.originals for p in parts]),
        [kind for p in parts for kind in p.kinds],
    )


def save(pairs: Pairs, folder: Path) -> None:
    """Write pairs to a folder.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "pictures.npy", pairs.pictures)
        np.save(folder / "originals.npy", pairs.originals)
        (folder / "kinds.json").write_text(json.dumps(pairs.kinds))
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from None


def load(folder: Path) -> Pairs:
    """Pairs of a folder, mapped into memory.

    Raises:
        InputError: there are none.
    """
    try:
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pictures", "originals")]
        return Pairs(arrays[0], arrays[1], json.loads((folder / "kinds.json").read_text()))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no pairs of pictures: {error}") from None


def spoilt(
    original: NDArray[np.uint8], other: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A picture (S,S,3) with something done to it: ``other`` is another frame of the same clip.

    Ghosts of both, a part of the other (a hand that is missing), a shift, a warp, blur, noise, fewer pixels.
    """
    size = original.shape[0]
    what = int(rng.integers(7))
    if what == 0:
        share = rng.uniform(0.15, 0.85)
        return cv2.addWeighted(original, 1 - share, other, share, 0)
    if what == 1:
        mask = np.zeros((size, size), np.float32)
        middle = tuple(int(v) for v in rng.integers(size // 6, 5 * size // 6, 2))
        axes = tuple(int(v) for v in rng.integers(size // 16, size // 3, 2))
        cv2.ellipse(mask, middle, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1, 8)))[..., None]
        return np.round(original + mask * (other.astype(np.float32) - original)).astype(np.uint8)
    if what == 2:
        move = np.array([[1, 0, rng.normal(0, 2.5)], [0, 1, rng.normal(0, 2.5)]], np.float32)
        return cv2.warpAffine(original, move, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    if what == 3:
        coarse = rng.normal(0, rng.uniform(0.5, 4), (2, 5, 5)).astype(np.float32)
        x, y = (cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in coarse)
        gy, gx = np.mgrid[:size, :size].astype(np.float32)
        return cv2.remap(original, gx + x, gy + y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if what == 4:
        return cv2.GaussianBlur(original, (0, 0), float(rng.uniform(0.4, 3.5)))
    if what == 5:
        noise = rng.normal(0, rng.uniform(1, 14), original.shape if rng.random() < 0.5 else (size, size, 1))
        return np.clip(np.round(original + noise), 0, 255).astype(np.uint8)
    small = int(size / rng.uniform(1.2, 5))
    down = cv2.resize(original, (small, small), interpolation=cv2.INTER_AREA)
    way = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[int(rng.integers(3))]
    return cv2.resize(down, (size, size), interpolation=way)
