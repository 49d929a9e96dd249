"""How far whole frames are from their originals: the picture and the faces in it, half and half.

A viewer looks at faces first, which are a small part of many pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurocodec.compositing.heads import cut_square
from neurocodec.format.block import Region
from neurocodec.media.square import resize
from neurocodec.models.distance import DistanceEngine
from neurocodec.types import Picture

TILE = 256
FACE_WEIGHT = 0.5
_LARGEST = 1280
"""Longer side of the pictures that are compared; larger ones are reduced."""


class WholeDistance:
    """The perceptual distance of whole frames, tile by tile."""

    def __init__(self, engine: DistanceEngine) -> None:
        self._engine = engine

    def __call__(self, picture: Picture, original: Picture, squares: Sequence[Region] = ()) -> float:
        """Distance of two pictures (H,W,3), in whose ``squares`` there are heads."""
        a, b = (_tiles(_reduced(p)) for p in (picture, original))
        whole = float(self._engine(np.stack(a), b).mean())
        if not squares:
            return whole
        heads = [self.head(cut_square(picture, s), cut_square(original, s)) for s in squares]
        return (1 - FACE_WEIGHT) * whole + FACE_WEIGHT * float(np.mean(heads))

    def head(self, head: Picture, original: Picture) -> float:
        """Distance of two squares around a head, (side,side,3)."""
        a, b = (resize(p, TILE, TILE) for p in (head, original))
        return float(self._engine(a[None], [b])[0])


def _reduced(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = _LARGEST / max(height, width)
    if scale < 1:
        return resize(picture, round(width * scale), round(height * scale))
    if min(height, width) < TILE:
        scale = TILE / min(height, width)
        return resize(picture, max(TILE, round(width * scale)), max(TILE, round(height * scale)))
    return picture


def _tiles(picture: Picture) -> list[Picture]:
    """Tiles of 256x256 that cover a picture; the last ones overlap those before."""
    places = []
    for side in picture.shape[:2]:
        count = -(-side // TILE)
        places.append([round(k * (side - TILE) / max(1, count - 1)) for k in range(count)])
    return [np.ascontiguousarray(picture[y : y + TILE, x : x + TILE]) for y in places[0] for x in places[1]]
