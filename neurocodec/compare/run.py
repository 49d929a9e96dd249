"""A whole comparison: plan the points, have them done or find them in the cache."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neurocodec.batch.workers import Failure, Workers
from neurocodec.compare.cache import PointCache
from neurocodec.compare.coding_job import CodingJob, Outcome, run_job
from neurocodec.compare.measured import MeasuredPoint, VideoAtSize
from neurocodec.errors import InputError, NeurocodecError, UnsupportedError, UsageError
from neurocodec.measure.clips import ClipSource, load_clip
from neurocodec.measure.metric import Metric
from neurocodec.media.frames import open_video
from neurocodec.peers.codec import Codec, Point
from neurocodec.peers.frozen import Frozen
from neurocodec.peers.ours import Ours
from neurocodec.types import Told

_QUICK_PIXELS = 480 * 270
"""What pictures of a quick comparison have at most: 480x270, 360x360."""


@dataclass
class Plan:
    """What is compared with what.

    ``sizes`` are those at which the codecs meet: ``model`` (the longer side is the model's), ``source``, or
    ``auto``: the source's, or the model's where that is larger.
    ``every``: single-picture metrics look at every n-th frame.  ``fixed``: encode options of
    ours.  ``force``: do points again that are in the cache.  ``quick``: three points a codec, chosen around
    our default, and reduced pictures where ``auto`` would take large ones.
    """

    peers: list[Codec]
    metrics: list[Metric]
    seconds: float = 10.0
    every: int = 1
    sizes: tuple[str, ...] = ("model",)
    fixed: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    force: bool = False
    quick: bool = False

    def check(self) -> None:
        """Raises UsageError for values out of range, UnsupportedError where our model is missing."""
        if not self.seconds > 0:
            raise UsageError(f"seconds must be positive, not {self.seconds:g}")
        if self.every < 1:
            raise UsageError(f"every must be at least 1, not {self.every}")
        if not self.metrics:
            raise UsageError("a comparison needs a metric")
        problem = Ours(self.fixed).missing()
        if problem:
            raise UnsupportedError(f"our own codec cannot run: {problem}")


@dataclass
class Video:
    """A compared video, at each of the plan's sizes."""

    path: str
    at_sizes: list[VideoAtSize]

    @property
    def name(self) -> str:
        """For a reader."""
        return Path(self.path).stem


@dataclass
class Result:
    """Everything a report needs.

    ``peers`` are those that run here; ``missing_peers``, ``missing_metrics`` (by name), ``skipped`` videos
    and ``failures`` (points) say why.
    """

    plan: Plan
    ours: Ours
    frozen: Frozen
    peers: list[Codec] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    missing_peers: list[tuple[Codec, str]] = field(default_factory=list)
    missing_metrics: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def all_at_sizes(self) -> list[VideoAtSize]:
        """Every video at every size."""
        return [at_size for video in self.videos for at_size in video.at_sizes]


def compare(
    videos: Sequence[Path | str], plan: Plan, cache: PointCache, workers: Workers, progress: Told
) -> Result:
    """Run a comparison; finished points are taken from the cache.

    Videos that cannot be used, peers and metrics that are not here, and points that fail are noted in the
    result.  ``progress`` gets the points done and known so far, and what was done last.

    Raises:
        UsageError: the plan is impossible.
        UnsupportedError: our model, or every metric, is missing here.
        OutputError: the cache cannot be written.
    """
    plan.check()
    ours = Ours(plan.fixed)
    side = ours.model.size
    result = Result(plan, ours, Frozen(side))
    for peer in plan.peers:
        problem = peer.missing()
        if problem:
            result.missing_peers.append((peer, problem))
        else:
            result.peers.append(peer)
    for path in videos:
        try:
            result.videos.append(opened(str(path), plan, side))
        except NeurocodecError as error:
            result.skipped.append((str(path), str(error)))
    _note_missing_metrics(result)
    at_sizes = result.all_at_sizes()
    runner = _Runner(result, cache, workers, progress)
    runner.do(
        (at_size, codec, point)
        for at_size in at_sizes
        for codec in (ours, *result.peers)
        for point in codec.rungs(at_size.clip.width, at_size.clip.height, plan.quick)
    )
    further = [(v, c, p) for v in at_sizes for c in (ours, *result.peers) for p in v.further(c, plan.quick)]
    frozen = [(v, result.frozen, {"budget": m.outcome.bytes}) for v in at_sizes for m in v.of(ours)]
    if plan.quick:
        runner.do([*further, *frozen])
        return result
    runner.do(further)
    runner.do(frozen)
    return result


def _chosen_size(path: str, plan: Plan, side: int) -> tuple[str, int | None]:
    """What ``auto`` takes: the model's size, the source's where that is larger, or a reduced one."""
    with open_video(path) as (video, _):
        width, height = float(video.width * video.sar), float(video.height)
    if max(width, height) <= side:
        return "model", side
    if plan.quick and width * height > _QUICK_PIXELS:
        return "reduced", round(max(width, height) * math.sqrt(_QUICK_PIXELS / (width * height)))
    return "source", None


def opened(path: str, plan: Plan, side: int) -> Video:
    """A video at the sizes of a plan; ``side``: of the model's square.

    Raises:
        InputError: it cannot be read, or none of the metrics can be had.
    """
    at_sizes = []
    for wanted in plan.sizes:
        size, longer = wanted, side if wanted == "model" else None
        if wanted == "auto":
            size, longer = _chosen_size(path, plan, side)
        source = ClipSource(path, plan.seconds, longer)
        clip = load_clip(source)
        usable = [m for m in plan.metrics if m.missing(clip.width, clip.height) is None]
        if not usable:
            raise InputError(f"{path}: none of the metrics can be had at {clip.width}x{clip.height}")
        at_sizes.append(VideoAtSize(size, source, replace(clip, frames=clip.frames[:0]), usable))
    return Video(path, at_sizes)


def _note_missing_metrics(result: Result) -> None:
    """Metrics that no video can be measured with; raises UnsupportedError if that is all of them."""
    at_sizes, metrics = result.all_at_sizes(), result.plan.metrics
    for metric in metrics:
        reasons = [metric.missing(v.clip.width, v.clip.height) for v in at_sizes]
        if reasons and all(reasons):
            result.missing_metrics[metric.name] = str(reasons[0])
    if at_sizes and len(result.missing_metrics) == len(metrics):
        reasons_text = "; ".join(f"{name}: {why}" for name, why in result.missing_metrics.items())
        raise UnsupportedError(f"none of the metrics can be had here: {reasons_text}")


class _Runner:
    """Does points and puts them where they belong."""

    def __init__(self, result: Result, cache: PointCache, workers: Workers, progress: Told) -> None:
        self._result, self._cache, self._workers, self._progress = result, cache, workers, progress
        self._done = self._total = 0

    def do(self, wanted: Iterable[tuple[VideoAtSize, Codec, Point]]) -> None:
        plan = self._result.plan
        entries: list[tuple[VideoAtSize, Codec, Point, Outcome]] = []
        jobs = []
        for at_size, codec, point in wanted:
            key = self._cache.key(at_size.clip.digest, codec, point)
            known = None if plan.force else self._cache.load(key, plan.every)
            before = known or Outcome()
            lacking = tuple(m for m in at_size.metrics if m.identity() not in before.values)
            if known and not lacking:
                self._accept(at_size, codec, point, known)
                continue
            entries.append((at_size, codec, point, before))
            jobs.append(
                CodingJob(
                    at_size.source, at_size.clip.digest, codec, point, lacking, plan.every, plan.threads,
                    before.stream or None, codec.identity(point),
                )
            )  # fmt: skip
        self._total += len(jobs)
        self._progress(self._done, self._total, "coding")
        for index, found in self._workers.run(run_job, jobs):
            self._done += 1
            _, codec, point, _ = entries[index]
            self._progress(self._done, self._total, f"{codec.title}, {codec.label(point)}")
            self._finish(*entries[index], found)

    def _finish(
        self, at_size: VideoAtSize, codec: Codec, point: Point, before: Outcome, found: Outcome | Failure
    ) -> None:
        what = f"{Path(at_size.source.path).name}, {codec.title}, {codec.label(point)}"
        if isinstance(found, Failure) or found.error:
            reason = found.reason if isinstance(found, Failure) else found.error
            self._result.failures.append(f"{what}: {reason}")
            return
        self._result.failures += [f"{what}: {name}: {why}" for name, why in found.failed.items()]
        if before.stream:
            found.encode_seconds = before.encode_seconds
        found.values = {**before.values, **found.values}
        key = self._cache.key(at_size.clip.digest, codec, point)
        self._cache.save(key, found, self._result.plan.every)
        self._accept(at_size, codec, point, found)

    def _accept(self, at_size: VideoAtSize, codec: Codec, point: Point, outcome: Outcome) -> None:
        ours = self._result.ours
        default = codec is ours and point == ours.default()
        at_size.points.append(MeasuredPoint(codec, point, outcome, default))
