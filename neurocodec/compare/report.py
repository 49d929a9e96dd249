"""``report.json``: everything a comparison found, documented in docs/compare.md."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import neurocodec
from neurocodec.compare.figures import (
    against,
    frozen_scores,
    mean_rows,
    peers_with_curves,
    point_figures,
    summary_against,
)
from neurocodec.compare.points import Measured, View, shown
from neurocodec.compare.run import Result
from neurocodec.files.atomic import write_whole

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
        "codecs": codecs,
        "metrics": {
            m.name: {
                "title": m.title,
                "better": m.better,
                "explained": m.explained,
                "missing": result.missing_metrics.get(m.name),
            }
            for m in plan.metrics
        },
        "summary": {size: _summary(result, size) for size in plan.sizes if result.videos},
        "videos": [_video(result, k) for k in range(len(result.videos))],
        "skipped": [{"path": path, "reason": reason} for path, reason in result.skipped],
        "failures": result.failures,
    }


def headline_views(result: Result, size: str) -> list[View]:
    """The views that figures over all videos are made of: synthetic ones only where there are no others."""
    views = [v for video in result.videos for v in video.views if v.name == size]
    return [v for v in views if not v.clip.synthetic] or views


def _summary(result: Result, size: str) -> dict[str, Any]:
    views = headline_views(result, size)
    metrics: dict[str, Any] = {}
    for metric in result.plan.metrics:
        peers = {}
        for peer in peers_with_curves(result):
            found = [against(v, peer, metric, result.ours.name) for v in views if metric in v.metrics]
            known = [f for f in found if f is not None]
            if known:
                peers[peer.name] = summary_against(known)
        frozen = frozen_scores(views, result, metric)
        if peers or frozen:
            metrics[metric.name] = {"peers": peers, "frozen": frozen}
    return {
        "synthetic_only": all(v.clip.synthetic for v in views),
        "videos": len(views),
        "synthetic_left_out": sum(v.name == size for video in result.videos for v in video.views)
        - len(views),
        "metrics": metrics,
        "rows": mean_rows(views, result),
    }


def _video(result: Result, index: int) -> dict[str, Any]:
    video = result.videos[index]
    clip = video.views[0].clip
    path = Path(video.path)
    return {
        "name": video.name,
        "path": video.path,
        "frames": video.views[0].shape[0],
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
        "sizes": {view.name: _view(result, view) for view in video.views},
    }


def _view(result: Result, view: View) -> dict[str, Any]:
    ours = result.ours.name
    return {
        "width": view.width,
        "height": view.height,
        "digest": view.clip.digest,
        "missing_metrics": {
            m.name: m.missing(view.width, view.height) for m in result.plan.metrics if m not in view.metrics
        },
        "points": [
            point_figures(view, m) for m in sorted(view.points, key=lambda m: (m.codec.name, view.kbps(m)))
        ],
        "against": {
            metric.name: {
                peer.name: found
                for peer in peers_with_curves(result)
                if (found := against(view, peer, metric, ours)) is not None
            }
            for metric in view.metrics
        },
        "shown": [
            {"codec": m.codec.name, "label": m.codec.label(m.point), "frames": _frames(view, m)}
            for m in shown_points(result, view)
        ],
    }


def _frames(view: View, measured: Measured) -> dict[str, list[float | None] | None]:
    """Per-frame values, six significant digits."""
    out: dict[str, list[float | None] | None] = {}
    for metric in view.metrics:
        values = measured.values(metric)
        out[metric.name] = values and [None if v is None else float(f"{v:.6g}") for v in values]
    return out


def shown_points(result: Result, view: View) -> list[Measured]:
    """Our default, every peer's point at about its rate, and the frozen reference of its bytes."""
    default = view.default()
    if default is None:
        return []
    found: list[Measured | None] = [default]
    for peer in result.peers:
        if peer is result.frozen:
            budget = default.outcome.bytes
            found.append(next((m for m in view.of(peer.name) if m.point["budget"] == budget), None))
        else:
            found.append(shown(view, peer.name))
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
