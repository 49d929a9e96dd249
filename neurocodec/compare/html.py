"""``report.html``: one file that opens offline, and the plots beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurocodec.compare import plots
from neurocodec.compare.blocks import FACES
from neurocodec.compare.curves import RatePoint
from neurocodec.compare.measured import MeasuredPoint, VideoAtSize
from neurocodec.compare.pictures import Place, enlarged, face_squares, picture_uri, side_by_side, uri
from neurocodec.compare.report import shown_points
from neurocodec.compare.run import Result
from neurocodec.compare.verdict import change, number, short, verdict
from neurocodec.errors import NeurocodecError
from neurocodec.files.atomic import make_folder, write_whole
from neurocodec.files.figures import rendered
from neurocodec.measure.clips import Frames, load_clip
from neurocodec.measure.metric import Metric, Values
from neurocodec.peers.codec import unpack

WORST, BEST = 2, 1
"""Frames shown of a video: so many where ours is worst, and so many where it is best."""
VIDEO_SECONDS = 5.0
PLOTTED = 4
"""Metrics that are plotted frame by frame."""


@dataclass(frozen=True)
class Column:
    """One codec of a side-by-side row; the source has no point."""

    title: str
    label: str
    rate: str
    frames: Frames
    measured: MeasuredPoint | None = None


def write_report(result: Result, report: dict[str, Any], out: Path) -> None:
    """Write ``report.html`` and ``plots/``.

    Raises:
        OutputError: they cannot be written.
    """
    from jinja2 import Environment, PackageLoader

    sizes = [_size(result, report, size, out / "plots") for size in report["summary"]]
    videos = [
        {
            "name": video.name,
            "at_size": at_size,
            "strip": strip(report, facts["sizes"][at_size.size]["blocks"]),
            **_video(result, at_size),
        }
        for video, facts in zip(result.videos, report["videos"], strict=True)
        for at_size in video.at_sizes
    ]
    environment = Environment(loader=PackageLoader("neurocodec.compare", ""), autoescape=True)
    page = environment.get_template("report.html.j2").render(report=report, sizes=sizes, videos=videos)
    write_whole(out / "report.html", page.encode(errors="backslashreplace"))


def _save(figure: Any, folder: Path, name: str) -> str:
    """Write a plot as PNG and SVG; the SVG as a data URI."""
    make_folder(folder)
    data = rendered(figure, "svg")
    write_whole(folder / f"{name}.svg", data)
    write_whole(folder / f"{name}.png", rendered(figure, "png"))
    return uri("image/svg+xml", data)


def _size(result: Result, report: dict[str, Any], size: str, folder: Path) -> dict[str, Any]:
    """Headline, table and curves at one size."""
    summary = report["summary"][size]
    metrics = [m for m in result.plan.metrics if m.name in summary["metrics"]]
    pictures = []
    for metric in metrics:
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
        series = [(c.title, found[c.name]) for c in (result.ours, *result.peers) if c.name in found]
        if not series:
            continue
        many = "s" if summary["videos"] > 1 else ""
        title = f"{metric.title}, {size} size, mean of {summary['videos']} video{many}"
        frozen = found.get(result.frozen.name, [])
        figure = plots.curves(series, metric, default=default, frozen=frozen, title=title)
        pictures.append({"title": title, "image": _save(figure, folder, f"{size}_{metric.name}")})
    return {
        "name": size,
        "summary": summary,
        "verdict": verdict(report, summary),
        "comparisons": comparisons(report, summary),
        "metrics": metrics,
        "plots": pictures,
    }


def comparisons(report: dict[str, Any], summary: dict[str, Any]) -> list[dict[str, str]]:
    """By metric and peer: rates at our default's quality, the change, BD-rate; empty where there is none."""
    out = []
    for name, found in summary["metrics"].items():
        for peer, facts in found["peers"].items():
            counts, rate, bd = facts["counts"], facts["rate_change_percent"], facts["bd_pchip"]
            total = sum(counts.values())
            out.append(
                {
                    "metric": report["metrics"][name]["title"],
                    "peer": short(report["codecs"][peer]["title"]),
                    "theirs": f"{facts['peer_kbps']:.1f}" if counts["inside"] else "",
                    "ours": f"{facts['ours_kbps']:.1f}" if counts["inside"] else "",
                    "change": change(rate) if rate else "",
                    "on": f"{counts['inside']} of {total}",
                    "cheaper": str(counts["cheaper"] or ""),
                    "beyond": str(counts["out of reach"] or ""),
                    "bd": f"{bd['mean']:+.0f} %" if bd else "",
                }
            )
    return out


def strip(report: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The blocks of our default as a table: by peer and metric ours over theirs; None without a figure.

    ``heads`` are peers and what was compared, ``rows`` have ``time``, ``kbps`` and one cell for each head
    with its ``text`` and ``kind`` (``near``, ``even``, ``far`` or nothing).
    """
    blocks: list[dict[str, Any]] = next((p["blocks"] for p in found if p["default"]), [])
    columns = [*dict.fromkeys((peer, m) for b in blocks for peer, by in b["against"].items() for m in by)]
    if not columns:
        return None
    titles = {codec: short(facts["title"]) for codec, facts in report["codecs"].items()}
    heads = [(titles[peer], "faces" if metric == FACES else "frame") for peer, metric in columns]
    rows = [
        {
            "time": f"{b['begin']:.0f} to {b['end']:.0f} s",
            "kbps": b["kbps"],
            "cells": [
                _cell(b["against"][peer].get(metric), report["block_limit"]) for peer, metric in columns
            ],
        }
        for b in blocks
    ]
    return {"heads": heads, "rows": rows}


def _cell(found: dict[str, Any] | None, limit: float) -> dict[str, str]:
    """One ratio of a block; a triangle marks one above the limit, a star the peer's coarsest point."""
    if found is None or found["ratio"] is None:
        return {"text": "-", "kind": ""}
    ratio = found["ratio"]
    text = f"{ratio:.2f}" + (" ▲" if ratio > limit else "") + (" *" if found["status"] == "coarsest" else "")
    return {"text": text, "kind": "near" if ratio <= 1 else "even" if ratio <= limit else "far"}


def _columns(result: Result, video: VideoAtSize) -> tuple[list[Column], str | None]:
    """The source and the decoded shown points, up to the first that cannot be decoded, and why."""
    clip = load_clip(video.source)
    out = [Column("source", "", "", clip.frames)]
    for m in shown_points(result, video):
        try:
            frames = m.codec.decode(unpack(m.outcome.stream), clip.shape, clip.fps, m.point)
        except NeurocodecError as error:
            return out, f"{m.codec.title}: {error}"
        out.append(Column(m.codec.title, m.codec.label(m.point), f"{video.kbps(m):.1f} kbit/s", frames, m))
    return out, None if len(out) > 1 else "our default point is missing"


def _video(result: Result, video: VideoAtSize) -> dict[str, Any]:
    """One video at one size: rows of frames and crops, plots, a short video."""
    columns, problem = _columns(result, video)
    facts: dict[str, Any] = {"problem": problem, "columns": columns, "rows": [], "plots": []}
    if len(columns) < 2:
        return facts
    primary, ours, count = video.metrics[0], columns[1].measured, video.clip.shape[0]
    assert ours is not None
    values, apart = ours.values(primary), max(1, count // 10)
    worst = extreme_frames(values, primary, WORST, apart, worst=True)
    best = extreme_frames(values, primary, BEST, apart, worst=False)
    notes = {k: "where ours is best" for k in best} | {k: "where ours is worst" for k in worst}
    squares = face_squares(columns[0].frames, sorted(notes))
    titled = [(f"{short(c.title)} {c.rate}".strip(), c.frames) for c in columns]
    return {
        **facts,
        "rows": [_row(video, columns, k, notes[k], squares.get(k)) for k in sorted(notes)],
        "plots": _plots(result, video, columns),
        "movie": uri("video/mp4", side_by_side(titled, video.clip.fps, VIDEO_SECONDS)),
    }


def extreme_frames(
    values: Values | None, metric: Metric, count: int, apart: int, *, worst: bool
) -> list[int]:
    """The frames of the worst (or best) values, at least ``apart`` frames from each other."""
    known = [(v, k) for k, v in enumerate(values or []) if v is not None]
    out: list[int] = []
    for _, k in sorted(known, reverse=(metric.better == "lower") is worst):
        if len(out) < count and all(abs(k - other) >= apart for other in out):
            out.append(k)
    return sorted(out)


def _row(
    video: VideoAtSize, columns: list[Column], k: int, note: str, square: Place | None
) -> dict[str, Any]:
    primary = video.metrics[0]
    cells = []
    for c in columns:
        values = c.measured.values(primary) if c.measured else None
        value = values[k] if values else None
        cells.append(
            {
                "image": picture_uri(c.frames[k]),
                "face": picture_uri(enlarged(c.frames[k], square)) if square else None,
                "value": "" if value is None else f"{primary.title} {number(value)}",
            }
        )
    seconds = k / float(video.clip.fps)
    return {"frame": k, "seconds": seconds, "note": note, "cells": cells, "face": square is not None}


def _plots(result: Result, video: VideoAtSize, columns: list[Column]) -> list[dict[str, str]]:
    last_is_frozen = columns[-1].title == result.frozen.title
    out = []
    for metric in [m for m in video.metrics if not m.of_clip][:PLOTTED]:
        series = [
            (f"{c.title}, {c.rate}", values)
            for c in columns
            if c.measured and (values := c.measured.values(metric))
        ]
        if series:
            title = f"{metric.title}, frame by frame"
            figure = plots.frame_by_frame(
                series, metric, float(video.clip.fps), title, frozen_last=last_is_frozen
            )
            out.append({"title": title, "image": uri("image/svg+xml", rendered(figure, "svg"))})
    return out
