"""Heads between two pictures of a layer, rendered from what these show in a square."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocodec.compositing.detail import Detail, detail_of, sharpened
from neurocodec.compositing.features import features_weight
from neurocodec.compositing.seam import blend
from neurocodec.format.block import Region
from neurocodec.media.square import resize
from neurocodec.models.device import BATCH
from neurocodec.models.motion_engine import MotionEngine, Reference
from neurocodec.types import Picture

_READY = 12
"""References kept: both pictures' of a few heads."""


def cut_square(picture: Picture, square: Region) -> Picture:
    """What a picture (H,W,3) shows in a square, (side,side,3); outside, its edge is repeated."""
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(square.y, square.y + square.side), 0, height - 1)
    columns = np.clip(np.arange(square.x, square.x + square.side), 0, width - 1)
    inside = rows[0] == square.y and rows[-1] == square.y + square.side - 1
    if inside and columns[0] == square.x and columns[-1] == square.x + square.side - 1:
        return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return picture[rows[:, None], columns[None]]


class LayerReference:
    """A square of a layer's picture, ready to render from, with its detail if it is larger than S."""

    def __init__(self, engine: MotionEngine, picture: Picture, square: Region) -> None:
        own = cut_square(picture, square)
        self.ready: Reference = engine.reference(resize(own, engine.size, engine.size))
        large = square.side > engine.size
        self.detail: Detail | None = detail_of(own, engine.size) if large else None


class LayerReferences:
    """The references in use, by number of the layer's picture and square; older ones are forgotten."""

    def __init__(self, engine: MotionEngine) -> None:
        self._engine = engine
        self._ready: OrderedDict[tuple[int, Region], LayerReference] = OrderedDict()

    def get(self, number: int, picture: Picture, square: Region) -> LayerReference:
        """That of picture ``number``, which is ``picture``."""
        key = number, square
        if key not in self._ready:
            self._ready[key] = LayerReference(self._engine, picture, square)
            if len(self._ready) > _READY:
                self._ready.popitem(last=False)
        self._ready.move_to_end(key)
        return self._ready[key]


@dataclass(frozen=True)
class Head:
    """A rendered head (side,side,3) in its square, and how much of it is shown where (side,side), or None."""

    picture: Picture
    square: Region
    shown: NDArray[np.float32] | None

    def lay_over(self, picture: Picture) -> None:
        """Blend it into a picture (H,W,3), in place."""
        blend(picture, self.picture, self.square, self.shown)


def render_heads(
    engine: MotionEngine, references: list[LayerReference], keypoints: NDArray[np.float32], square: Region
) -> Iterator[Head]:
    """Heads with keypoints (B,N,2), from one or two references of a square."""
    side, parts = square.side, engine.parts
    pictures = _rendered(engine, references, keypoints, side)
    for points, picture in zip(keypoints, pictures, strict=True):
        yield Head(picture, square, features_weight(points, parts, side) if parts else None)


def _rendered(
    engine: MotionEngine, references: list[LayerReference], keypoints: NDArray[np.float32], side: int
) -> Iterator[Picture]:
    """What heads look like (side,side,3)."""
    ready = [r.ready for r in references]
    details = [r.detail for r in references if r.detail is not None]
    for k in range(0, len(keypoints), BATCH):
        some = keypoints[k : k + BATCH]
        if not details:
            yield from (resize(picture, side, side) for picture in engine.render(ready, some))
            continue
        pictures, warps = engine.render_warped(ready, some)
        for i, picture in enumerate(pictures):
            yield sharpened(picture, details, warps[i]) if warps else resize(picture, side, side)
