"""Figures as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MIB = 1 << 20


def _spread(s: dict[str, Any], digits: int) -> str:
    return f"{s['median']:.{digits}f} [{s['low']:.{digits}f}, {s['high']:.{digits}f}]"


def _stages(stages: dict[str, Any]) -> Iterator[str]:
    for name, s in stages.items():
        reached = f"{s['macs'] / 1e6:9.0f} MMAC {s['gflops']:7.0f} GFLOP/s" if s["macs"] else ""
        yield f"  {name:<34}{_spread(s['ms'], 2):>24} ms a {s['unit']:<9}{reached}"


def _rows(rows: dict[str, Any]) -> Iterator[str]:
    yield f"  {'':<25}{'frames/s':>22}{'ms a frame':>12}{'s to first frame':>20}{'peak':>10}{'kbit/s':>8}"
    for name, r in rows.items():
        first = _spread(r["first"], 2) if r["first"] and name == "decode" else ""
        memory = f"{r['peak'] / MIB:.0f} MiB" if r["peak"] else ""
        rate = f"{r['kbps']:.1f}" if r["kbps"] else ""
        work = f"{1000 * r['work']['median'] / r['frames']:.1f}" if r["work"] else ""
        yield f"  {name:<25}{_spread(r['fps'], 1):>22}{work:>12}{first:>20}{memory:>10}{rate:>8}"


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Everything that was measured, for people."""
    m = found["machine"]
    kind = ", AMX" if m["amx_bfloat16"] else ""
    use = f"{m['cores']} cores, {m['threads']} threads, {m['device']}, PyTorch {m['torch']}"
    yield f"{m['processor']}{kind}, {use}"
    for name, s in found["matmul_gflops"].items():
        yield f"  a large matrix product in {name:<9} {_spread(s, 0):>20} GFLOP/s"
    if found["stages"]:
        yield f"stages of {found['model']}, one after the other:"
        yield from _stages(found["stages"])
    for clip, rows in found["clips"].items():
        yield f"whole processes, {clip} (frames/s with start-up; time a frame without):"
        yield from _rows(rows)
    if found["help_seconds"]:
        yield f"  neurocodec --help {_spread(found['help_seconds'], 2)} s"
    if found["published"]:
        p = found["published"]
        yield f"the published vox-256 in PyTorch, float32, random weights, {p['bytes'] / 1e6:.0f} MB:"
        yield from _stages(p["stages"])
        yield f"  {p['mac_ratio']:.0f} times our multiplications, {p['byte_ratio']:.0f} times the size"
    for size, stages in found["sizes"].items():
        yield f"untrained, {size}x{size}:"
        yield from _stages(stages)
    for name, ratio in found["ratios"].items():
        yield f"{name}: {ratio:.2f}"
    if found["long"]:
        long = found["long"]
        yield f"{long['minutes']:g} minutes of video, {long['frames']} frames, {long['bytes']} bytes:"
        for name in ("encode, on schedule", "encode, looking ahead", "decode"):
            r = long[name]
            held = " ".join(f"{b / MIB:.0f}" for b in r["resident"])
            yield f"  {name:<24}{r['fps']:7.1f} frames/s, peak {r['peak'] / MIB:.0f} MiB; by tenths {held}"
