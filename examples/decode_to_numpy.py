"""Decode an .nfc file into a NumPy array.

    python examples/decode_to_numpy.py call.nfc              # writes call.npy
    python examples/decode_to_numpy.py call.nfc part.npy --start 2 --duration 1.5

The array has the shape (frames, height, width, 3): RGB, 8 bits, at the model's size.  All of it is held in
memory: about 5 MB for a second of video at 256x256.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import neurocodec


def to_array(source: Path, **settings: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) in seconds and pictures (T,S,S,3) RGB; ``settings`` are options of a decode."""
    frames = list(neurocodec.pictures(source, **settings))
    return np.array([seconds for seconds, _ in frames]), np.stack([picture for _, picture in frames])


def main() -> int:
    parser = argparse.ArgumentParser(description="Decode an .nfc file into a NumPy array.")
    parser.add_argument("source", type=Path, metavar="IN.nfc")
    parser.add_argument("target", type=Path, metavar="OUT.npy", nargs="?", help="default: IN.npy")
    parser.add_argument("--start", type=float, metavar="SECONDS", help="begin here")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="decode this much")
    arguments = parser.parse_args()
    target = arguments.target or arguments.source.with_suffix(".npy")
    if target.exists():
        parser.error(f"{target} exists")
    try:
        times, pictures = to_array(arguments.source, start=arguments.start, duration=arguments.duration)
    except neurocodec.NeurocodecError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    np.save(target, pictures)
    print(f"{target}: {pictures.shape} {pictures.dtype}, {times[0]:.2f} to {times[-1]:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
