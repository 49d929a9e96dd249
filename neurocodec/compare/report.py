"""``report.json``: everything a comparison found, documented in docs/compare.md."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import neurocodec
from neurocodec.compare.blocks import LIMIT, by_blocks, summary_of_blocks
from neurocodec.compare.measured import MeasuredPoint, VideoAtSize
from neurocodec.compare.run import Result, Video
from neurocodec.compare.summaries import (
    against,
    beside_default,
    frozen_scores,
    mean_rows,
    point_figures,
    summary_against,
    who_is_better,
)
from neurocodec.files.atomic import write_whole
from neurocodec.measure.metric import Values

FORMAT, VERSION = "neurocodec-compare", 1


def build(result: Result) -> dict[str, Any]:
    """The report as a JSON object."""
    plan = result.plan
    reasons = {codec.name: why for codec, why in result.missing_peers}
    codecs = {}
    for codec in (result.ours, *plan.peers, result.frozen):
        why = reasons.get(codec.name)
        known = {} if why else {"version": codec.version(), "settings": codec.settings()}
        codecs[codec.name] = {"title": codec.title, "missing": why, **known}
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "neurocodec": neurocodec.__version__,
        "seconds": plan.seconds,
        "every": plan.every,
        "block_limit": LIMIT,
        "codecs": codecs,
        "metrics": {
            m.name: {
                "title": m.title,
                "better": m.better,
                "explained": m.explained,
                "of_clip": m.of_clip,
                "missing": result.missing_metrics.get(m.name),
            }
            for m in plan.metrics
        },
        "summary": {size: _summary(result, size) for size in _sizes(result)},
        "videos": [_video(result, video) for video in result.videos],
        "skipped": [{"path": path, "reason": reason} for path, reason in result.skipped],
        "failures": result.failures,
    }


def _sizes(result: Result) -> list[str]:
    """The sizes at which videos were compared."""
    return [*dict.fromkeys(video.size for video in result.all_at_sizes())]


def _summary(result: Result, size: str) -> dict[str, Any]:
    """Over all videos at a size, of which synthetic ones only count where there are no others."""
    every = [video for video in result.all_at_sizes() if video.size == size]
    videos = [video for video in every if not video.clip.synthetic] or every
    metrics: dict[str, Any] = {}
    for metric in result.plan.metrics:
        peers = {}
        for peer in result.peers:
            found = [against(v, peer, metric, result.ours) for v in videos if metric in v.metrics]
            known = [f for f in found if f is not None]
            if known:
                peers[peer.name] = summary_against(known)
        frozen = frozen_scores(videos, result.frozen, metric)
        if peers or frozen:
            metrics[metric.name] = {"peers": peers, "frozen": frozen}
    rows = mean_rows(videos, result)
    for metric in result.plan.metrics:
        if metric.name in metrics:
            metrics[metric.name]["better"] = who_is_better(rows, metric, result)
    return {
        "synthetic_only": all(v.clip.synthetic for v in videos),
        "videos": len(videos),
        "synthetic_left_out": len(every) - len(videos),
        "metrics": metrics,
        "rows": rows,
        "beside": beside_default(videos, result),
        "blocks": summary_of_blocks(videos, result),
    }


def _video(result: Result, video: Video) -> dict[str, Any]:
    clip, path = video.at_sizes[0].clip, Path(video.path)
    return {
        "name": video.name,
        "path": video.path,
        "frames": clip.shape[0],
        "fps": float(clip.fps),
        "seconds": clip.seconds,
        "synthetic": clip.synthetic,
        "source": {
            "codec": clip.source_codec,
            "width": clip.source_size[0],
            "height": clip.source_size[1],
            "video_bytes_of_these_frames": clip.source_bytes,
            "file_bytes": path.stat().st_size if path.is_file() else None,
        },
        "sizes": {at_size.size: _at_size(result, at_size) for at_size in video.at_sizes},
    }


def _at_size(result: Result, video: VideoAtSize) -> dict[str, Any]:
    clip = video.clip
    ordered = sorted(video.points, key=lambda m: (m.codec.name, video.kbps(m)))
    return {
        "width": clip.width,
        "height": clip.height,
        "digest": clip.digest,
        "missing_metrics": {
            m.name: m.missing(clip.width, clip.height) for m in result.plan.metrics if m not in video.metrics
        },
        "points": [point_figures(video, m) for m in ordered],
        "against": {
            metric.name: {
                peer.name: found
                for peer in result.peers
                if (found := against(video, peer, metric, result.ours)) is not None
            }
            for metric in video.metrics
        },
        "blocks": by_blocks(video, result),
        "shown": [
            {
                "codec": m.codec.name,
                "label": m.codec.label(m.point),
                "frames": {metric.name: _rounded(m.values(metric)) for metric in video.metrics},
            }
            for m in shown_points(result, video)
        ],
    }


def _rounded(values: Values | None) -> Values | None:
    """Six significant digits."""
    return values and [None if v is None else float(f"{v:.6g}") for v in values]


def shown_points(result: Result, video: VideoAtSize) -> list[MeasuredPoint]:
    """Our default, every peer's point at about its rate, and the frozen reference of its bytes."""
    matches = [video.best_match(peer) for peer in result.peers]
    found = (video.default(), *matches, video.of_default_bytes(result.frozen))
    return [m for m in found if m is not None]


def save(report: dict[str, Any], path: Path) -> None:
    """Write ``report.json``; numbers that are not finite become null.

    Raises:
        OutputError: it cannot be written.
    """
    write_whole(path, (json.dumps(finite(report), indent=1, allow_nan=False) + "\n").encode())


def finite(value: Any) -> Any:
    """The same structure with null for what JSON cannot say."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
