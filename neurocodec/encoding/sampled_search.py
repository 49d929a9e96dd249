"""Meeting a target by samples: the quality is looked for on them, and the whole is coded few times.

What the whole comes to then says how far samples are off; with that put right, they are asked again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import numpy as np

from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.encoding.quality_search import HIGHEST, LOWEST, Trial, search

_MOST_WHOLE, _MOST_TO_FIT = 3, 5
"""Encodes of the whole; and where none was small enough, before the lowest quality is taken."""
_MARGIN = 0.025
"""How far below a largest size is aimed, for the whole to be neither over it nor far below; twice as far
after two that were over it, and so on."""

T = TypeVar("T")


class _Correction:
    """Makes a forecast that of the whole: by what forecasts of encodes that are known were off.

    Between the qualities of two of these, by what lies between; the sound is that of the last one.
    """

    def __init__(self) -> None:
        self._known: list[tuple[float, float, float]] = []
        self._whole: Outcome | None = None

    def learn(self, quality: float, forecast: Outcome, whole: Outcome) -> None:
        """What the whole came to at a quality."""
        video, distance = _log(whole.video, forecast.video), _log(whole.distance, forecast.distance)
        self._known = sorted([*self._known, (quality, video, distance)])
        self._whole = whole

    def __call__(self, quality: float, forecast: Outcome) -> Outcome:
        if self._whole is None:
            return forecast
        qualities, videos, distances = zip(*self._known, strict=True)
        return Outcome(
            self._whole.seconds,
            forecast.video * math.exp(np.interp(quality, qualities, videos)),
            self._whole.sound,
            forecast.distance * math.exp(np.interp(quality, qualities, distances)),
        )


def _log(a: float, b: float) -> float:
    return math.log(max(a, 1e-9) / max(b, 1e-9))


def search_by_samples(
    goal: Goal, forecast: Callable[[float], Outcome], encode: Callable[[float], tuple[Outcome, T]]
) -> Trial[T]:
    """The encode of the whole that meets the goal, or else the nearest of a few.

    Args:
        goal: what is to be met; when a ceiling is not, even the quality that is most likely to meet it was
            tried and is returned: the lowest, or for a distance the highest.
        forecast: encodes samples at a quality, and says what the whole will come to.
        encode: encodes the whole at a quality.
    """
    asked = cache(forecast)
    correction = _Correction()
    tried: list[Trial[T]] = []

    def run(quality: float) -> Trial[T]:
        outcome, result = encode(quality)
        tried.append(Trial(quality, goal.figure(outcome), result))
        correction.learn(quality, asked(quality), outcome)
        return tried[-1]

    while len(tried) < (_MOST_TO_FIT if _too_large(goal, tried) == len(tried) else _MOST_WHOLE):
        quality = _quality(goal, asked, correction, _MARGIN * max(1, _too_large(goal, tried)))
        if any(t.quality == quality for t in tried):
            break
        if goal.is_met(run(quality).figure):
            return tried[-1]
    if goal.is_ceiling:
        fitting = [t for t in tried if t.figure <= goal.value]
        if fitting:
            return max(fitting, key=lambda t: t.figure)
        likeliest = HIGHEST if goal.is_distance else LOWEST
        known = [t for t in tried if t.quality == likeliest]
        return known[0] if known else run(likeliest)
    return min(tried, key=lambda t: abs(_log(t.figure, goal.value)))


def _too_large(goal: Goal, tried: list[Trial[T]]) -> int:
    """How many are over a largest size."""
    return sum(goal.is_ceiling and t.figure > goal.value for t in tried)


def _quality(goal: Goal, asked: Callable[[float], Outcome], correction: _Correction, margin: float) -> float:
    """The quality at which the whole meets the goal, by samples; a ceiling, with a margin."""

    def figure(quality: float) -> tuple[float, None]:
        return goal.figure(correction(quality, asked(quality))), None

    aim = goal.value * (1 - margin) if goal.is_ceiling else goal.value
    return search(figure, aim, rising=not goal.is_distance).quality
