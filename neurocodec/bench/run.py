"""The whole benchmark: everything that was asked for, in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from neurocodec.bench import hardware, process, stages
from neurocodec.bench.long_clips import there_and_back
from neurocodec.bench.published import published
from neurocodec.errors import UsageError
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_MOTION
from neurocodec.threads import use_threads

PARTS = ("stages", "processes", "peers", "published")


def run_bench(
    clips: Sequence[Path], *, repeats: int = 3, model: str = DEFAULT_MOTION, sizes: Sequence[int] = (),
    minutes: float | None = None, hour_fps: int | None = None, threads: int | None = None,
    device: str = "auto", parts: Sequence[str] = PARTS, seconds: float = 2.0, quick: bool = False,
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
    if any(not 64 <= size <= 1024 or size % 8 for size in sizes):
        raise UsageError("sizes must be multiples of 8 from 64 to 1024")
    use_threads(threads)
    if quick:
        seconds, repeats = 0.05, 1
    chosen = find(model, "motion")
    options = ["--device", device, *(["--model", str(chosen.path)] if model != DEFAULT_MOTION else [])]
    options += ["--threads", str(threads)] if threads else []
    found: dict[str, Any] = {
        "machine": hardware.described(device),
        "matmul_gflops": {k: s.as_dict() for k, s in hardware.multiplying(seconds, device).items()},
        "model": chosen.name,
        "stages": stages.all_stages(chosen, clips[0], seconds, device) if "stages" in parts else {},
        "clips": {},
        "help_seconds": None,
        "published": None,
        "sizes": {},
        "long": None,
    }
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
            brief = (0, 1) if quick else (seconds, 3)
            found["published"] = published(chosen, device, *brief)
        found["sizes"] = stages.size_stages(chosen, sizes, clips[0], folder, seconds, device)
        if minutes:
            rate = Fraction(hour_fps) if hour_fps else None
            found["long"] = there_and_back(clips[0], folder, minutes, rate)
    found["ratios"] = _ratios(found)
    return found


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
