"""A whole comparison: plan the points, have them done or find them in the cache, hand them to the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurocodec.batch.workers import Failure, Workers
from neurocodec.compare.points import Measured, View, matched_points, view_of
from neurocodec.compare.store import Store
from neurocodec.compare.task import Outcome, Task, run_task
from neurocodec.errors import InputError, NeurocodecError, UnsupportedError, UsageError
from neurocodec.measure.clips import ClipSource, load_clip
from neurocodec.measure.metric import Metric
from neurocodec.peers.codec import Codec, Point
from neurocodec.peers.ours import Frozen, Ours
from neurocodec.types import Progress

"""Called with points done and points known so far."""


@dataclass
class Plan:
    """What is compared with what.

    ``sizes`` are those at which the codecs meet: ``model`` (the longer side is the model's) and ``source``.
    ``every``: single-picture metrics look at every n-th frame.  ``fixed``: encode options of
    ours.  ``detector``: a face detector for the report's crops.
    """

    peers: list[Codec]
    metrics: list[Metric]
    seconds: float = 10.0
    every: int = 1
    sizes: tuple[str, ...] = ("model",)
    fixed: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    detector: str | None = None
    force: bool = False

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
    """A compared video and its views (one for each size)."""

    path: str
    views: list[View]

    @property
    def name(self) -> str:
        """For a reader."""
        return Path(self.path).stem


@dataclass
class Result:
    """Everything a report needs.  ``skipped``: videos and why; ``failures``: points and why."""

    plan: Plan
    ours: Ours
    frozen: Frozen
    videos: list[Video] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    missing_peers: list[tuple[Codec, str]] = field(default_factory=list)
    missing_metrics: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def peers(self) -> list[Codec]:
        """The peers that run here, the frozen reference last."""
        absent = {codec.name for codec, _ in self.missing_peers}
        return [*(p for p in self.plan.peers if p.name not in absent), self.frozen]


def compare(
    videos: Sequence[Path | str], plan: Plan, store: Store, workers: Workers, progress: Progress
) -> Result:
    """Run a comparison; finished points are taken from the store.

    Videos that cannot be used, peers and metrics that are not here, and points that fail are noted in the
    result.

    Raises:
        UsageError: the plan is impossible.
        UnsupportedError: our model, or every metric, is missing here.
        OutputError: the store cannot be written.
    """
    plan.check()
    ours = Ours(plan.fixed)
    side = ours.model.size
    result = Result(plan, ours, Frozen(side))
    for peer in plan.peers:
        problem = peer.missing()
        if problem:
            result.missing_peers.append((peer, problem))
    for path in videos:
        try:
            result.videos.append(_open(str(path), plan, side))
        except NeurocodecError as error:
            result.skipped.append((str(path), str(error)))
    views = [view for video in result.videos for view in video.views]
    for metric in plan.metrics:
        reasons = [metric.missing(v.width, v.height) for v in views]
        found = [r for r in reasons if r]
        if found and len(found) == len(reasons):
            result.missing_metrics[metric.name] = found[0]
    if views and len(result.missing_metrics) == len(plan.metrics):
        reasons_text = "; ".join(f"{name}: {why}" for name, why in result.missing_metrics.items())
        raise UnsupportedError(f"none of the metrics can be had here: {reasons_text}")
    runner = _Runner(result, store, workers, progress)
    real = [p for p in result.peers if p is not result.frozen]
    runner.do(
        (view, codec, point)
        for view in views
        for codec in (ours, *real)
        for point in codec.ladder(view.width, view.height)
    )
    runner.do(
        (view, codec, point) for view in views for codec in real for point in matched_points(view, codec)
    )
    runner.do(
        (view, result.frozen, {"budget": m.outcome.bytes}) for view in views for m in view.of(ours.name)
    )
    return result


def _open(path: str, plan: Plan, side: int) -> Video:
    views = []
    for name in plan.sizes:
        source = ClipSource(path, plan.seconds, side if name == "model" else None)
        view = view_of(name, source, load_clip(source), plan.metrics)
        if not view.metrics:
            raise InputError(f"{path}: none of the metrics can be had at {view.width}x{view.height}")
        views.append(view)
    return Video(path, views)


class _Runner:
    """Does points and puts them into their views."""

    def __init__(self, result: Result, store: Store, workers: Workers, progress: Progress) -> None:
        self._result, self._store, self._workers, self._progress = result, store, workers, progress
        self._done = self._total = 0

    def do(self, wanted: Iterable[tuple[View, Codec, Point]]) -> None:
        plan = self._result.plan
        entries: list[tuple[View, Codec, Point, Outcome, list[Metric]]] = []
        for view, codec, point in wanted:
            key = self._store.key(view.clip.digest, codec, point)
            known = None if plan.force else self._store.load(key, plan.every)
            outcome = known or Outcome()
            lacking = [m for m in view.metrics if m.identity() not in outcome.values]
            if known and not lacking:
                self._accept(view, codec, point, outcome)
            else:
                entries.append((view, codec, point, outcome, lacking))
        self._total += len(entries)
        self._progress(self._done, self._total)
        tasks = [
            Task(
                view.source, view.clip.digest, codec, point, tuple(lacking), plan.every, plan.threads,
                outcome.stream or None, codec.identity(point),
            )
            for view, codec, point, outcome, lacking in entries
        ]  # fmt: skip
        for index, done in self._workers.run(run_task, tasks):
            view, codec, point, before, _ = entries[index]
            self._done += 1
            self._progress(self._done, self._total)
            what = f"{Path(view.source.path).name}, {codec.title}, {codec.label(point)}"
            if isinstance(done, Failure) or done.error:
                reason = done.reason if isinstance(done, Failure) else done.error
                self._result.failures.append(f"{what}: {reason}")
                continue
            self._result.failures += [f"{what}: {name}: {why}" for name, why in done.failed.items()]
            if before.stream:
                done.encode_seconds = before.encode_seconds
            done.values = {**before.values, **done.values}
            self._store.save(self._store.key(view.clip.digest, codec, point), done, plan.every)
            self._accept(view, codec, point, done)

    def _accept(self, view: View, codec: Codec, point: Point, outcome: Outcome) -> None:
        ours = self._result.ours
        default = codec is ours and point == ours.default()
        view.points.append(Measured(codec, point, outcome, default))
