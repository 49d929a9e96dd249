"""What a call was like: latency, frozen time, quality over time, bits by kind; as numbers and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurocodec.call.simulate import CallResult
from neurocodec.measure.pictures import psnr
from neurocodec.models.distance import DistanceEngine
from neurocodec.types import Picture

RATE_GOAL = 5000.0
"""Bytes a second that a call should stay under: 5 KB/s."""
COLOURS = {"received": "#1f77b4", "interpolated": "#2ca02c", "predicted": "#ff7f0e", "frozen": "#d62728"}
"""By how a frame came about."""


def summarize(
    result: CallResult, pictures: list[Picture], fps: float, distance: DistanceEngine, every: int = 5
) -> dict[str, Any]:
    """Figures of a call; distances (0: alike) are of every so many-th frame that showed something."""
    seconds = len(pictures) / fps
    how = dict.fromkeys((*COLOURS, "nothing"), 0)
    for item in result.shown:
        how[item.how] += 1
    first = next((s for s in result.shown if s.picture is not None), None)
    latencies = [s.time - s.frame / fps for s in result.shown if s.how == "received"]
    over_time = [
        {
            "time": s.frame / fps,
            "distance": float(distance(s.picture[None], [pictures[s.frame]])[0]),
            "psnr": psnr(pictures[s.frame], s.picture),
            "how": s.how,
        }
        for s in result.shown[::every]
        if s.picture is not None
    ]
    means = {
        key: float(np.mean([row[key] for row in over_time])) if over_time else None
        for key in ("distance", "psnr")
    }
    sent, compute = dict(sorted(result.sent.bytes.items())), result.compute
    total = sum(sent.values())
    quantiles = {f"p{q}": float(np.percentile(latencies, q)) for q in (5, 50, 95, 99)} if latencies else {}
    return {
        "seconds": seconds,
        "frames": len(pictures),
        "frames_by_kind": how,
        "frames_left_out_by_the_sender": result.sent.skipped,
        "first_picture_after": None if first is None else first.time,
        "frozen_seconds": how["frozen"] / fps,
        "latency_seconds": quantiles,
        **means,
        "references": result.sent.references,
        "bytes_by_kind": sent,
        "feedback_bytes": result.report_bytes,
        "bytes_per_second": total / seconds,
        "kbps": 8 * total / seconds / 1000,
        "under_5_KB_per_second": total / seconds < RATE_GOAL,
        "packets": result.packets.sent,
        "packets_lost": result.packets.lost,
        "packets_dropped_by_the_queue": result.packets.dropped,
        "packets_damaged": result.damaged,
        "compute_seconds": {
            "measure": compute.measure, "render": compute.render, "judge": compute.verdict,
        },
        "over_time": over_time,
    }  # fmt: skip


def lines(s: dict[str, Any]) -> list[str]:
    """A summary for people."""
    how, latency = s["frames_by_kind"], s["latency_seconds"]
    kinds = ", ".join(f"{name} {count}" for name, count in s["bytes_by_kind"].items())
    shown = ", ".join(f"{count} {name}" for name, count in how.items() if count)
    out = [f"{s['seconds']:.2f} s, {s['frames']} frames: {shown}"]
    if latency:
        out.append(
            f"latency {1000 * latency['p50']:.0f} ms (median), {1000 * latency['p95']:.0f} ms (95 %), "
            f"{1000 * latency['p99']:.0f} ms (99 %)"
        )
    if s["first_picture_after"] is not None:
        out.append(
            f"first picture after {s['first_picture_after']:.2f} s, frozen {s['frozen_seconds']:.2f} s, "
            f"distance to the original {s['distance']:.3f}, PSNR {s['psnr']:.1f} dB"
        )
    under = "under" if s["under_5_KB_per_second"] else "NOT under"
    return [
        *out,
        f"{s['kbps']:.1f} kbit/s = {s['bytes_per_second'] / 1000:.2f} KB/s, {under} 5 KB/s, "
        f"{s['references']} references",
        f"bytes: {kinds}; feedback {s['feedback_bytes']} the other way",
        f"packets: {s['packets']} sent, {s['packets_lost']} lost, "
        f"{s['packets_dropped_by_the_queue']} dropped by the queue",
    ]


def sweep_table(name: str, rows: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """A line for every value that was tried."""
    out = [
        f"{name:>12}{'kbit/s':>9}{'distance':>10}{'PSNR':>7}{'latency':>9}{'95 %':>7}"
        f"{'concealed':>11}{'frozen s':>10}{'first s':>9}"
    ]
    for value, s in rows:
        how, latency = s["frames_by_kind"], s["latency_seconds"]
        concealed = (how["interpolated"] + how["predicted"]) / max(s["frames"], 1)
        out.append(
            f"{value:>12}{s['kbps']:9.1f}{_number(s['distance'], 10, 3)}{_number(s['psnr'], 7, 1)}"
            f"{_number(latency and 1000 * latency['p50'], 9, 0)}"
            f"{_number(latency and 1000 * latency['p95'], 7, 0)}{100 * concealed:10.1f}%"
            f"{s['frozen_seconds']:10.2f}{_number(s['first_picture_after'], 9, 2)}"
        )
    return out


def _number(value: Any, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if not value and value != 0 else f"{value:{width}.{digits}f}"


def plot(result: CallResult, summary: dict[str, Any], fps: float, title: str) -> Any:
    """A figure over time: distance, latency, how frames came about, the sender's rate."""
    from matplotlib.figure import Figure

    figure = Figure((9, 8), layout="constrained")
    axes: Any = figure.subplots(3, 1, sharex=True)
    rows, rates = summary["over_time"], result.sent.rates
    axes[0].plot([r["time"] for r in rows], [r["distance"] for r in rows], lw=1.2)
    axes[0].set(ylabel="distance to the original", title=title)
    for kind, colour in COLOURS.items():
        some = [(s.frame / fps, 1000 * (s.time - s.frame / fps)) for s in result.shown if s.how == kind]
        if some:
            axes[1].plot(*zip(*some, strict=True), ".", ms=3, color=colour, label=kind)
    axes[1].set_ylabel("latency (ms)")
    axes[1].legend(loc="upper right", fontsize=8)
    axes[2].plot([t for t, _ in rates], [r / 1000 for _, r in rates], lw=1.2)
    axes[2].set(xlabel="seconds", ylabel="sender's rate (kbit/s)")
    axes[2].set_ylim(bottom=0)
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure


def sweep_plot(name: str, rows: Sequence[tuple[str, dict[str, Any]]]) -> Any:
    """Curves of distance, latency and frozen time over the value that was changed."""
    from matplotlib.figure import Figure

    figure = Figure((11, 3.6), layout="constrained")
    axes: Any = figure.subplots(1, 3)
    panels = (
        ("distance to the original", lambda s: s["distance"]),
        ("latency, 95 % (ms)", lambda s: 1000 * s["latency_seconds"].get("p95", np.nan)),
        ("frozen (s)", lambda s: s["frozen_seconds"]),
    )
    for (title, value), axis in zip(panels, axes, strict=True):
        heights = [np.nan if value(s) is None else value(s) for _, s in rows]
        axis.plot(range(len(rows)), heights, "o-", lw=1.2)
        axis.set_xticks(range(len(rows)), [value for value, _ in rows])
        axis.set(xlabel=name, title=title)
        axis.grid(alpha=0.3)
    return figure
