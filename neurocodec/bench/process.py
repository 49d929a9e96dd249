"""Whole processes: commands as a user runs them, from start to end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurocodec.bench.other_encoders import ENCODERS
from neurocodec.errors import NeurocodecError
from neurocodec.models.timing import Spread


@dataclass(frozen=True)
class Run:
    """One process: ``wall`` seconds from its start to its end, what it printed, and what it noted."""

    wall: float
    printed: str
    noted: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A command, repeated.

    ``wall`` seconds from start to end; ``work`` seconds that the command itself reports, without starting
    Python and loading networks; ``first`` seconds to the first frame; ``peak`` bytes.
    """

    name: str
    frames: int
    wall: Spread
    work: Spread
    first: Spread | None = None
    peak: int | None = None
    kbps: float | None = None

    @property
    def fps(self) -> Spread:
        """Frames a second of the whole process."""
        return self.wall.inverse(self.frames)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "frames": self.frames,
            "peak": self.peak,
            "kbps": self.kbps,
            "fps": self.fps.as_dict(),
            "wall": self.wall.as_dict(),
            "work": self.work.as_dict(),
            "first": self.first.as_dict() if self.first else None,
        }


def run(command: Sequence[str]) -> tuple[float, str]:
    """Wall seconds of ``python ARGUMENTS...`` and what it printed.

    Raises:
        NeurocodecError: it failed.
    """
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise NeurocodecError(f"{' '.join(command)} failed: {last[0]}")
    return wall, done.stdout


def watched(command: Sequence[str], folder: Path) -> Run:
    """A command of ``neurocodec`` in a process that is watched (:mod:`neurocodec.bench.watched_command`)."""
    notes = folder / "notes.json"
    watching = ["-m", "neurocodec.bench.watched_command", str(notes), repr(time.time())]
    wall, printed = run([*watching, *command])
    return Run(wall, printed, json.loads(notes.read_text()))


def repeated(name: str, command: Sequence[str], folder: Path, repeats: int) -> Row:
    """A row of an encode or decode that prints a report as JSON."""
    runs = [watched([*command, "-f", "-q", "--json"], folder) for _ in range(repeats)]
    reports = [json.loads(r.printed) for r in runs]
    return Row(
        name,
        reports[0]["frames"],
        Spread.of([r.wall for r in runs]),
        Spread.of([r["seconds"] for r in reports]),
        Spread.of([r.noted["first"] for r in runs]),
        max(r.noted["peak"] for r in runs),
        reports[0].get("kbps", {}).get("total"),
    )


def codec_rows(clip: Path, folder: Path, repeats: int, extra: Sequence[str] = ()) -> list[Row]:
    """Encode both ways and decode; ``extra`` options go to all three."""
    ahead, schedule, out = (str(folder / name) for name in ("ahead.nfc", "schedule.nfc", "out.mp4"))
    commands = {
        "encode, looking ahead": ["encode", str(clip), ahead],
        "encode, on schedule": ["encode", str(clip), schedule, "--refresh", "schedule"],
        "decode": ["decode", ahead, out],
    }
    return [repeated(name, [*command, *extra], folder, repeats) for name, command in commands.items()]


def help_row(repeats: int) -> Spread:
    """Seconds of ``neurocodec --help``."""
    return Spread.of([run(["-m", "neurocodec", "--help"])[0] for _ in range(repeats)])


def peer_rows(clip: Path, side: int, threads: int | None, repeats: int) -> list[Row]:
    """x265 and SVT-AV1 on the same clip, each in a process of its own."""
    rows = []
    for name in ENCODERS:
        command = ["-m", "neurocodec.bench.other_encoders", name, str(clip), str(side), str(threads or 0)]
        found = [run(command) for _ in range(repeats)]
        reports = [json.loads(printed) for _, printed in found]
        wall, work = Spread.of([w for w, _ in found]), Spread.of([r["seconds"] for r in reports])
        rows.append(Row(reports[0]["title"], reports[0]["frames"], wall, work, kbps=reports[0]["kbps"]))
    return rows
