"""What was measured, as text for people or as tables for ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MIB = 1 << 20
Table = list[list[str]]
"""A head and rows of cells."""


def _spread(s: dict[str, Any], digits: int) -> str:
    middle = f"{s['median']:.{digits}f}"
    return middle if s["repeats"] == 1 else f"{middle} [{s['low']:.{digits}f}, {s['high']:.{digits}f}]"


def _stages(stages: dict[str, Any]) -> Table:
    """Stages of a model, ours or the published one."""
    rows = [["", "ms", "of a", "MMAC", "GFLOP/s"]]
    for name, s in stages.items():
        reached = [f"{s['macs'] / 1e6:.0f}", f"{s['gflops']:.0f}"] if s["macs"] else ["", ""]
        rows.append([name, _spread(s["ms"], 1), s["unit"], *reached])
    return rows


def _processes(processes: dict[str, Any]) -> Table:
    """Whole processes on one clip."""
    rows = [["whole process", "frames/s", "ms a frame without start-up", "peak memory", "kbit/s"]]
    for name, p in processes.items():
        work = f"{1000 * p['work']['median'] / p['frames']:.1f}" if p["work"] else ""
        memory = f"{p['peak'] / MIB:.0f} MiB" if p["peak"] else ""
        rows.append([name, _spread(p["fps"], 1), work, memory, f"{p['kbps']:.1f}" if p["kbps"] else ""])
    return rows


def size_table(sizes: dict[str, Any]) -> Table:
    """Stages of untrained models, a column for each size."""
    rows = [["", *(f"{size}x{size}" for size in sizes)]]
    for name in next(iter(sizes.values())):
        cells = [by_name[name] for by_name in sizes.values()]
        rows.append([name, *(f"{c['ms']['median']:.1f} ms, {c['macs'] / 1e6:.0f} MMAC" for c in cells)])
    return rows


def _long(long: dict[str, Any]) -> Table:
    """A very long clip."""
    rows = [["", "frames/s", "peak memory", "MiB in use, by tenths of the frames"]]
    for name in ("encode, on schedule", "encode, looking ahead", "decode"):
        r = long[name]
        held = " ".join(f"{b / MIB:.0f}" for b in r["resident"])
        rows.append([name, f"{r['fps']:.1f}", f"{r['peak'] / MIB:.0f} MiB", held])
    return rows


def _sections(found: dict[str, Any]) -> Iterator[tuple[str, Table]]:
    """What was measured, each part as a sentence and a table."""
    m = found["machine"]
    use = f"{m['cores']} cores, {m['threads']} threads, {m['device']}, PyTorch {m['torch']}"
    best = ", ".join(f"{_spread(s, 0)} in {name}" for name, s in found["matmul_gflops"].items())
    kind = ", AMX" if m["amx_bfloat16"] else ""
    yield f"{m['processor']}{kind}, {use}; GFLOP/s of a large matrix product: {best}.", []
    if found["stages"]:
        yield f"Stages of {found['model']}, one after the other:", _stages(found["stages"])
    for clip, rows in found["clips"].items():
        if rows:
            yield f"Whole processes, {clip} (frames/s with start-up):", _processes(rows)
        if "decode" in rows:
            yield f"First decoded frame after {_spread(rows['decode']['first'], 2)} s.", []
    if found["help_seconds"]:
        yield f"`neurocodec --help` {_spread(found['help_seconds'], 2)} s.", []
    if found["published"]:
        p = found["published"]
        yield (
            (
                f"The published vox-256 in PyTorch, float32, random weights, {p['bytes'] / 1e6:.0f} MB; "
                f"{p['mac_ratio']:.0f} times our multiplications, {p['byte_ratio']:.0f} times the size:"
            ),
            _stages(p["stages"]),
        )
    if found["sizes"]:
        yield "Untrained models of other sizes:", size_table(found["sizes"])
    for name, ratio in found["ratios"].items():
        yield f"{name}: {ratio:.2f}", []
    if found["long"]:
        long = found["long"]
        yield (
            (f"{long['minutes']:g} minutes of video, {long['frames']} frames, {long['bytes']} bytes:"),
            _long(long),
        )


def lines(found: dict[str, Any], as_markdown: bool = False) -> Iterator[str]:
    """Everything that was measured."""
    for sentence, table in _sections(found):
        yield sentence
        if table:
            yield ""
            yield from markdown(table) if as_markdown else text(table)
            yield ""


def markdown(table: Table) -> Iterator[str]:
    """The lines of a table in Markdown."""
    head, *rows = (f"| {' | '.join(row)} |" for row in table)
    yield from (head, "|" + "---|" * len(table[0]), *rows)


def text(table: Table) -> Iterator[str]:
    """The lines of a table as text: names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, *cells in table:
        figures = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([f"  {name:<{widths[0]}}", *figures]).rstrip()
