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

    ``tiles`` are some of its tiles (None: all), and one of each head's, other ones for every ``turn``.
    """

    def __init__(
        self, picture: Picture, squares: Sequence[Region] = (), tiles: int | None = None, turn: int = 0
    ) -> None:
        self.squares = squares
        whole = _reduced(picture, _LARGEST)
        self._turn, few = turn, tiles is not None
        self.places = self._some(_places(whole), tiles)
        self.tiles = [_tile(whole, p) for p in self.places]
        heads = [_head(picture, s) for s in squares]
        self.head_places = [self._some(_places(head), 1 if few else None) for head in heads]
        self.heads = [[_tile(h, p) for p in some] for h, some in zip(heads, self.head_places, strict=True)]

    def _some(self, places: list[tuple[int, int]], count: int | None) -> list[tuple[int, int]]:
        if count is None or count >= len(places):
            return places
        order = np.random.default_rng(self._turn).permutation(len(places))
        return [places[k] for k in sorted(order[:count])]


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
        heads = []
        for square, some, tiles in zip(original.squares, original.head_places, original.heads, strict=True):
            head = _head(picture, square)
            heads.append(self._mean([_tile(head, p) for p in some], tiles))
        return (1 - HEAD_WEIGHT) * distance + HEAD_WEIGHT * float(np.mean(heads))

    def head(self, picture: Picture, original: Picture, square: Region) -> float:
        """Distance of two pictures (H,W,3) in a head's square alone."""
        a, b = _head(picture, square), _head(original, square)
        places = _places(a)
        return self._mean([_tile(a, p) for p in places], [_tile(b, p) for p in places])

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


def _head(picture: Picture, square: Region) -> Picture:
    return _reduced(cut_square(picture, square), _LARGEST_HEAD)
