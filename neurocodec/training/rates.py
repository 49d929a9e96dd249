"""What landmark packets cost, step by step, on real clips.

    python -m neurocodec.training.rates CLIP... [--quantization 100] [--seconds 10]

Every row codes the same keypoints.  "entropy" is the empirical entropy of the coded integers, each coordinate
or coefficient on its own with the statistics of its whole clip: a bound for codes that know these beforehand
and use no context.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.packet_code import LandmarkEncoder
from neurocodec.keypoints.quantization import scaled
from neurocodec.keypoints.smoothing import smooth
from neurocodec.models import files as models
from neurocodec.models.device import BATCH
from neurocodec.models.engine import Engine
from neurocodec.options import SMOOTHING
from neurocodec.training.clips import expanded, read_squares

Integers = NDArray[np.int32]


def entropy(values: Integers) -> float:
    """Bits of a (frames, M) array by the empirical distribution of each column."""
    bits = 0.0
    for column in values.T:
        counts = np.unique(column, return_counts=True)[1]
        bits -= float((counts * np.log2(counts / counts.sum())).sum())
    return bits


def coded(code: LandmarkCode, symbols: Integers, block: int) -> int:
    """Bits of a (frames, M) array, the code starting afresh every ``block`` frames."""
    bits = 0
    for k in range(0, len(symbols), block):
        writer = LandmarkEncoder(code, symbols.shape[1])
        for row in symbols[k : k + block]:
            writer.write(row)
        bits += 8 * len(writer.getvalue())
    return bits


def changes(symbols: Integers) -> Integers:
    """Differences to the frame before, the first to zero."""
    return np.diff(symbols, axis=0, prepend=np.zeros_like(symbols[:1]))


@click.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--quantization", default=100, show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--model", default=models.DEFAULT_MOTION, show_default=True)
def main(clips: tuple[Path, ...], quantization: int, seconds: float, model: str) -> None:
    """Print bits a frame of landmark packets, code by code."""
    engine = Engine(models.find(model, "motion"))
    basis = engine.basis
    if basis is None:
        raise click.ClickException(f"{model} has no landmark transform")
    plain, transformed, smoothed = [], [], []
    block = 0
    files = expanded(clips)
    for clip in files:
        frames, fps = read_squares(clip, engine.size, seconds)
        batches = [np.stack(frames[k : k + BATCH]) for k in range(0, len(frames), BATCH)]
        keypoints = np.concatenate([engine.keypoints(b) for b in batches])
        plain.append(np.rint(scaled(keypoints, keypoints[0], quantization)).astype(np.int32))
        exact = scaled(keypoints, keypoints[0], quantization, basis)
        transformed.append(np.rint(exact).astype(np.int32))
        smoothed.append(smooth(exact, SMOOTHING))
        block = max(block, round(5 * fps))
    count = sum(map(len, plain))
    whole = 1 << 30

    def row(name: str, sets: list[Integers], code: Callable[[Integers], float], bound: bool = True) -> None:
        bits = sum(code(s) for s in sets) / count
        least = f"{sum(entropy(changes(s)) for s in sets) / count:12.1f}" if bound else ""
        click.echo(f"{name:<58}{bits:8.1f}{least}")

    click.echo(
        f"{len(files)} clips, {count} frames, {2 * engine.num_keypoints} values a frame, Q = {quantization}"
    )
    click.echo(f"{'bits a frame':>66}{'entropy':>12}")
    row("original's code", plain, lambda s: coded(LandmarkCode.ORIGINAL, s, whole), bound=False)
    row(
        "original's code of temporal differences",
        plain,
        lambda s: coded(LandmarkCode.ORIGINAL, changes(s), whole),
    )
    row("golomb", plain, lambda s: coded(LandmarkCode.GOLOMB, s, whole))
    row("range", plain, lambda s: coded(LandmarkCode.RANGE, s, whole))
    row("golomb, transform", transformed, lambda s: coded(LandmarkCode.GOLOMB, s, whole))
    row("range, transform", transformed, lambda s: coded(LandmarkCode.RANGE, s, whole))
    row(
        "original's code of the same integers",
        transformed,
        lambda s: coded(LandmarkCode.ORIGINAL, s, whole),
        bound=False,
    )
    row("golomb, transform, smoothing", smoothed, lambda s: coded(LandmarkCode.GOLOMB, s, whole))
    row("range, transform, smoothing", smoothed, lambda s: coded(LandmarkCode.RANGE, s, whole))
    row(
        "the same, starting afresh every five seconds",
        smoothed,
        lambda s: coded(LandmarkCode.RANGE, s, block),
    )


if __name__ == "__main__":
    main()
