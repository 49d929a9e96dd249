"""How long calls take: medians and spread of repeated ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of ``repeats`` figures of one unit."""

    median: float
    low: float
    high: float
    repeats: int

    @staticmethod
    def of(figures: Sequence[float]) -> Spread:
        """The spread of at least one figure."""
        return Spread(median(figures), min(figures), max(figures), len(figures))

    def scaled(self, factor: float) -> Spread:
        """In another unit, ``factor`` (positive) times as large numbers."""
        return Spread(self.median * factor, self.low * factor, self.high * factor, self.repeats)

    def inverse(self, of: float) -> Spread:
        """``of`` divided by each: seconds to frames a second."""
        return Spread(of / self.median, of / self.high, of / self.low, self.repeats)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure(
    call: Callable[[], Any], seconds: float, least: int = 3, clock: Callable[[], float] = time.perf_counter
) -> Spread:
    """Seconds of a call: repeated for about ``seconds``, at least ``least`` times after one that warms up."""
    call()
    times: list[float] = []
    began = clock()
    while len(times) < least or clock() - began < seconds:
        start = clock()
        call()
        times.append(clock() - start)
    return Spread.of(times)
