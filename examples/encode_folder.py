"""Encode the videos of a folder at several qualities and plot their bit rates.

    python examples/encode_folder.py clips/ coded/ --qualities 20,35,50

writes a file like coded/talk.mp4-q20.nfc for every video and quality, and coded/rates.png.  Files that are
there already are not encoded again.  Sound is left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import neurocodec

SUFFIXES = {".mp4", ".mkv", ".mov", ".webm", ".avi"}


def rate(video: Path, coded: Path, quality: float) -> float:
    """Bit rate in kbit/s, without sound, of a video at a quality; encodes it if that was not done yet."""
    if not coded.exists():
        neurocodec.encode(video, coded, quality=quality, audio="none")
    return neurocodec.probe(coded).kbps["video"]


def plot(rates: dict[str, dict[float, float]], target: Path) -> None:
    """A line of bit rate over quality for each video."""
    figure, axes = plt.subplots(layout="constrained")
    for name, points in rates.items():
        axes.plot(list(points), list(points.values()), marker="o", label=name)
    axes.set(xlabel="quality", ylabel="kbit/s", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(target)


def qualities(text: str) -> list[float]:
    return sorted(float(word) for word in text.split(","))


def main() -> int:
    parser = argparse.ArgumentParser(description="Encode a folder at several qualities and plot the rates.")
    parser.add_argument("folder", type=Path, metavar="IN_DIR")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--qualities", type=qualities, default=[20.0, 35.0, 50.0], metavar="Q,Q,...")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is no folder")
    videos = sorted(p for p in arguments.folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not videos:
        parser.error(f"no videos in {arguments.folder} (looked for {', '.join(sorted(SUFFIXES))})")
    arguments.out.mkdir(parents=True, exist_ok=True)
    rates: dict[str, dict[float, float]] = {}
    failed = 0
    for video in videos:
        for quality in arguments.qualities:
            coded = arguments.out / f"{video.name}-q{quality:g}.nfc"
            try:
                kbps = rate(video, coded, quality)
            except neurocodec.NeurocodecError as error:
                print(error, file=sys.stderr)
                failed = 1
                break
            rates.setdefault(video.name, {})[quality] = kbps
            print(f"{coded}: {kbps:.2f} kbit/s")
    if rates:
        plot(rates, arguments.out / "rates.png")
        print(arguments.out / "rates.png")
    return failed


if __name__ == "__main__":
    sys.exit(main())
