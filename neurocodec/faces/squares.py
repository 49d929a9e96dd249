"""The square around a head in every frame: hair, face and shoulders in it, and still as long as it can be.

Where a head moves little, one square does for all frames.  Otherwise there are as few squares as keep the
face near enough to their middle, and the way from one to the next takes about a second.  Sides change more
rarely than places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocodec.format.block import Region

MARGIN = 2.2
"""Side of the square in heights of the face."""
LOWER = 0.06
"""How far below the middle of the face that of the square lies, in heights of the face."""
WHOLE = 1.25
"""One square of up to so many times the usual side is taken for a whole clip."""
PLAY = 0.11
"""How far the face may be off the middle of a square that stays, in sides of the square."""
GROWTH = 1.4
"""Largest side that is asked for over the smallest, while the side stays."""
_TIGHT = 0.85
"""Least side that is given, in sides of the largest square that is asked for while the side stays."""
_LEAST = 16
_SURE = 0.06
"""Room around the face that is in the square even while it moves, in heights of the face."""
_STEADY = 0.4
"""Seconds over which the height of the face is a median."""
_EASE = 1.0
"""Seconds from one square to the next."""

Values = NDArray[np.float64]
_Fits = Callable[[int, int], bool]


def squares(
    boxes: NDArray[np.float32], width: int, height: int, block_starts: Sequence[int] = (), rate: float = 25.0
) -> list[Region]:
    """The square for each of the faces (n,4) of consecutive frames: left, top, width, height in pixels.

    Squares have even places and sides, and lie in the picture of ``width`` x ``height``.  ``block_starts``
    are numbers of frames, counted from the first box, on which moves fall where they can; ``rate`` is frames
    a second.
    """
    if not len(boxes):
        return []
    x, y, w, h = np.asarray(boxes, np.float64).T
    tall = _median(h, rate)
    largest = float(min(width, height) // 2 * 2)
    asked = np.minimum(MARGIN * tall, largest)
    lengths = np.array([[width], [height]], np.float64)
    middle = np.stack([x + w / 2, y + h / 2 + LOWER * tall])
    middle = np.clip(middle, asked / 2, lengths - asked / 2)
    whole = _one_for_all(middle, asked, largest)
    if whole is not None:
        centres, sides = np.repeat(whole[0][:, None], len(x), 1), np.full(len(x), _even(whole[1]))
    else:
        sides = _even(_eased(asked, _side_of, _parts(len(x), _alike(asked), block_starts), rate))
        centres = np.clip(_path(middle, sides, block_starts, rate), sides / 2, lengths - sides / 2)
        centres = _containing(centres, sides, np.stack([x, y]), np.stack([w, h]), rate)
    sides = np.clip(sides, min(_LEAST, largest), largest)
    return [
        Region(_place(cx, side, width), _place(cy, side, height), int(side))
        for cx, cy, side in zip(*centres, sides, strict=True)
    ]


def _even(sides: Any) -> Any:
    return 2 * np.ceil(sides / 2)


def _place(centre: float, side: float, length: int) -> int:
    """Where a square begins, even, inside the picture."""
    return 2 * round(min(max(centre - side / 2, 0.0), (length - side) // 2 * 2) / 2)


def _median(values: Values, rate: float) -> Values:
    from scipy.ndimage import median_filter

    size = 2 * int(_STEADY * rate / 2) + 1
    return np.asarray(median_filter(values, size=size, mode="nearest"))


def _one_for_all(middle: Values, asked: Values, largest: float) -> tuple[Values, float] | None:
    """Middle (2,) and side of a square that does for all frames, or None.

    It holds each frame's own square but for what is missing there while a face is off the middle.
    """
    reach = asked * (0.5 - PLAY)
    low, high = (middle - reach).min(1), (middle + reach).max(1)
    usual = float(np.median(asked))
    side = max(float((high - low).max()), usual, _TIGHT * float(asked.max()))
    return ((low + high) / 2, side) if side <= min(WHOLE * usual, largest) else None


def _alike(asked: Values) -> _Fits:
    """Whether one side does for a stretch of frames."""
    return lambda a, b: float(asked[a:b].max()) <= GROWTH * float(asked[a:b].min())


def _near(middle: Values, sides: Values) -> _Fits:
    """Whether one place does for a stretch of frames, by one coordinate (n,) of the faces' middles."""
    return lambda a, b: float(np.ptp(middle[a:b])) <= 2 * PLAY * float(sides[a:b].min())


def _side_of(asked: Values) -> float:
    """The side for a stretch of frames."""
    return max(float(np.quantile(asked, 0.8)), _TIGHT * float(asked.max()))


def _place_of(middle: Values) -> float:
    """The place for a stretch: the middle of where the face goes."""
    return float(middle.min() + middle.max()) / 2


def _path(middle: Values, sides: Values, block_starts: Sequence[int], rate: float) -> Values:
    """Middles (2,n) of the squares; both coordinates move at the same times."""
    fits = [_near(m, sides) for m in middle]
    parts = _parts(len(sides), lambda a, b: all(f(a, b) for f in fits), block_starts)
    return np.stack([_eased(m, _place_of, parts, rate) for m in middle])


def _parts(count: int, fits: _Fits, block_starts: Sequence[int]) -> list[int]:
    """As few stretches of frames as fit: where each begins, and the end.

    Where a border may lie anywhere in a range it is put on a block's start, or else in the middle.
    """
    earliest = [count]
    while earliest[-1]:
        end = earliest[-1]
        earliest.append(end - _furthest(partial(_fits_before, fits, end), end))
    borders = [0]
    for first in earliest[-2:0:-1]:
        begin = borders[-1]
        latest = begin + _furthest(partial(_fits_after, fits, begin), count - 1 - begin)
        wanted = (first + latest) / 2
        starts = [s for s in block_starts if first <= s <= latest]
        borders.append(min(starts, key=lambda s: abs(s - wanted)) if starts else int(wanted))
    return [*borders, count]


def _fits_before(fits: _Fits, end: int, length: int) -> bool:
    return fits(end - length, end)


def _fits_after(fits: _Fits, begin: int, length: int) -> bool:
    return fits(begin, begin + length)


def _furthest(fits: Callable[[int], bool], most: int) -> int:
    """The largest length up to ``most`` that fits, at least 1; found by doubling, then by halving."""
    good, bad = 1, 2
    while bad <= most and fits(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        half = (good + bad) // 2
        good, bad = (half, bad) if fits(half) else (good, half)
    return good


def _eased(values: Values, value_of: Callable[[Values], float], parts: Sequence[int], rate: float) -> Values:
    """The value of each stretch; the way from one to the next takes a second."""
    steps = np.concatenate([np.full(b - a, value_of(values[a:b])) for a, b in pairwise(parts)])
    return _smooth(steps, _EASE * rate)


def _smooth(values: Values, frames: float) -> Values:
    """A weighted mean (Hann) over so many frames, along the last axis."""
    from scipy.ndimage import convolve1d

    weights = np.hanning(2 * max(1, round(frames / 2)) + 3)[1:-1]
    return np.asarray(convolve1d(values, weights / weights.sum(), mode="nearest"))


def _containing(centres: Values, sides: Values, corner: Values, size: Values, rate: float) -> Values:
    """Middles (2,n) moved, smoothly and no more than they must, so that the faces are in their squares."""
    from scipy.ndimage import maximum_filter1d

    room = np.minimum(_SURE * size[1], np.maximum(sides - size, 0) / 2)
    beyond = corner + size + room - (centres + sides / 2)
    before = centres - sides / 2 - (corner - room)
    half = max(1, round(_EASE * rate / 2))
    forth, back = (
        _smooth(maximum_filter1d(np.maximum(v, 0), 2 * half + 1, mode="nearest"), _EASE * rate)
        for v in (beyond, before)
    )
    return centres + forth - back
