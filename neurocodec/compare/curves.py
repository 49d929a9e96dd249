"""Rate against quality: fronts, Bjøntegaard deltas, the rate at a quality.  Nothing is extrapolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

Better = Literal["higher", "lower"]
LEAST_POINTS = 4
"""Points a front needs for a Bjøntegaard delta."""
LEAST_OVERLAP = 0.5
"""Part of our curve's quality range that must be shared for a Bjøntegaard delta to mean anything."""
_STEPS = 200
"""Rates at which two curves are compared to find where they cross."""


@dataclass(frozen=True)
class RatePoint:
    """A coded clip: kbit/s, and its value of one metric."""

    kbps: float
    value: float


@dataclass(frozen=True)
class BdRate:
    """Mean difference in rate at equal quality, in per cent (negative: we need less).

    ``overlap`` is the part of our curve's quality range that the peer's covers.  ``pchip`` and ``akima``
    are None, with the reason in ``warning``, where there is nothing to integrate.
    """

    pchip: float | None
    akima: float | None
    overlap: float
    warning: str | None


@dataclass(frozen=True)
class Answer:
    """What a peer needs for a given quality.

    ``status``: ``inside`` (``kbps`` is interpolated between coded points), ``cheaper`` (even its point of
    lowest rate is better: it needs less than ``bound``) or ``out of reach`` (its best point is worse: it
    needs more than ``bound``, if it gets there at all).
    """

    status: Literal["inside", "cheaper", "out of reach"]
    kbps: float | None
    bound: float | None


def _sign(better: Better) -> int:
    return 1 if better == "higher" else -1


def front(points: Sequence[RatePoint], better: Better) -> list[RatePoint]:
    """The points that no other one beats in both rate and quality, by increasing rate."""
    sign = _sign(better)
    best: list[RatePoint] = []
    for point in sorted(points, key=lambda p: (p.kbps, -sign * p.value)):
        if not best or sign * point.value > sign * best[-1].value:
            best.append(point)
    return best


def bd_rate(peer: Sequence[RatePoint], ours: Sequence[RatePoint], better: Better) -> BdRate:
    """The Bjøntegaard delta rate of our front against the peer's (package bjontegaard)."""
    fronts = [front(peer, better), front(ours, better)]
    for points, whose in zip(fronts, ("the peer's", "our"), strict=True):
        if len(points) < LEAST_POINTS:
            why = f"{whose} curve has {len(points)} useful points, {LEAST_POINTS} are needed"
            return BdRate(None, None, 0.0, why)
    rates = [np.array([p.kbps for p in f]) for f in fronts]
    values = [np.array([_sign(better) * p.value for p in f]) for f in fronts]
    low, high = max(v[0] for v in values), min(v[-1] for v in values)
    overlap = max(0.0, high - low) / (values[1][-1] - values[1][0])
    if overlap <= 0:
        return BdRate(None, None, 0.0, "the curves share no quality")
    if overlap < LEAST_OVERLAP:
        why = f"the curves share only {100 * overlap:.0f} % of our quality range"
        return BdRate(None, None, overlap, why)
    import matplotlib

    matplotlib.use("Agg")
    from bjontegaard import bd_rate as delta

    pchip, akima = (
        float(delta(rates[0], values[0], rates[1], values[1], method, False, min_overlap=0))
        for method in ("pchip", "akima")
    )
    return BdRate(pchip, akima, overlap, None)


@dataclass(frozen=True)
class Stretch:
    """Rates from ``low`` to ``high`` kbit/s at which ours is the better curve, or theirs."""

    low: float
    high: float
    ours: bool


def stretches(peer: Sequence[RatePoint], ours: Sequence[RatePoint], better: Better) -> list[Stretch]:
    """Who is better at which rates, over those that both curves have (PCHIP over log rate), by rate.

    Nothing where they share none, or a curve has fewer than two useful points.
    """
    from scipy.interpolate import PchipInterpolator

    fronts, sign = [front(peer, better), front(ours, better)], _sign(better)
    if min(map(len, fronts)) < 2:
        return []
    low, high = max(f[0].kbps for f in fronts), min(f[-1].kbps for f in fronts)
    if low >= high:
        return []
    rates = np.linspace(np.log(low), np.log(high), _STEPS)
    theirs, mine = (
        PchipInterpolator(np.log([p.kbps for p in f]), [sign * p.value for p in f])(rates) for f in fronts
    )
    won = mine >= theirs
    edges = [0, *(np.flatnonzero(won[1:] != won[:-1]) + 1), _STEPS - 1]
    return [
        Stretch(float(np.exp(rates[a])), float(np.exp(rates[b])), bool(won[a]))
        for a, b in pairwise(edges)
        if b > a
    ]


@dataclass(frozen=True)
class Distance:
    """What a peer's distance is at a given rate.

    ``status``: ``inside`` (interpolated between coded points), ``coarsest`` (the rate is below all of its
    points: ``value`` is that of its lowest rate) or ``beyond`` (it is above all: ``value`` is the best).
    """

    status: Literal["inside", "coarsest", "beyond"]
    value: float


def distance_at(points: Sequence[RatePoint], kbps: float) -> Distance:
    """The distance of a curve at a rate: on the lower envelope of its points, straight over the log rate."""
    best = front(points, "lower")
    if kbps < best[0].kbps:
        return Distance("coarsest", best[0].value)
    if kbps > max(p.kbps for p in points):
        return Distance("beyond", best[-1].value)
    rates = np.log([p.kbps for p in best])
    return Distance("inside", float(np.interp(np.log(kbps), rates, [p.value for p in best])))


def rate_at(points: Sequence[RatePoint], value: float, better: Better) -> Answer:
    """The rate at which a curve has a quality: between coded points (PCHIP over log rate), or a bound."""
    from scipy.interpolate import PchipInterpolator

    best, sign = front(points, better), _sign(better)
    if sign * value < sign * best[0].value:
        return Answer("cheaper", None, best[0].kbps)
    if sign * value > sign * best[-1].value:
        return Answer("out of reach", None, best[-1].kbps)
    if len(best) == 1:
        return Answer("inside", best[0].kbps, None)
    curve = PchipInterpolator([sign * p.value for p in best], np.log([p.kbps for p in best]))
    return Answer("inside", float(np.exp(curve(sign * value))), None)
