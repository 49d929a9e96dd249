"""What was measured, as tables in Markdown and a plot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from neurocodec.evaluation.sound.grid import USUAL, Figure, Table

_DRAWN = (USUAL, "20 ms", "120 ms", "up to 4 kHz", "any bandwidth")
_COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e")


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _kbps(figures: Mapping[str, Figure]) -> float:
    return _mean(f.kbps for f in figures.values())


def _cells(figures: Mapping[str, Figure]) -> str:
    """Mean rates, scores, and the worst STOI of a clip."""
    every = list(figures.values())
    payload = _mean(f.payload for f in every)
    stoi, extended = _mean(f.scores.stoi for f in every), _mean(f.scores.extended for f in every)
    worst, treble = min(f.scores.stoi for f in every), _mean(f.scores.treble for f in every)
    scores = f"{stoi:.3f} | {extended:.3f} | {worst:.3f} | {treble:.1f}"
    return f"{_kbps(figures):.2f} | {payload:.2f} | {scores} |"


def lines(table: Table, default: int) -> Iterator[str]:
    """Three tables: the usual way at all rates, all ways at the ``default`` rate (bit/s), and every clip."""
    rest = "all bytes, kbit/s | Opus alone | STOI | extended STOI | worst STOI | 4.3-8 kHz, dB |"
    rule = "|---:" * 6 + "|"
    yield from (f"| asked for, kbit/s | bandwidth, kHz | {rest}", "|---:|---:" + rule)
    for rate, figures in table[USUAL].items():
        bands = sorted({f.hertz // 1000 for f in figures.values()})
        yield f"| {rate / 1000:g} | {', '.join(map(str, bands))} | {_cells(figures)}"
    yield from ("", f"| at {default / 1000:g} kbit/s | {rest}", "|---" + rule)
    for name, rates in table.items():
        yield f"| {name} | {_cells(rates[default])}"
    head = "| clip | all bytes, kbit/s | left out, % | STOI | extended STOI | 4.3-8 kHz, dB | lag, ms |"
    yield from ("", head, "|---" + "|---:" * 6 + "|")
    for clip, f in table[USUAL][default].items():
        s = f.scores
        cells = f"{s.stoi:.3f} | {s.extended:.3f} | {s.treble:.1f} | {s.lag:+.1f}"
        yield f"| `{clip}` | {f.kbps:.2f} | {100 * f.silence:.1f} | {cells} |"


def plot(table: Table, default: int) -> Any:
    """kbit/s of all bytes against both scores; means, and thin lines for single clips the usual way."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas((9.0, 3.8), layout="constrained")
    both = canvas.subplots(1, 2, sharex=True)
    for axes, key, title in zip(both, ("stoi", "extended"), ("STOI", "extended STOI"), strict=True):
        for clip in next(iter(table[USUAL].values())):
            points = [(f[clip].kbps, getattr(f[clip].scores, key)) for f in table[USUAL].values()]
            axes.plot(*zip(*points, strict=True), color="#bbbbbb", linewidth=0.8, zorder=1)
        for name, colour in zip(_DRAWN, _COLOURS, strict=True):
            means = {
                rate: (_kbps(f), _mean(getattr(x.scores, key) for x in f.values()))
                for rate, f in table[name].items()
            }
            axes.plot(*zip(*means.values(), strict=True), "-o", color=colour, markersize=3, label=name)
            if name == USUAL:
                axes.plot(*means[default], "o", markersize=11, mfc="none", mec=colour, label="our default")
        axes.set(xlabel="kbit/s, all bytes", ylabel=title)
        axes.grid(alpha=0.3)
    both[1].legend(fontsize=8)
    return canvas
