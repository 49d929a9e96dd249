"""The plots of a comparison: rate against quality, and quality frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurocodec.compare.curves import RatePoint, front
from neurocodec.measure.metric import Metric, Values

COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#e377c2")
GREY = "#777777"


def _axes(width: float, height: float) -> tuple[Any, Any]:
    """A figure without a window and without global state, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    return figure, figure.subplots()


def _line(axes: Any, points: Sequence[RatePoint], style: str, **more: Any) -> None:
    axes.plot([p.kbps for p in points], [p.value for p in points], style, **more)


def curves(
    series: Sequence[tuple[str, Sequence[RatePoint]]],
    metric: Metric,
    *,
    default: RatePoint | None,
    frozen: Sequence[RatePoint],
    title: str,
) -> Any:
    """Rate (logarithmic) against quality; every coded point, and the front of each codec.

    ``default`` is circled; ours is the first of the series.
    """
    figure, axes = _axes(6.4, 4.4)
    for (name, points), colour in zip(series, COLOURS, strict=False):
        _line(axes, points, ".", color=colour, alpha=0.4)
        _line(axes, front(points, metric.better), "-o", color=colour, markersize=4, label=name)
    if frozen:
        _line(axes, sorted(frozen, key=lambda p: p.kbps), ":x", color=GREY, label="frozen reference")
    if default:
        _line(axes, [default], "o", markersize=12, mfc="none", mec=COLOURS[0], label="our default")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(_few)
    reversed_axis = metric.better == "lower"
    if reversed_axis:
        axes.invert_yaxis()
    note = " (lower is better, axis reversed)" if reversed_axis else ""
    axes.set(xlabel="kbit/s", ylabel=f"{metric.title}{note}", title=title)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    return figure


def _few(value: float, _: int) -> str:
    """Labels of minor ticks: only those that begin with 2 or 5."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def frame_by_frame(
    series: Sequence[tuple[str, Values]], metric: Metric, fps: float, title: str, *, frozen_last: bool
) -> Any:
    """A metric over time, one line for each shown point."""
    figure, axes = _axes(9.0, 2.6)
    for k, ((name, values), colour) in enumerate(zip(series, COLOURS, strict=False)):
        known = [(i / fps, v) for i, v in enumerate(values) if v is not None]
        held = frozen_last and k == len(series) - 1
        axes.plot(
            [t for t, _ in known], [v for _, v in known], linewidth=1.1, label=name,
            color=GREY if held else colour, linestyle=":" if held else "-",
        )  # fmt: skip
    axes.set(xlabel="seconds", ylabel=metric.title)
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    return figure
