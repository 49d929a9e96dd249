"""The summary on the terminal, from the report alone."""

from __future__ import annotations

from typing import Any


def lines(report: dict[str, Any]) -> list[str]:
    """What a user reads after a comparison."""
    out: list[str] = []
    for size, summary in report["summary"].items():
        out += _size(report, size, summary)
    out += [f"missing: {name}: {m['missing']}" for name, m in report["metrics"].items() if m["missing"]]
    out += [
        f"missing on {video['name']} ({size} size): {name}: {why}"
        for video in report["videos"]
        for size, found in video["sizes"].items()
        for name, why in found["missing_metrics"].items()
        if not report["metrics"][name]["missing"]
    ]
    out += [f"missing: {c['title']}: {c['missing']}" for c in report["codecs"].values() if c["missing"]]
    out += [f"failed: {text}" for text in report["failures"]]
    out += [f"skipped: {s['reason']}" for s in report["skipped"]]
    return out


def _size(report: dict[str, Any], size: str, summary: dict[str, Any]) -> list[str]:
    """The table of all points at a size, and what follows from it."""
    sizes = sorted({f"{v['sizes'][size]['width']}x{v['sizes'][size]['height']}" for v in report["videos"]})
    many = summary["videos"] > 1
    head = f"{_videos(summary['videos'])} at {', '.join(sizes)}; means over {'them' if many else 'it'}:"
    out = [head, ""]
    if summary["synthetic_only"]:
        out.insert(0, "Only synthetic clips: these figures say nothing about how well it does on people.")
    if summary["synthetic_left_out"]:
        out.insert(1, f"({summary['synthetic_left_out']} synthetic left out of these figures)")
    metrics = [name for name, m in report["metrics"].items() if not m["missing"]]
    out.append(f"{'':<44}{'kbit/s':>8}{'bits/frame':>11}" + "".join(f"{name:>10}" for name in metrics))
    for row in summary["rows"]:
        name = f"{row['codec']}, {row['label']}{' (default)' if row['default'] else ''}"
        values = "".join(f"{_number(row['means'].get(m)):>10}" for m in metrics)
        out.append(f"{name:<44}{row['kbps']:>8.1f}{row['bits_per_frame']:>11.0f}{values}")
    out.append("")
    out += [
        f"Our default: {row['bits']:.0f} bits a clip, {row['bits_per_frame']:.1f} a frame, "
        f"{row['kbps']:.2f} kbit/s; 1:{row['ratio_source']:.1f} against the source file's video, "
        f"1:{row['ratio_raw']:.0f} against raw frames"
        for row in summary["rows"]
        if row["default"] and row["codec"] == "ours"
    ]
    out += ["", "At the quality of our default (geometric means over videos, 95 % intervals):"]
    out += [f"  {line}" for line in answers(report, summary)]
    out += ["", "BD-rate of ours against theirs (negative: we need less), PCHIP / Akima:"]
    out += [f"  {line}" for line in deltas(report, summary)]
    return [*out, ""]


def answers(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """The plain answer, one line for every metric and peer."""
    out = []
    for name, found in summary["metrics"].items():
        title = report["metrics"][name]["title"]
        for peer, facts in found["peers"].items():
            out.append(f"{title}: {answer(report['codecs'][peer]['title'], facts)}")
        frozen = found["frozen"]
        if frozen:
            ours, held = frozen["ours"]["mean"], frozen["frozen"]["mean"]
            out.append(
                f"{title}: ours {_number(ours)}, frozen reference of the same bytes {_number(held)}; "
                f"better on {frozen['better_on']} of {frozen['of']}"
            )
    return out


def answer(title: str, facts: dict[str, Any]) -> str:
    """One peer and metric in a sentence."""
    inside, cheaper, beyond = (facts["counts"][status] for status in ("inside", "cheaper", "out of reach"))
    total, best = inside + cheaper + beyond, facts["best_case_percent"]
    parts = []
    if inside:
        some = "" if inside == total else f" (on {inside} of {total})"
        parts.append(
            f"{title} needs {facts['peer_kbps']:.1f} kbit/s, we need {facts['ours_kbps']:.1f}: "
            f"{_change(facts['rate_change_percent'])}{some}"
        )
    if cheaper:
        parts.append(f"on {cheaper} of {total} even the cheapest point of {title} is better; no figure there")
    if best is not None:
        parts.append(f"over all {total} at best {_change({'mean': best, 'low': None})}")
    if beyond:
        parts.append(f"on {beyond} of {total} {title} does not get there; no figure there")
    return "; ".join(parts)


def deltas(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """BD-rates, one line for every metric and peer."""
    out = []
    for name, found in summary["metrics"].items():
        for peer, facts in found["peers"].items():
            pchip, akima, text = facts["bd_pchip"], facts["bd_akima"], "no figure"
            if pchip:
                between = f" [{pchip['low']:+.0f}, {pchip['high']:+.0f}]" if pchip["low"] is not None else ""
                text = f"{pchip['mean']:+.0f} % / {akima['mean']:+.0f} %{between}, {_videos(pchip['count'])}"
            notes = f" ({'; '.join(facts['warnings'])})" if facts["warnings"] else ""
            out.append(
                f"{report['metrics'][name]['title']}, {report['codecs'][peer]['title']}: {text}{notes}"
            )
    return out


def _videos(count: int) -> str:
    return f"{count} video{'s' if count > 1 else ''}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _change(found: dict[str, Any]) -> str:
    """A rate change: ``62 % saved [55, 68]`` or ``12 % more``."""
    mean, low = found["mean"], found["low"]
    word, sign = ("saved", -1) if mean < 0 else ("more", 1)
    text = f"{abs(mean):.0f} % {word}"
    if low is None:
        return text
    a, b = sorted((sign * low, sign * found["high"]))
    return f"{text} [{a:.0f}, {b:.0f}]"
