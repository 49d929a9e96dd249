"""The points of a comparison: what came of them, and which of a peer's match our rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil, log

from neurocodec.compare.curves import RatePoint
from neurocodec.compare.task import Outcome
from neurocodec.measure.clips import Clip, ClipSource
from neurocodec.measure.metric import Metric, Values
from neurocodec.peers.codec import Codec, Point

NEAR = 1.15
"""A peer's point counts as matched in rate up to this factor of ours, up or down."""


@dataclass
class Measured:
    """A finished point of one clip.  ``default``: the point of our default options."""

    codec: Codec
    point: Point
    outcome: Outcome
    default: bool = False

    def mean(self, metric: Metric) -> float | None:
        """The metric's mean over the frames that have a value."""
        values = [v for v in self.values(metric) or [] if v is not None]
        return sum(values) / len(values) if values else None

    def values(self, metric: Metric) -> Values | None:
        """One value a frame; None where the metric was not measured."""
        return self.outcome.values.get(metric.identity())


@dataclass
class View:
    """One video at one size: its clip's facts (without frames), the usable metrics, the points."""

    name: str
    source: ClipSource
    clip: Clip
    shape: tuple[int, ...]
    metrics: list[Metric]
    points: list[Measured] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Of the compared frames."""
        return self.shape[2]

    @property
    def height(self) -> int:
        """Of the compared frames."""
        return self.shape[1]

    def kbps(self, measured: Measured) -> float:
        """Kilobits a second of a point."""
        return 8 * measured.outcome.bytes / self.clip.seconds / 1000

    def of(self, codec_name: str) -> list[Measured]:
        """A codec's finished points by rate."""
        return sorted((m for m in self.points if m.codec.name == codec_name), key=self.kbps)

    def default(self) -> Measured | None:
        """The point of our default options."""
        return next((m for m in self.points if m.default), None)

    def curve(self, codec_name: str, metric: Metric) -> list[RatePoint]:
        """Rate and mean quality of a codec's points."""
        pairs = ((self.kbps(m), m.mean(metric)) for m in self.of(codec_name))
        return [RatePoint(rate, value) for rate, value in pairs if value is not None]


def view_of(name: str, source: ClipSource, clip: Clip, metrics: Iterable[Metric]) -> View:
    """A view that keeps no frames."""
    height, width = clip.frames.shape[1:3]
    usable = [m for m in metrics if m.missing(width, height) is None]
    return View(name, source, replace(clip, frames=clip.frames[:0]), clip.frames.shape, usable)


def matched_points(view: View, codec: Codec) -> list[Point]:
    """Points between two rungs of a peer's ladder that should come closest to our default's rate.

    One for every size at which the ladder brackets the rate; rounded to the peer's favour.
    """
    default = view.default()
    if default is None or not codec.varied:
        return []
    target, out = log(view.kbps(default)), []
    mine = view.of(codec.name)
    for scale in sorted({m.point["scale"] for m in mine}):
        rungs = sorted((m for m in mine if m.point["scale"] == scale), key=lambda m: m.point[codec.varied])
        for finer, coarser in pairwise(rungs):
            high, low = log(view.kbps(finer)), log(view.kbps(coarser))
            if not low < target < high:
                continue
            a, b = finer.point[codec.varied], coarser.point[codec.varied]
            wanted = b - ceil((b - a) * (target - low) / (high - low))
            point = {codec.varied: wanted, "scale": scale}
            if all(m.point != point for m in rungs):
                out.append(point)
    return out


def shown(view: View, codec_name: str) -> Measured | None:
    """The point whose pictures stand beside our default's: the best of those of about its rate.

    Best in the first metric of the comparison; where no point's rate is within a factor of 1.15, the one
    whose rate is nearest.
    """
    default, points = view.default(), view.of(codec_name)
    if default is None or not points:
        return None

    def distance(measured: Measured) -> float:
        return abs(log(view.kbps(measured) / view.kbps(default)))

    near = [m for m in points if distance(m) <= log(NEAR)]
    if not near:
        return min(points, key=distance)
    metric = view.metrics[0]
    sign = 1 if metric.better == "higher" else -1

    def worth(measured: Measured) -> float:
        mean = measured.mean(metric)
        return float("-inf") if mean is None else sign * mean

    return max(near, key=worth)
