"""Meeting a target by samples: the quality is looked for on them, and the whole is coded few times.

What the whole comes to then says how far samples are off; with that put right, they are asked again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.encoding.quality_search import LOWEST, Trial, search

_MOST_WHOLE = 3
"""Encodes of the whole."""
_MARGIN = 0.02
"""By how much a largest size is undercut, for the whole not to be over it."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Correction:
    """What makes a forecast that of a whole that is known: factors, and the sound and duration themselves."""

    video: float = 1.0
    distance: float = 1.0
    whole: Outcome | None = None

    @staticmethod
    def of(forecast: Outcome, whole: Outcome) -> _Correction:
        video = whole.video / max(forecast.video, 1e-9)
        return _Correction(video, whole.distance / max(forecast.distance, 1e-9), whole)

    def __call__(self, forecast: Outcome) -> Outcome:
        better = replace(
            forecast, video=forecast.video * self.video, distance=forecast.distance * self.distance
        )
        if self.whole is None:
            return better
        return replace(better, seconds=self.whole.seconds, sound=self.whole.sound)


def search_by_samples(
    goal: Goal, forecast: Callable[[float], Outcome], encode: Callable[[float], tuple[Outcome, T]]
) -> Trial[T]:
    """The encode of the whole that meets the goal, or else the nearest of a few.

    Args:
        goal: what is to be met; when a ceiling is not, even the lowest quality was tried and is returned.
        forecast: encodes samples at a quality, and says what the whole will come to.
        encode: encodes the whole at a quality.
    """
    asked = cache(forecast)
    correction = _Correction()
    tried: list[Trial[T]] = []

    def run(quality: float) -> Trial[T]:
        outcome, result = encode(quality)
        tried.append(Trial(quality, goal.figure(outcome), result))
        nonlocal correction
        correction = _Correction.of(asked(quality), outcome)
        return tried[-1]

    while len(tried) < _MOST_WHOLE:
        quality = _quality(goal, asked, correction)
        if any(t.quality == quality for t in tried):
            break
        if goal.is_met(run(quality).figure):
            return tried[-1]
    if goal.is_ceiling:
        fitting = [t for t in tried if t.figure <= goal.value]
        if fitting:
            return max(fitting, key=lambda t: t.figure)
        lowest = [t for t in tried if t.quality == LOWEST]
        return lowest[0] if lowest else run(LOWEST)
    return min(tried, key=lambda t: abs(math.log(max(t.figure, 1e-9) / goal.value)))


def _quality(goal: Goal, asked: Callable[[float], Outcome], correction: _Correction) -> float:
    """The quality at which the whole meets the goal, by samples."""

    def figure(quality: float) -> tuple[float, None]:
        return goal.figure(correction(asked(quality))), None

    value = goal.value * (1 - _MARGIN) if goal.is_ceiling else goal.value
    return search(figure, value, rising=not goal.is_distance, ceiling=goal.is_ceiling).quality
