"""Many encodes and decodes at once: ``python tools/load.py VIDEO [--jobs 4] [--seconds 2]``.

Starts so many processes of the command line on one machine, each encoding the beginning of a video and then
decoding it, checks that all files are alike but for what a float may do (the same frames, every file
strictly whole), and prints each one's time and peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def timed(commands: list[list[str]], folder: Path) -> list[tuple[float, int]]:
    """Run all of these at once; seconds and peak of resident memory in MiB of each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    running: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}
    for k, command in enumerate(commands):
        with (folder / f"log{k}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "neurocodec", *command], stdout=log, stderr=log, env=environment
            )
        running[process.pid] = k, process
    found: list[Any] = [None] * len(commands)
    while running:
        pid, status, usage = os.wait4(-1, 0)
        if pid not in running:
            continue
        k, process = running.pop(pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"process {k}: {(folder / f'log{k}').read_text().strip()}")
        found[k] = time.perf_counter() - began, usage.ru_maxrss // 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = folder / "in.mkv"
        cut(arguments.video, source, arguments.seconds)
        jobs = range(arguments.jobs)
        coded = [str(folder / f"{k}.nfc") for k in jobs]
        encodes = timed(
            [["encode", str(source), f, "-q", "--threads", "1", "--verify"] for f in coded], folder
        )
        decodes = timed(
            [["decode", f, f + ".mp4", "-q", "--strict", "--threads", "1"] for f in coded], folder
        )
        infos = [
            json.loads(subprocess.check_output([sys.executable, "-m", "neurocodec", "info", f, "--json"]))
            for f in coded
        ]
        if len({i["frames"] for i in infos}) != 1 or any(i["losses"] for i in infos):
            sys.exit("the files differ")
        frames = infos[0]["frames"]
        print(f"| {arguments.jobs} at once, {frames} frames each | slowest | frames/s in all | most memory |")
        print("|---|---|---|---|")
        for name, each in (("encode --verify", encodes), ("decode --strict", decodes)):
            slowest, most = max(s for s, _ in each), max(m for _, m in each)
            print(f"| {name} | {slowest:.1f} s | {frames * len(each) / slowest:.1f} | {most} MiB |")


def cut(video: Path, target: Path, seconds: float) -> None:
    """The beginning of a video, losslessly."""
    import av

    with av.open(str(video)) as source, av.open(str(target), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream("ffv1", rate=stream.average_rate)
        copy.width, copy.height, copy.pix_fmt = stream.width, stream.height, "yuv420p"  # type: ignore[attr-defined]
        for frame in source.decode(stream):
            if frame.time is not None and frame.time >= seconds:
                break
            out.mux(copy.encode(frame.reformat(format="yuv420p")))  # type: ignore[attr-defined]
        out.mux(copy.encode(None))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
