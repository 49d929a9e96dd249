"""``report.html``: one file that opens offline, and the plots beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurocodec.compare import plots, terminal
from neurocodec.compare.curves import RatePoint
from neurocodec.compare.pictures import crop_uri, face_place, picture_uri, side_by_side, uri, worst_frames
from neurocodec.compare.points import Measured, View
from neurocodec.compare.report import shown_points
from neurocodec.compare.run import Result, Video
from neurocodec.errors import NeurocodecError
from neurocodec.files.atomic import output_error, write_whole
from neurocodec.measure.clips import Frames, load_clip
from neurocodec.measure.figures import rendered
from neurocodec.measure.metric import Metric
from neurocodec.peers.codec import unpack

EVEN, WORST = 2, 2
"""Frames shown of a video: so many evenly spread, and so many where ours is worst."""
VIDEO_SECONDS = 5.0
PLOTTED = 4
"""Metrics that are plotted frame by frame."""


@dataclass(frozen=True)
class Column:
    """One codec of a side-by-side row; the source has no point."""

    title: str
    rate: str
    frames: Frames
    measured: Measured | None


def write_report(result: Result, report: dict[str, Any], out: Path) -> None:
    """Write ``report.html`` and ``plots/``.

    Raises:
        OutputError: they cannot be written.
    """
    from jinja2 import Environment, PackageLoader

    sizes = [_size(result, report, size, out / "plots") for size in report["summary"]]
    videos = [_video(result, video, view) for video in result.videos for view in video.views]
    environment = Environment(loader=PackageLoader("neurocodec.compare", ""), autoescape=True)
    page = environment.get_template("report.html.j2").render(report=report, sizes=sizes, videos=videos)
    write_whole(out / "report.html", page.encode())


def _save(figure: Any, folder: Path, name: str) -> str:
    """Write a plot as PNG and SVG; the SVG as a data URI."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    data = rendered(figure, "svg")
    write_whole(folder / f"{name}.svg", data)
    write_whole(folder / f"{name}.png", rendered(figure, "png"))
    return uri("image/svg+xml", data)


def _size(result: Result, report: dict[str, Any], size: str, folder: Path) -> dict[str, Any]:
    """Headline, table and curves at one size."""
    summary = report["summary"][size]
    pictures = []
    for metric in result.plan.metrics:
        if metric.name not in summary["metrics"]:
            continue
        found: dict[str, list[RatePoint]] = {}
        default: RatePoint | None = None
        for row in summary["rows"]:
            value = row["means"].get(metric.name)
            if value is None:
                continue
            point = RatePoint(row["kbps"], value)
            found.setdefault(row["codec"], []).append(point)
            if row["default"] and row["codec"] == result.ours.name:
                default = point
        frozen = found.pop(result.frozen.name, [])
        names = [result.ours, *result.peers]
        series = [(c.title, found[c.name]) for c in names if found.get(c.name)]
        if not series:
            continue
        count = summary["videos"]
        title = f"{metric.title}, {size} size, mean of {count} video{'s' if count > 1 else ''}"
        figure = plots.curves(series, metric, default=default, frozen=frozen, title=title)
        pictures.append({"title": title, "image": _save(figure, folder, f"{size}_{metric.name}")})
    return {
        "name": size,
        "summary": summary,
        "answers": terminal.answers(report, summary),
        "deltas": terminal.deltas(report, summary),
        "metrics": [m for m in result.plan.metrics if m.name in summary["metrics"]],
        "plots": pictures,
    }


def _columns(result: Result, view: View) -> tuple[list[Column], str | None]:
    """The source and the decoded shown points; None and why where one cannot be decoded."""
    clip = load_clip(view.source)
    out = [Column("source", "", clip.frames, None)]
    for m in shown_points(result, view):
        try:
            packets = unpack(m.outcome.stream)
            frames = m.codec.decode(packets, clip.frames.shape, clip.fps, m.point)
        except NeurocodecError as error:
            return out, f"{m.codec.title}: {error}"
        rate = f"{m.codec.label(m.point)}: {view.kbps(m):.1f} kbit/s"
        out.append(Column(m.codec.title, rate, frames, m))
    return out, None


def _video(result: Result, video: Video, view: View) -> dict[str, Any]:
    """One video at one size: rows of frames and crops, plots, a short video."""
    columns, problem = _columns(result, view)
    facts: dict[str, Any] = {"name": video.name, "view": view, "problem": problem, "columns": columns}
    if len(columns) < 2:
        return {**facts, "problem": problem or "our default point is missing", "rows": [], "plots": []}
    primary, ours = view.metrics[0], columns[1].measured
    assert ours is not None
    worst = worst_frames(ours.values(primary), primary, WORST, max(1, view.shape[0] // 10))
    even = [int(k) for k in np.linspace(0, view.shape[0] - 1, EVEN + 2)[1:-1]]
    picked = [(k, f"worst of ours in {primary.title}" if k in worst else "") for k in sorted({*even, *worst})]
    rows = [_row(result, view, columns, k, note, primary) for k, note in picked]
    labels = [f"{c.title} {c.rate.rsplit(': ', 1)[-1]}".strip() for c in columns]
    movie = side_by_side(
        [(text, c.frames) for text, c in zip(labels, columns, strict=True)], view.clip.fps, VIDEO_SECONDS
    )
    return {**facts, "rows": rows, "plots": _plots(result, view, columns), "movie": uri("video/mp4", movie)}


def _row(
    result: Result, view: View, columns: list[Column], k: int, note: str, primary: Metric
) -> dict[str, Any]:
    place = face_place(columns[0].frames[k], result.plan.detector)
    cells = []
    for c in columns:
        values = c.measured.values(primary) if c.measured else None
        value = values[k] if values else None
        cells.append(
            {
                "image": picture_uri(c.frames[k]),
                "eyes": crop_uri(c.frames[k], place.eyes) if place else None,
                "mouth": crop_uri(c.frames[k], place.mouth) if place else None,
                "value": "" if value is None else f"{primary.title} {value:.3f}",
            }
        )
    return {
        "frame": k,
        "seconds": k / float(view.clip.fps),
        "note": note,
        "cells": cells,
        "face": bool(place),
    }


def _plots(result: Result, view: View, columns: list[Column]) -> list[str]:
    shown = [c.measured for c in columns if c.measured]
    out = []
    for metric in view.metrics[:PLOTTED]:
        series = [
            (f"{m.codec.title}, {view.kbps(m):.1f} kbit/s", values)
            for m in shown
            if (values := m.values(metric))
        ]
        if series:
            last = shown[-1].codec is result.frozen
            figure = plots.frame_by_frame(
                series, metric, float(view.clip.fps), f"{metric.title}, frame by frame", frozen_last=last
            )
            out.append(uri("image/svg+xml", rendered(figure, "svg")))
    return out
