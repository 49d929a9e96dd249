"""Several videos together: geometric means of rate ratios, with bootstrap intervals over the videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_VIDEOS = 3
"""Fewer have no confidence interval."""
RESAMPLES = 5000


@dataclass(frozen=True)
class Interval:
    """A mean over ``count`` videos and its 95 % confidence interval (None for fewer than three)."""

    mean: float
    low: float | None
    high: float | None
    count: int


def mean_of(values: Sequence[float]) -> Interval | None:
    """Arithmetic mean with a bootstrap interval (percentile method); None of nothing."""
    from scipy.stats import bootstrap

    data = np.asarray(values, float)
    if not len(data):
        return None
    mean = float(data.mean())
    if len(data) < LEAST_VIDEOS:
        return Interval(mean, None, None, len(data))
    if np.ptp(data) == 0:
        return Interval(mean, mean, mean, len(data))
    found = bootstrap(
        (data,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(1)
    )
    limits = found.confidence_interval
    return Interval(mean, float(limits.low), float(limits.high), len(data))


def mean_change(percents: Sequence[float]) -> Interval | None:
    """Mean of rate changes in per cent, as the geometric mean of the ratios.

    -50 % and +100 % (half, double) so come to 0 %, not to +25 %.
    """
    logs = mean_of([float(np.log1p(p / 100)) for p in percents])
    if logs is None:
        return None
    mean, low, high = (
        None if v is None else float(100 * np.expm1(v)) for v in (logs.mean, logs.low, logs.high)
    )
    assert mean is not None
    return Interval(mean, low, high, logs.count)
