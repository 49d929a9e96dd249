"""The summary on the terminal, from the report alone: some ten lines."""

from __future__ import annotations

from typing import Any

from neurocodec.compare.verdict import answers, first_metric, number, short, where, worst_block

_COLUMNS = ("lpips", "perceptual", "faces", "ssim", "vmaf", "psnr_y", "landmarks", "eyes", "mouth", "blinks")
"""Metrics that the terminal shows, where they were measured; all are in the report."""
_PROMISED = "av1"
"""The peer that blocks are held against."""
_HEADS = {
    "lpips": "LPIPS", "perceptual": "percept.", "ssim": "SSIM", "vmaf": "VMAF",
    "psnr_y": "PSNR", "landmarks": "landm.%", "eyes": "eyes r", "mouth": "mouth r",
    "blinks": "closed%",
}  # fmt: skip


def lines(report: dict[str, Any]) -> list[str]:
    """What a user reads after a comparison."""
    out: list[str] = []
    for size, summary in report["summary"].items():
        out += _size(report, size, summary)
    out += [f"not compared: {c['title']}: {c['missing']}" for c in report["codecs"].values() if c["missing"]]
    out += [f"failed: {text}" for text in report["failures"]]
    out += [f"skipped: {s['reason']}" for s in report["skipped"]]
    return out


def not_measured(report: dict[str, Any], names: list[str]) -> list[str]:
    """Why metrics that were asked for by name are missing."""
    out = [f"not measured: {n}: {m['missing']}" for n, m in report["metrics"].items() if m["missing"]]
    out += [
        f"not measured on {video['name']} ({size} size): {name}: {why}"
        for video in report["videos"]
        for size, found in video["sizes"].items()
        for name, why in found["missing_metrics"].items()
        if not report["metrics"][name]["missing"]
    ]
    return [line for line in out if any(f": {name}:" in line for name in names)]


def _size(report: dict[str, Any], size: str, summary: dict[str, Any]) -> list[str]:
    """A few lines for the videos at one size."""
    sizes = sorted({f"{v['sizes'][size]['width']}x{v['sizes'][size]['height']}" for v in report["videos"]})
    count = summary["videos"]
    name = report["videos"][0]["name"] if len(report["videos"]) == 1 else f"{count} videos"
    metric = first_metric(report, summary)
    head = f"{name} {'reduced to' if size == 'reduced' else 'at'} {', '.join(sizes)}"
    default = next((b for b in summary["beside"] if b["codec"] == "ours"), None)
    if default and metric:
        title = report["metrics"][metric]["title"]
        head += (
            f": our default takes {default['kbps']:.1f} kbit/s for {title} {number(default['means'][metric])}"
        )
    out = [head]
    if summary["synthetic_only"]:
        out.append("Only synthetic clips: these figures say nothing about how well it does on people.")
    if summary["synthetic_left_out"]:
        out.append(f"({summary['synthetic_left_out']} synthetic left out of these figures)")
    peers = zip(answers(report, summary), where(report, summary), strict=True)
    out += [f"  {answer}; {rates}" for answer, rates in peers]
    return [*out, *_blocks(report, summary), *_table(report, summary)]


def _blocks(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """One line on blocks of five seconds: beside AV1, which ours is held against, or else another peer."""
    peers = [peer for peer in (_PROMISED, *summary["blocks"]) if peer in summary["blocks"]]
    if not peers:
        return []
    found, allowed = summary["blocks"][peers[0]]["default"], 100 * (report["block_limit"] - 1)
    return [
        f"  in {found['kept']} of {found['of']} blocks of 5 s we are as near as "
        f"{short(report['codecs'][peers[0]]['title'])} at the same bytes ({allowed:.0f} % allowed); "
        f"the worst: {worst_block(found, summary['videos'])}"
    ]


def _table(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """Our default beside each codec at about the same rate, by all metrics that the terminal shows."""
    rows = summary["beside"]
    shown = [n for n in _COLUMNS if any(row["means"].get(n) is not None for row in rows)]
    if "lpips" in shown and "perceptual" in shown:
        shown.remove("perceptual")
    known = [n for n in report["metrics"] if any(row["means"].get(n) is not None for row in rows)]
    shown = shown or known[:9]
    if not rows or not shown:
        return []
    out = [f"{'at about our rate':<20}{'kbit/s':>8}" + "".join(f"{_HEADS.get(n, n[:8]):>9}" for n in shown)]
    for row in rows:
        values = "".join(f"{number(row['means'].get(n)):>9}" for n in shown)
        out.append(f"{short(report['codecs'][row['codec']]['title']):<20}{row['kbps']:>8.1f}{values}")
    return out
