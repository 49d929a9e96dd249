"""From what a user asks for to a finished comparison and its report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neurocodec.batch.folder import find_sources
from neurocodec.batch.workers import workers
from neurocodec.compare import report
from neurocodec.compare.cache import PointCache
from neurocodec.compare.run import Plan, Result, compare
from neurocodec.errors import InputError, NeurocodecError
from neurocodec.files.pipes import is_pipe
from neurocodec.files.samples import sample_clips
from neurocodec.measure.networks import metric_files
from neurocodec.measure.registry import METRICS, QUICK_METRICS
from neurocodec.option_text import encode_settings, named
from neurocodec.peers.registry import CODECS
from neurocodec.types import Told


def expanded(paths: Iterable[Path]) -> list[Path]:
    """The videos named, with those of folders; the samples where nothing is named.

    Raises:
        InputError: a folder holds no video, or a path is a pipe's.
    """
    paths = list(paths)
    for path in paths:
        if is_pipe(path):
            raise InputError(f"{path} can be read only once; a comparison reads its videos several times")
    found = [f for p in paths for f in (find_sources(p, "encode") if p.is_dir() else [p])]
    return found or sample_clips()


def compare_and_report(
    paths: Iterable[Path], out: Path, *, against: str, metrics: str | None, size: str, seconds: float,
    every: int | None, settings: Iterable[str], networks: dict[str, str | None], jobs: int, engine: str,
    scheduler: str | None, html: bool, force: bool, quick: bool, progress: Told,
) -> tuple[Result, dict[str, Any]]:  # fmt: skip
    """Compare our codec with others on videos; write ``report.json``, ``report.html`` and plots to ``out``.

    Args:
        against, metrics: names with commas between them (None: all metrics, or with ``quick`` some).
        size: ``model``, ``source``, ``both``, or ``auto``: the source's, if it is larger than the model's.
        settings: encode options of ours, ``NAME=VALUE``.
        networks: files for :func:`neurocodec.measure.networks.metric_files`.
        every: metrics look at every n-th frame (None: at all, with ``quick`` at every third).
        quick: three points a codec, and reduced pictures where ``size`` is ``auto``.
        jobs, engine, scheduler: for :func:`neurocodec.batch.workers.workers`.

    Raises:
        UsageError: a name or number that makes no sense.
        InputError: a network or folder that is not there.
        UnsupportedError: our model, every metric, or Dask is missing here.
        OutputError: ``out`` cannot be written.
    """
    peers = [kind() for kind in named(against, CODECS, "codec")]
    usual = [METRICS[name] for name in QUICK_METRICS] if quick else list(METRICS.values())
    kinds = named(metrics, METRICS, "metric") if metrics else usual
    videos = expanded(paths)
    cache = PointCache(out / "cache")
    files = metric_files(out / "cache", **networks)
    chosen = workers(engine, jobs, scheduler)
    every = (3 if quick else 1) if every is None else every
    plan = Plan(
        peers, [kind(files) for kind in kinds], seconds, every,
        ("model", "source") if size == "both" else (size,), encode_settings(settings),
        chosen.threads_each(), force, quick,
    )  # fmt: skip
    result = compare(videos, plan, cache, chosen, progress)
    found = report.build(result)
    if result.videos:
        report.save(found, out / "report.json")
        if html:
            from neurocodec.compare.html import write_report

            write_report(result, found, out)
    return result, found


def check(result: Result) -> None:
    """Raise what a user must hear of at the end.

    Raises:
        InputError: videos that could not be compared.
        NeurocodecError: peers that are not here, or points or metrics that failed.
    """
    if result.skipped:
        names = "; ".join(reason for _, reason in result.skipped)
        asked = len(result.skipped) + len(result.videos)
        raise InputError(f"{len(result.skipped)} of {asked} videos could not be compared: {names}")
    if result.missing_peers:
        missing = "; ".join(f"{c.title}: {why}" for c, why in result.missing_peers)
        raise NeurocodecError(f"not compared: {missing}")
    if result.failures:
        raise NeurocodecError(f"{len(result.failures)} points or metrics failed, first: {result.failures[0]}")
