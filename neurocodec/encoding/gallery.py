"""A memory of poses: earlier references that serve again, where a person comes back to what they show.

Where the camera stands, a pair of pictures that the decoder already has is often as good for some seconds as
two new ones, and costs nothing but its name.  Which pairs, for which frames, is found by rendering: a few
references that cover a stretch are short-listed by keypoints and small pictures, each of them is tried alone
at some of the frames, and the stretch is divided evenly into runs that each get the pair with the least of
both errors.
"""

from __future__ import annotations

from collections import deque
from itertools import combinations, pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.encoding.stretches import BlockFrames, Placed, Stretch, Verdicts
from neurocodec.models.device import BATCH
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.types import Picture

REMEMBERED = 32
"""References kept ready to be used again."""
_TRIED = 6
"""References that are tried in a stretch."""
_RUNS = (1, 2, 4, 8)
"""Numbers of runs that a stretch is divided into."""
RUN_BYTES = 12
"""About what another run costs: its names, and that the prediction of landmarks starts again."""
_THUMB = 32
_KEYPOINT = 0.05
"""Difference of keypoints (root mean square) that counts as much as one of pictures of ``_LEVELS``."""
_LEVELS = 16.0


class Gallery:
    """References of earlier blocks.

    Args:
        engine: renders.
        verdicts: as :class:`~neurocodec.encoding.lookahead.Lookahead` has them.
        gap: every how many frames a rendering gets a verdict; here every other of these.
    """

    def __init__(self, engine: MotionEngine, verdicts: Verdicts, gap: int) -> None:
        self._engine, self._verdicts, self._gap = engine, verdicts, gap
        self._known: deque[Placed] = deque(maxlen=REMEMBERED)

    def remember(self, placed: Placed) -> None:
        """Keep a reference; the oldest one goes."""
        self._known.append(placed)

    def forget(self, block: BlockFrames) -> None:
        """Drop those that a block can no longer use."""
        usable = (p for p in self._known if p.chain >= block.oldest and p.number >= block.lowest)
        self._known = deque(usable, maxlen=REMEMBERED)

    def latest(self, count: int) -> list[Placed]:
        """The newest ones."""
        return [*self._known][-count:]

    def plans(self, s: Stretch, block: BlockFrames) -> list[list[Stretch]]:
        """Divisions of a stretch into runs from remembered references and the one in use, the best two."""
        looks = [*range(s.start + self._gap, s.stop, 2 * self._gap)]
        if len(looks) < 2:
            return []
        tried = self._short_list(s, looks, block)
        if len(tried) < 2:
            return []
        errors = np.stack([self._errors(placed, looks, block) for placed in tried])
        plans = []
        for count in _RUNS:
            if (s.stop - s.start) // count < 2 * self._gap:
                break  # each run has a frame that is looked at
            plans.append(self._divided(s, count, looks, tried, errors))
        ranked = sorted(plans, key=lambda plan: plan[0])
        return [parts for _, parts in ranked[:2]]

    def _short_list(self, s: Stretch, looks: list[int], block: BlockFrames) -> list[Placed]:
        """The one in use and those that cover the frames looked at best together."""
        known = [s.before, *(p for p in self._known if p.number != s.before.number)]
        points, small = block.keypoints[looks], np.stack([_thumb(block.pictures[k]) for k in looks])
        apart = np.stack([_apart(p, points, small) for p in known])
        chosen, left = [0], apart[0]
        while len(chosen) < min(_TRIED, len(apart)):
            totals = np.minimum(left, apart).sum(1)
            totals[chosen] = np.inf
            chosen.append(int(np.argmin(totals)))
            left = np.minimum(left, apart[chosen[-1]])
        return [known[k] for k in chosen]

    def _errors(self, placed: Placed, looks: list[int], block: BlockFrames) -> NDArray[np.float64]:
        """Errors (1 - verdict) of frames rendered from one reference."""
        renderings = [
            self._engine.render([placed.reference], block.keypoints[looks[k : k + BATCH]])
            for k in range(0, len(looks), BATCH)
        ]
        return 1 - self._verdicts(np.concatenate(renderings), [block.pictures[k] for k in looks])

    @staticmethod
    def _divided(
        s: Stretch, count: int, looks: list[int], tried: list[Placed], errors: NDArray[np.float64]
    ) -> tuple[float, list[Stretch]]:
        """About what the best division into so many runs has for distortion, and the runs."""
        borders = [s.start + k * (s.stop - s.start) // count for k in range(count + 1)]
        at = np.array(looks)
        parts: list[Stretch] = []
        total = 0.0
        for start, stop in pairwise(borders):
            inside = (at >= start) & (at < stop)
            seen = errors[:, inside]
            pairs = [*combinations(range(len(tried)), 2)]
            least = [float(np.minimum(seen[i], seen[j]).mean()) for i, j in pairs]
            best = int(np.argmin(least))
            total += least[best] * (stop - start)
            a, b = (tried[k] for k in pairs[best])
            last = parts[-1] if parts else None
            if last and last.after and {last.before.number, last.after.number} == {a.number, b.number}:
                last.stop = stop
            else:
                parts.append(Stretch(start, stop, a, b))
        return total, parts


def _apart(placed: Placed, points: NDArray[np.float32], small: NDArray[np.float32]) -> NDArray[np.float32]:
    """How unlike a reference frames are, by keypoints (n,N,2) and small pictures: (n,)."""
    moved = np.sqrt(((points - placed.reference.keypoints) ** 2).sum(2).mean(1))
    differs = np.abs(small - _thumb(placed.reference.picture)).mean((1, 2, 3))
    return np.asarray(moved / _KEYPOINT + differs / _LEVELS)


def _thumb(picture: Picture) -> NDArray[np.float32]:
    return cv2.resize(picture, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
