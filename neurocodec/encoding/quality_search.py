"""Meeting a target: encode at one quality after the other until rate, size or distance is right.

Bits grow and distance falls with the quality, so that a bracketing search (false position on a logarithmic
scale, falling back to bisection) needs few encodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

LOWEST, HIGHEST = 0.0, 100.0
TOLERANCE = 0.05
"""How far from its target a result may be."""
_AIM = 0.02
_FINEST = 0.2
_MOST_TRIALS = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Trial(Generic[T]):
    """A quality, the figure that came of it, and whatever else the encode left."""

    quality: float
    figure: float
    result: T


def search(
    run: Callable[[float], tuple[float, T]], target: float, *, rising: bool, ceiling: bool = False
) -> Trial[T]:
    """The trial whose figure is nearest to ``target``.

    Args:
        run: encodes at a quality and returns the figure (positive) and the result.
        target: the figure wanted.
        rising: whether the figure grows with the quality (bits do, distances do not).
        ceiling: nothing over the target will do; the largest figure below it is wanted.  When everything is
            over it, the least is returned.
    """
    sign = 1 if rising else -1

    def over(trial: Trial[T]) -> float:
        """Logarithm of figure to target."""
        return math.log(max(trial.figure, 1e-9)) - math.log(target)

    def error(trial: Trial[T]) -> float:
        """The same, positive where the quality is too high."""
        return sign * over(trial)

    def trial(quality: float) -> Trial[T]:
        figure, result = run(quality)
        return Trial(quality, figure, result)

    def good(t: Trial[T]) -> bool:
        return -2 * _AIM <= over(t) <= 0 if ceiling else abs(error(t)) <= _AIM

    middle = trial((LOWEST + HIGHEST) / 2)
    if good(middle):
        return middle
    edge = trial(LOWEST if error(middle) > 0 else HIGHEST)
    low, high = sorted((middle, edge), key=lambda t: t.quality)
    seen = [low, high]
    halve = False
    while error(low) < 0 < error(high) and len(seen) < _MOST_TRIALS:
        if any(good(t) for t in seen) or high.quality - low.quality <= _FINEST:
            break
        share = 0.5 if halve else -error(low) / (error(high) - error(low))
        halve = not halve
        quality = low.quality + min(max(share, 0.1), 0.9) * (high.quality - low.quality)
        now = trial(round(quality, 1))
        seen.append(now)
        low, high = (now, high) if error(now) < 0 else (low, now)
    if ceiling:
        fitting = [t for t in seen if over(t) <= 0]
        return max(fitting, key=over) if fitting else min(seen, key=over)
    return min(seen, key=lambda t: abs(error(t)))
