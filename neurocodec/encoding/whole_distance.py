"""How far whole frames are from their originals: the picture and the heads in it, half and half.

A viewer looks at faces first, which are a small part of many pictures.  Pictures are compared tile by tile at
their own size, by :mod:`neurocodec.models.distance`.
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
HEAD_WEIGHT = 0.5
_LARGEST, _LARGEST_HEAD = 1280, 512
"""Longer sides of the pictures and heads that are compared; larger ones are reduced."""


class Original:
    """A picture (H,W,3) that others are compared with, and the ``squares`` of the heads in it.

    ``tiles`` are some of its tiles (None: all), other ones for every ``turn``.
    """

    def __init__(
        self, picture: Picture, squares: Sequence[Region] = (), tiles: int | None = None, turn: int = 0
    ) -> None:
        self.squares = squares
        whole = _reduced(picture, _LARGEST)
        places = _places(whole)
        if tiles is not None and tiles < len(places):
            order = np.random.default_rng(turn).permutation(len(places))
            places = [places[k] for k in sorted(order[:tiles])]
        self.places = places
        self.tiles = [_tile(whole, p) for p in places]
        self.heads = [_head_tiles(picture, s) for s in squares]


class WholeDistance:
    """The perceptual distance of whole frames."""

    def __init__(self, engine: DistanceEngine) -> None:
        self._engine = engine

    def __call__(self, picture: Picture, original: Original) -> float:
        """Distance of a picture (H,W,3) to its original."""
        whole = _reduced(picture, _LARGEST)
        distance = self._mean([_tile(whole, p) for p in original.places], original.tiles)
        if not original.squares:
            return distance
        heads = [
            self._mean(_head_tiles(picture, s), tiles)
            for s, tiles in zip(original.squares, original.heads, strict=True)
        ]
        return (1 - HEAD_WEIGHT) * distance + HEAD_WEIGHT * float(np.mean(heads))

    def head(self, picture: Picture, original: Picture, square: Region) -> float:
        """Distance of two pictures (H,W,3) in a head's square alone."""
        return self._mean(_head_tiles(picture, square), _head_tiles(original, square))

    def _mean(self, tiles: list[Picture], originals: list[Picture]) -> float:
        return float(self._engine(np.stack(tiles), originals).mean())


def _reduced(picture: Picture, largest: int) -> Picture:
    """A picture whose longer side is no larger, and whose shorter side has room for a tile."""
    height, width = picture.shape[:2]
    scale = min(1.0, largest / max(height, width))
    scale = max(scale, TILE / min(height, width))
    if scale == 1:
        return picture
    return resize(picture, max(TILE, round(width * scale)), max(TILE, round(height * scale)))


def _places(picture: Picture) -> list[tuple[int, int]]:
    """Where the tiles lie that cover a picture; neighbours may overlap."""
    starts = []
    for side in picture.shape[:2]:
        count = -(-side // TILE)
        starts.append([round(k * (side - TILE) / max(1, count - 1)) for k in range(count)])
    return [(y, x) for y in starts[0] for x in starts[1]]


def _tile(picture: Picture, place: tuple[int, int]) -> Picture:
    y, x = place
    return np.ascontiguousarray(picture[y : y + TILE, x : x + TILE])


def _head_tiles(picture: Picture, square: Region) -> list[Picture]:
    head = _reduced(cut_square(picture, square), _LARGEST_HEAD)
    return [_tile(head, p) for p in _places(head)]
