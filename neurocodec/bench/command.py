"""The command: measures everything in turn, prints, writes JSON."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from neurocodec.bench import hour as long_clips
from neurocodec.bench import machine, markdown, process, published, report, sizes, stages
from neurocodec.errors import UsageError
from neurocodec.models.cost import operations
from neurocodec.models.files import DEFAULT_MOTION, ModelDescription, find, shipped_folder
from neurocodec.threads import use

PARTS = ("stages", "processes", "peers", "published")


def samples() -> list[Path]:
    """The clip that is measured if none is named."""
    return [shipped_folder().parent / "samples" / "astronaut.mp4"]


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), metavar="OUT.json", help="Write all figures there.")
@click.option("--repeats", type=int, default=3, show_default=True, help="Of every whole process.")
@click.option("--model", default=DEFAULT_MOTION, show_default=True, metavar="NAME|FILE", help="Motion model.")
@click.option("--sizes", metavar="SIDE,SIDE...", help="Also the stages of untrained models of these sizes.")
@click.option("--hour", "minutes", type=float, metavar="MINUTES", help="Also a clip of so many minutes.")
@click.option("--hour-fps", type=int, help="Frames a second of that clip.  [default: the source's]")
@click.option("--threads", type=int, metavar="N", help="CPU threads, 1 to 256.  [default: all cores]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--parts", default=",".join(PARTS), show_default=True, help="What is measured.")
@click.option("--seconds", type=float, default=2.0, show_default=True, help="For each stage.")
@click.option("--markdown", "as_tables", is_flag=True, help="Print the tables of README and docs.")
@click.option("--quick", is_flag=True, help="Everything once, and briefly: figures to be ignored.")
def bench(clips: tuple[Path, ...], out: Path | None, as_tables: bool, **settings: Any) -> None:
    """Measure stages and whole processes on CLIPS (default: the sample that comes along).

    \b
    Examples:
      python -m neurocodec.bench
      python -m neurocodec.bench talk.mp4 --repeats 5 --out bench.json
      python -m neurocodec.bench --sizes 256,384,512 --hour 60
    """
    sides, parts = _sides(settings.pop("sizes")), tuple(settings.pop("parts").split(","))
    found = run_bench(list(clips) or samples(), other_sizes=sides, parts=parts, **settings)
    click.echo("\n".join(markdown.tables(found) if as_tables else report.lines(found)))
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n")


def _sides(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in (text or "").split(",") if part)
    except ValueError:
        raise UsageError(f"--sizes takes numbers with commas between them, not {text!r}") from None


def run_bench(
    clips: list[Path], *, repeats: int = 3, model: str = DEFAULT_MOTION, other_sizes: tuple[int, ...] = (),
    minutes: float | None = None, hour_fps: int | None = None, threads: int | None = None,
    device: str = "auto", parts: tuple[str, ...] = PARTS, seconds: float = 2.0, quick: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """All figures; ``clips`` are videos, the first of which also feeds the stages.

    Raises:
        UsageError: numbers that make no sense.
        NeurocodecError: a clip or the model cannot be used, or a process failed.
    """
    unknown = [part for part in parts if part not in ("", *PARTS)]
    if unknown:
        raise UsageError(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    if repeats < 1 or seconds <= 0 or (minutes is not None and not 0 < minutes <= 1440):
        raise UsageError("repeats must be at least 1, seconds positive, minutes more than 0 and at most 1440")
    if any(not 64 <= size <= 1024 or size % 8 for size in other_sizes):
        raise UsageError("sizes must be multiples of 8 from 64 to 1024")
    use(threads)
    if quick:
        seconds, repeats = 0.05, 1
    chosen = find(model, "motion")
    options = ["--device", device, *(["--model", str(chosen.path)] if model != DEFAULT_MOTION else [])]
    options += ["--threads", str(threads)] if threads else []
    found: dict[str, Any] = {
        "machine": machine.described(device),
        "matmul_gflops": {k: s.as_dict() for k, s in machine.multiplying(seconds, device).items()},
        "model": chosen.name,
        "stages": {},
        "clips": {clip.name: {} for clip in clips},
        "help_seconds": None,
        "published": None,
        "sizes": {},
        "long": None,
    }
    if "stages" in parts:
        measured = stages.all_stages(chosen, clips[0], seconds, device)
        found["stages"] = {s.name: s.as_dict() for s in measured}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in clips:
            rows = process.codec_rows(clip, folder, repeats, options) if "processes" in parts else []
            if "peers" in parts:
                rows += process.peer_rows(clip, chosen.size, threads, repeats)
            found["clips"][clip.name] = {row.name: row.as_dict() for row in rows}
        if "processes" in parts:
            found["help_seconds"] = process.help_row(max(3, repeats)).as_dict()
        if "published" in parts:
            found["published"] = _published(chosen, 0 if quick else seconds, device)
        found["sizes"] = sizes.size_figures(chosen, list(other_sizes), clips[0], folder, seconds, device)
        if minutes:
            rate = Fraction(hour_fps) if hour_fps else None
            found["long"] = long_clips.hour(clips[0], folder, minutes, rate)
    found["ratios"] = _ratios(found)
    return found


def _published(ours: ModelDescription, seconds: float, device: str) -> dict[str, Any]:
    """The published configuration, and how many times what ours needs."""
    parts, weights = published.published(seconds, device, least=3 if seconds else 1)
    return {
        "bytes": weights,
        "stages": {s.name: s.as_dict() for s in parts},
        "mac_ratio": (parts[-1].macs or 0) / operations(ours)["frame"],
        "byte_ratio": weights / ours.path.stat().st_size,
    }


def _ratios(found: dict[str, Any]) -> dict[str, float]:
    """How many times as fast we are as the others, whole processes, on the first clip."""
    rows = next(iter(found["clips"].values()))
    fps = {name: row["fps"]["median"] for name, row in rows.items()}
    ours = [name for name in fps if name.startswith("encode")]
    peers = [name for name in fps if not name.startswith(("encode", "decode"))]
    out = {
        f"{name} is so many times as fast as {peer}": fps[name] / fps[peer] for name in ours for peer in peers
    }
    if found["published"] and "decode" in fps:
        frame = found["published"]["stages"]["render, one reference"]["ms"]["median"] / 1000
        out["decode is so many times as fast as rendering with the published vox-256"] = frame * fps["decode"]
    return out
