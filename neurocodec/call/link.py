"""One direction of a link: a bottleneck with a queue, then delay, jitter and loss.

A packet waits in the queue until the bottleneck has sent those before it; when it would have to wait longer
than the queue holds, it is dropped (drop-tail).  After that it is lost at random, or arrives after the delay
and a random jitter of its own, so that packets may overtake each other.  All randomness comes from the seed,
one draw of each kind for every packet, so that the same packets meet the same fate whatever the bandwidth.
"""

from __future__ import annotations

import bisect
import csv
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from neurocodec.errors import InputError, UsageError

QUEUE_SECONDS = 0.6
UNLIMITED = 1e12
"""Bit/s of a link without a bottleneck."""
_STEPS = 100_000


@dataclass(frozen=True)
class Trace:
    """Bandwidth over time: from ``times[i]`` (seconds) on ``rates[i]`` (bit/s); it starts over at its end."""

    times: tuple[float, ...]
    rates: tuple[float, ...]
    length: float

    def at(self, time: float) -> tuple[float, float]:
        """Rate in bit/s at a time, and until when it holds."""
        laps, place = divmod(time, self.length)
        k = max(0, bisect.bisect_right(self.times, place) - 1)
        end = self.times[k + 1] if k + 1 < len(self.times) else self.length
        return self.rates[k], laps * self.length + end

    @staticmethod
    def read(path: Path) -> Trace:
        """A CSV with the columns seconds and kbit/s, a line for every change; a header is allowed.

        The last rate holds as long as the one before it (a single one: for ever).

        Raises:
            InputError: no such file, or something else in it.
        """
        times, rates = [], []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for number, row in enumerate(csv.reader(file), 1):
                    if not row or (number == 1 and not _is_number(row[0])):
                        continue
                    if len(row) != 2 or not all(_is_number(cell) for cell in row):
                        raise InputError(f"{path}, line {number}: two numbers are needed, seconds and kbit/s")
                    times.append(float(row[0]))
                    rates.append(1000 * float(row[1]))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the trace {path}: {error}") from None
        if not times or times[0] != 0 or any(b <= a for a, b in pairwise(times)):
            raise InputError(f"{path}: times must begin with 0 and increase")
        if min(rates) < 0 or max(rates) <= 0:
            raise InputError(f"{path}: rates must not be negative, nor all zero")
        last = times[-1] - times[-2] if len(times) > 1 else 1.0
        return Trace(tuple(times), tuple(rates), times[-1] + last)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


@dataclass(frozen=True)
class LinkOptions:
    """``bandwidth`` in bit/s (0: unlimited), ``loss`` a share, ``delay`` and ``jitter`` in seconds.

    Jitter is the standard deviation of a normal distribution, cut off below at no delay at all.
    """

    bandwidth: float = 0.0
    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    trace: Trace | None = None
    queue: float = QUEUE_SECONDS

    def checked(self) -> LinkOptions:
        """Raises UsageError for values that make no sense."""
        if not 0 <= self.loss <= 1:
            raise UsageError(f"loss must lie between 0 and 100 %, not {100 * self.loss:g} %")
        if self.bandwidth < 0 or not 0 <= self.delay <= 60 or not 0 <= self.jitter <= 60:
            raise UsageError("bandwidth, delay and jitter must not be negative, the latter at most a minute")
        return self

    @property
    def best_rate(self) -> float:
        """The highest bandwidth that it ever has, in bit/s."""
        return max(self.trace.rates) if self.trace else self.bandwidth or UNLIMITED

    @property
    def way_back(self) -> LinkOptions:
        """The other direction: the same loss, delay and jitter, and no bottleneck."""
        return LinkOptions(0.0, self.loss, self.delay, self.jitter)

    @property
    def words(self) -> str:
        """For a title."""
        rate = (
            "trace" if self.trace else f"{self.bandwidth / 1000:g} kbit/s" if self.bandwidth else "unlimited"
        )
        return f"{rate}, loss {100 * self.loss:g} %, {1000 * self.delay:g} ms ± {1000 * self.jitter:g} ms"


@dataclass
class LinkCounts:
    """Packets that were sent, dropped by a full queue, lost at random."""

    sent: int = 0
    dropped: int = 0
    lost: int = 0


@dataclass
class Link:
    """Packets in, times of arrival out."""

    options: LinkOptions
    seed: int
    counts: LinkCounts = field(default_factory=LinkCounts)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._free = 0.0

    def send(self, time: float, size: int) -> float | None:
        """When a packet of ``size`` bytes handed over at ``time`` arrives; None: never."""
        fate, wobble = self._rng.random(), self._rng.standard_normal()
        self.counts.sent += 1
        done = self._transmitted(max(time, self._free), 8.0 * size)
        if done - time > self.options.queue + 8.0 * size / max(self._rate(time), 1.0):
            self.counts.dropped += 1
            return None
        self._free = done
        if fate < self.options.loss:
            self.counts.lost += 1
            return None
        return done + max(0.0, self.options.delay + wobble * self.options.jitter)

    def _rate(self, time: float) -> float:
        if self.options.trace:
            return self.options.trace.at(time)[0]
        return self.options.bandwidth or UNLIMITED

    def _transmitted(self, start: float, bits: float) -> float:
        """When the bottleneck has sent so many bits, beginning at ``start``."""
        if self.options.trace is None:
            return start + bits / self._rate(start)
        for _ in range(_STEPS):
            rate, until = self.options.trace.at(start)
            if rate * (until - start) >= bits:
                return start + bits / rate
            bits -= rate * (until - start)
            start = until + 1e-9
        return float("inf")
