"""Figures as the tables of README and ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MIB = 1 << 20


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _range(s: dict[str, Any], digits: int) -> str:
    if s["repeats"] == 1:
        return f"{s['median']:.{digits}f}"
    return f"{s['median']:.{digits}f} [{s['low']:.{digits}f}, {s['high']:.{digits}f}]"


def stages(found: dict[str, Any]) -> Iterator[str]:
    """Stages of a model, or of the published one."""
    yield from _head("", "ms", "of a", "MMAC", "GFLOP/s")
    for name, s in found.items():
        macs = (f"{s['macs'] / 1e6:.0f}", f"{s['gflops']:.0f}") if s["macs"] else ("", "")
        yield _row(name, _range(s["ms"], 1), s["unit"], *macs)


def processes(rows: dict[str, Any]) -> Iterator[str]:
    """Whole processes on one clip."""
    yield from _head("whole process", "frames/s", "ms a frame without start-up", "peak memory", "kbit/s")
    for name, r in rows.items():
        work = f"{1000 * r['work']['median'] / r['frames']:.1f}" if r["work"] else ""
        memory = f"{r['peak'] / MIB:.0f} MiB" if r["peak"] else ""
        yield _row(name, _range(r["fps"], 1), work, memory, f"{r['kbps']:.1f}" if r["kbps"] else "")


def sizes(found: dict[str, Any]) -> Iterator[str]:
    """Untrained models, a column for each size: milliseconds (and MMAC where they are counted)."""
    yield from _head("", *(f"{size}x{size}" for size in found))
    for name in next(iter(found.values()), {}):
        cells = [by_name[name] for by_name in found.values()]
        yield _row(name, *(f"{c['ms']['median']:.1f} ms, {c['macs'] / 1e6:.0f} MMAC" for c in cells))


def tables(found: dict[str, Any]) -> Iterator[str]:
    """All that was measured, a table after the other."""
    m = found["machine"]
    best = ", ".join(f"{s['median']:.0f} in {name}" for name, s in found["matmul_gflops"].items())
    yield f"{m['processor']}, {m['cores']} cores, PyTorch {m['torch']}; a matrix product: GFLOP/s {best}."
    if found["stages"]:
        yield ""
        yield from stages(found["stages"])
    for rows in found["clips"].values():
        if rows:
            yield ""
            yield from processes(rows)
            first = (
                f"first decoded frame after {_range(rows['decode']['first'], 2)} s; "
                if "decode" in rows
                else ""
            )
            yield ""
            if found["help_seconds"]:
                yield f"{first}`neurocodec --help` {_range(found['help_seconds'], 2)} s."
    if found["published"]:
        yield ""
        yield from stages(found["published"]["stages"])
    if found["sizes"]:
        yield ""
        yield from sizes(found["sizes"])
