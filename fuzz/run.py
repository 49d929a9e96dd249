"""Structure-aware mutation fuzzing: ``python fuzz/run.py [--seconds 60] [--count N] [--seed 0] [TARGET...]``.

Every input is made of a seed by :mod:`mutate`; what ``--seed`` and ``--count`` say decides all of them.
Counts inputs, keeps those that end in anything but an error of the package, or take longer than two
seconds, under ``fuzz/found/``, and exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mutate import changed
from seeds import seeds
from targets import TARGETS

FOUND = Path(__file__).parent / "found"
SLOW = 2.0
"""Seconds of processor time that an input may take."""


def fuzz(target: str, count: int, seconds: float, seed: int) -> tuple[int, list[tuple[bytes, str]]]:
    """Try up to ``count`` inputs for up to so many seconds; how many were tried, and those that failed."""
    rng, corpus, failed = random.Random(f"{target}:{seed}"), seeds(target), []
    run = TARGETS[target]
    began, tried = time.monotonic(), 0
    while tried < count and time.monotonic() - began < seconds:
        data = rng.choice(corpus) if tried >= len(corpus) else corpus[tried]
        if tried >= len(corpus):
            for _ in range(rng.choice((1, 1, 2))):
                data = changed(target, data, rng)
        tried += 1
        start = time.process_time()
        try:
            run(data)
        except Exception as error:
            failed.append((data, f"{type(error).__name__}: {error}"))
        else:
            spent = time.process_time() - start
            if spent > SLOW:
                failed.append((data, f"{spent:.1f} s"))
    return tried, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60, help="in all")
    parser.add_argument("--count", type=int, default=10**9, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    bad = 0
    for target in arguments.targets:
        share = arguments.seconds / len(arguments.targets)
        tried, failed = fuzz(target, arguments.count, share, arguments.seed)
        print(f"{target}: {tried} inputs, {len(failed)} failures")
        for data, reason in failed[:20]:
            FOUND.mkdir(exist_ok=True)
            path = FOUND / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"  {path}: {reason}")
        bad += len(failed)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
