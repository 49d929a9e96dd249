"""Which frames the layer shows: more of them where more changes, both sides of a sudden change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.types import Picture

_SIDE = 96
"""Longer side of the pictures that are compared."""
_FACE_SIDE, _FACE_GRID = 48, 8
LOCAL_WEIGHT, FACE_WEIGHT = 0.2, 0.5
"""What changes most in a picture, as a caption does, and in a face: parts of the mean change of a picture."""
_BLOCK = 8
_MOST_CHANGED = 3
"""Places whose change is the largest."""
_SUDDEN = 0.7
"""A change from one frame to the next of such a part of the threshold is sudden."""
_LONGEST = 2.5
"""Frames from one picture to the next at most, in wanted spacings."""
_ROUNDS = 12


@dataclass
class Changes:
    """What tells how much frames differ.

    ``small`` (frames,h,w,3) are small pictures; ``faces`` has for each head the frames that it is in (first,
    end) and what its face looks like, (frames,48,48).
    """

    small: NDArray[np.uint8]
    faces: list[tuple[int, int, NDArray[np.uint8]]]
    _known: dict[tuple[int, int], float] = field(default_factory=dict, init=False, repr=False)

    def between(self, a: int, b: int) -> float:
        """How much two frames differ, in levels."""
        if (a, b) not in self._known:
            self._known[a, b] = self._between(a, b)
        return self._known[a, b]

    def _between(self, a: int, b: int) -> float:
        change = np.abs(self.small[a].astype(np.int16) - self.small[b]).mean(2)
        local = LOCAL_WEIGHT * _largest(change, _BLOCK)
        return float(change.mean()) + local + sum(FACE_WEIGHT * self._face(f, a, b) for f in self.faces)

    @staticmethod
    def _face(face: tuple[int, int, NDArray[np.uint8]], a: int, b: int) -> float:
        first, end, looks = face
        if not (first <= a < end and first <= b < end):
            return 0.0
        change = np.abs(looks[a - first].astype(np.int16) - looks[b - first])
        return _largest(change, _FACE_SIDE // _FACE_GRID)


def _largest(change: NDArray[Any], side: int) -> float:
    """The mean of those blocks of a change (H,W) that changed most."""
    height, width = (max(1, n // side) * min(n, side) for n in change.shape)
    rows, columns = max(1, height // side), max(1, width // side)
    blocks = change[:height, :width].reshape(rows, height // rows, columns, width // columns).mean((1, 3))
    return float(np.sort(blocks, axis=None)[-_MOST_CHANGED:].mean())


def small_picture(picture: Picture) -> Picture:
    """What :class:`Changes` compares of a picture (H,W,3)."""
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def small_face(square: Picture) -> NDArray[np.uint8]:
    """What :class:`Changes` compares of a head's square (S,S,3): luma of the middle half."""
    side = square.shape[0]
    middle = square[side // 4 : side - side // 4, side // 4 : side - side // 4]
    grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (_FACE_SIDE, _FACE_SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def choose_pictures(changes: Changes, spacing: float, forced: Collection[int]) -> list[int]:
    """Numbers of the frames that are shown, every ``spacing``-th or so, among them the ``forced`` ones."""
    count = len(changes.small)
    if spacing <= 1:
        return list(range(count))
    low, high = 0.0, 255.0
    best = _chosen(changes, high, spacing, forced)
    for _ in range(_ROUNDS):
        middle = (low * high) ** 0.5 if low else high / 8
        chosen = _chosen(changes, middle, spacing, forced)
        if abs(len(chosen) - count / spacing) <= abs(len(best) - count / spacing):
            best = chosen
        if len(chosen) > count / spacing:
            low = middle
        else:
            high = middle
    return best


def _chosen(changes: Changes, threshold: float, spacing: float, forced: Collection[int]) -> list[int]:
    """The frames that differ from the one chosen before by a threshold, or come long after it."""
    longest = max(2, round(_LONGEST * spacing))
    chosen = [0]
    for k in range(1, len(changes.small)):
        last = chosen[-1]
        if k - 1 > last and changes.between(k - 1, k) > _SUDDEN * threshold:
            chosen += [k - 1, k]
        elif k in forced or k - last >= longest or changes.between(last, k) > threshold:
            chosen.append(k)
    return chosen
