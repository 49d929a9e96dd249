"""The finished points of a video at one size, and which of a peer's match our rate.

A ladder is a peer's list of settings; a rung is one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, log

from neurocodec.compare.coding_job import Outcome
from neurocodec.compare.curves import RatePoint
from neurocodec.measure.clips import Clip, ClipSource
from neurocodec.measure.metric import Metric, Values
from neurocodec.peers.codec import Codec, Point

NEAR = 1.15
"""A peer's point counts as matched in rate up to this factor of ours, up or down."""


@dataclass
class MeasuredPoint:
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
class VideoAtSize:
    """One video at one size: its clip's facts (without frames), the usable metrics, the points."""

    size: str
    source: ClipSource
    clip: Clip
    metrics: list[Metric]
    points: list[MeasuredPoint] = field(default_factory=list)

    def kbps(self, measured: MeasuredPoint) -> float:
        """Kilobits a second of a point."""
        return 8 * measured.outcome.bytes / self.clip.seconds / 1000

    def of(self, codec: Codec) -> list[MeasuredPoint]:
        """A codec's finished points by rate."""
        return sorted((m for m in self.points if m.codec.name == codec.name), key=self.kbps)

    def default(self) -> MeasuredPoint | None:
        """The point of our default options."""
        return next((m for m in self.points if m.default), None)

    def of_default_bytes(self, frozen: Codec) -> MeasuredPoint | None:
        """The frozen reference of the bytes of our default."""
        default = self.default()
        return next(
            (m for m in self.of(frozen) if default and m.point["budget"] == default.outcome.bytes), None
        )

    def curve(self, codec: Codec, metric: Metric) -> list[RatePoint]:
        """Rate and mean quality of a codec's points."""
        pairs = ((self.kbps(m), m.mean(metric)) for m in self.of(codec))
        return [RatePoint(rate, value) for rate, value in pairs if value is not None]

    def between_rungs(self, codec: Codec) -> list[Point]:
        """Points between two rungs of a peer's ladder that should come closest to our default's rate.

        One for every size at which the ladder brackets the rate; rounded to the peer's favour.
        """
        default = self.default()
        if default is None or not codec.varied:
            return []
        target, out = log(self.kbps(default)), []
        finished = self.of(codec)
        for scale in sorted({m.point["scale"] for m in finished}):
            rungs = sorted(
                (m for m in finished if m.point["scale"] == scale), key=lambda m: m.point[codec.varied]
            )
            for finer, coarser in pairwise(rungs):
                high, low = log(self.kbps(finer)), log(self.kbps(coarser))
                if not low < target < high:
                    continue
                a, b = finer.point[codec.varied], coarser.point[codec.varied]
                wanted = b - ceil((b - a) * (target - low) / (high - low))
                point = {codec.varied: wanted, "scale": scale}
                if all(m.point != point for m in rungs):
                    out.append(point)
        return out

    def further(self, codec: Codec, quick: bool) -> list[Point]:
        """Points of a peer that are done once our default's rate is known: :meth:`between_rungs`.

        ``quick``: one only; where its two points do not bracket our rate, half the size or a finer level.
        Of ours, those that follow its first point.
        """
        if quick and (known := self.default()) and known.codec is codec:
            return codec.following(known.outcome.stream)
        between = self.between_rungs(codec)
        default, finished = self.default(), self.of(codec)
        if not quick or between or default is None or not finished or not codec.varied:
            return between
        levels = sorted({p[codec.varied] for p in codec.ladder(self.clip.width, self.clip.height)})
        lower = self.kbps(default) < self.kbps(finished[0])
        return [{codec.varied: levels[len(levels) // 2 if lower else 0], "scale": 2 if lower else 1}]

    def best_match(self, codec: Codec) -> MeasuredPoint | None:
        """The point whose pictures stand beside our default's: the best of those of about its rate.

        Best in the first metric of the comparison; where no point's rate is within a factor of 1.15, the
        one whose rate is nearest.
        """
        default, points = self.default(), self.of(codec)
        if default is None or not points:
            return None
        metric = self.metrics[0]

        def distance(measured: MeasuredPoint) -> float:
            return abs(log(self.kbps(measured) / self.kbps(default)))

        def worth(measured: MeasuredPoint) -> float:
            mean = measured.mean(metric)
            return float("-inf") if mean is None else metric.sign * mean

        near = [m for m in points if distance(m) <= log(NEAR)]
        return max(near, key=worth) if near else min(points, key=distance)
