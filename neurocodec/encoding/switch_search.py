"""Finds where a layer should switch from one picture to the next instead of being interpolated.

Every frame between two pictures is compared with what interpolation makes of it and with these two pictures,
small and in luma, place by place.  Where a caption changes, one of the two is right and what lies between
them is garbled.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.compositing.interpolation import FLOW_SIDE, Between
from neurocodec.encoding.layer_trial import LayerTrial
from neurocodec.encoding.section import Section
from neurocodec.layers.color import luma
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.layers.switches import Switch, grid_of, stretches
from neurocodec.media.square import resize

_CLEARLY, _RATHER = 0.7, 0.95
"""A place switches if that leaves less than the first part of interpolation's error; its neighbours, if less
than the second."""
_GAIN, _SLIGHT_GAIN = 30.0, 8.0
"""By so much the error has to fall for that, per frame, in squares of levels."""
_WHOLE = 0.8
"""The whole picture switches if so many of its places are clearly better held."""
_LEVELS = 0.25
"""Weight of levels beside that of their differences from place to place, in which text stands out."""
_Errors = NDArray[np.float32]


def find_switches(section: Section, trial: LayerTrial, size: tuple[int, int]) -> list[Switch | None]:
    """For each picture of a layer, what switches in front of it; the file has pictures of ``size`` (w,h)."""
    small = _small_size(*size)
    grid = grid_of(*size)
    decoder = LayerDecoder(trial.size)
    found: list[Switch | None] = []
    before: NDArray[np.uint8] | None = None
    for k, unit, inside in zip(trial.shown, trial.units, stretches(trial.shown), strict=True):
        after = resize(luma(decoder.decode(unit)), *small)
        if before is None or not inside:
            found.append(None)
        else:
            a, b = section.pts[inside[0] - 1], section.pts[k]
            way = Between(before, after)
            errors = []
            for n in inside:
                original = resize(section.spool.luma(n), *small)
                moved = way.at((section.pts[n] - a) / (b - a))
                errors.append([_error(original, shown, grid) for shown in (before, after, moved)])
            found.append(_switch(*np.array(errors, np.float32).swapaxes(0, 1)))
        before = after
    return found


def _small_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, FLOW_SIDE / max(width, height))
    across, down = (max(16, round(side * scale / 2) * 2) for side in (width, height))
    return across, down


def _error(original: NDArray[np.uint8], shown: NDArray[np.uint8], grid: tuple[int, int]) -> _Errors:
    """How far luma (h,w) is from another, by place (rows,columns), in squares of levels."""
    e = original.astype(np.float32) - shown
    across, down = np.diff(e, axis=1, prepend=0), np.diff(e, axis=0, prepend=0)
    squares = _LEVELS * e * e + across * across + down * down
    return np.asarray(cv2.resize(squares, grid[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _switch(before: _Errors, after: _Errors, moved: _Errors) -> Switch | None:
    """From the errors (frames,rows,columns) of both pictures and of interpolation, what is best switched."""
    plain = moved.mean(0)
    best: tuple[float, Switch] | None = None
    for kept, held in _held(before, after):
        clear = (held < _CLEARLY * plain) & (plain - held > _GAIN)
        whole = clear.mean() > _WHOLE
        places = None if whole else _grown(clear, (held < _RATHER * plain) & (plain - held > _SLIGHT_GAIN))
        gain = float((plain - held)[places].sum())
        if gain > 0 and (best is None or gain > best[0]):
            best = gain, Switch(kept, places)
    return best[1] if best else None


def _held(before: _Errors, after: _Errors) -> Iterator[tuple[int, _Errors]]:
    """For each number of frames that keep the picture before, the mean error (rows,columns) of that."""
    for kept in range(len(before) + 1):
        yield kept, np.asarray(np.concatenate([before[:kept], after[kept:]]).mean(0), np.float32)


def _grown(clear: NDArray[np.bool_], rather: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The places that are clear, and of the others those that touch them, directly or through each other."""
    both = clear | rather
    _, labels = cv2.connectedComponents(both.astype(np.uint8), connectivity=8)
    return both & np.isin(labels, np.unique(labels[clear]))
