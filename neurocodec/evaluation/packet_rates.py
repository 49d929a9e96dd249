"""What landmark packets cost, step by step, on real clips.

Every code gets the same keypoints.  "Entropy" is the empirical entropy of the coded integers, each coordinate
or coefficient on its own with the statistics of its whole clip: a bound for codes that know these beforehand
and use no context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocodec.datasets.clips import first_seconds
from neurocodec.errors import NeurocodecError
from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.packet_code import LandmarkEncoder
from neurocodec.keypoints.quantization import scaled
from neurocodec.keypoints.smoothing import smooth
from neurocodec.keypoints.transform import forward, train_basis
from neurocodec.models.device import BATCH
from neurocodec.models.engine import Engine
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.options import DEFAULT_SMOOTHING
from neurocodec.types import Picture

Integers = NDArray[np.int32]
_BLOCK_SECONDS = 5
_LATENT_STEPS, _SQUARE = 100, 256


@dataclass
class Rate:
    """Bits a frame of one way to code keypoints, and the entropy of its integers where that is a bound."""

    name: str
    bits: float
    entropy: float | None


def entropy(values: Integers) -> float:
    """Bits of a (frames, M) array by the empirical distribution of each column."""
    bits = 0.0
    for column in values.T:
        counts = np.unique(column, return_counts=True)[1]
        bits -= float((counts * np.log2(counts / counts.sum())).sum())
    return bits


def coded_bits(code: LandmarkCode, symbols: Integers, block: int | None = None) -> int:
    """Bits of a (frames, M) array, the code starting afresh every ``block`` frames."""
    bits, block = 0, block or max(1, len(symbols))
    for k in range(0, len(symbols), block):
        writer = LandmarkEncoder(code, symbols.shape[1])
        for row in symbols[k : k + block]:
            writer.write(row)
        bits += 8 * len(writer.getvalue())
    return bits


def changes(symbols: Integers) -> Integers:
    """Differences to the frame before, the first to zero."""
    return np.diff(symbols, axis=0, prepend=np.zeros_like(symbols[:1]))


def in_batches(frames: Sequence[Picture]) -> list[NDArray[np.uint8]]:
    """As many pictures (B,S,S,3) in one array as networks are handed."""
    return [np.stack(frames[k : k + BATCH]) for k in range(0, len(frames), BATCH)]


def packet_rates(
    clips: Sequence[Path], engine: Engine, quantization: int, seconds: float
) -> tuple[list[Rate], int]:
    """What a frame of clips takes, code by code, and how many frames there are.

    Raises:
        InputError: a clip that cannot be read.
        NeurocodecError: the model has no landmark transform.
    """
    if engine.basis is None:
        raise NeurocodecError(f"{engine.description.name} has no landmark transform")
    plain, transformed, smoothed = [], [], []
    block = 0
    for clip in clips:
        frames, fps = first_seconds(clip, engine.size, seconds)
        keypoints = np.concatenate([engine.keypoints(b) for b in in_batches(frames)])
        plain.append(np.rint(scaled(keypoints, keypoints[0], quantization)).astype(np.int32))
        exact = scaled(keypoints, keypoints[0], quantization, engine.basis)
        transformed.append(np.rint(exact).astype(np.int32))
        smoothed.append(smooth(exact, DEFAULT_SMOOTHING))
        block = max(block, round(_BLOCK_SECONDS * fps))
    count = sum(map(len, plain))

    def rate(
        name: str,
        code: LandmarkCode,
        coded: list[Integers],
        bound: list[Integers] | None = None,
        block: int | None = None,
    ) -> Rate:
        bits = sum(coded_bits(code, s, block) for s in coded) / count
        return Rate(name, bits, sum(entropy(changes(s)) for s in bound) / count if bound else None)

    original, golomb, ranged = LandmarkCode.ORIGINAL, LandmarkCode.GOLOMB, LandmarkCode.RANGE
    return [
        rate("original's code", original, plain),
        rate("original's code of temporal differences", original, [changes(s) for s in plain], plain),
        rate("golomb", golomb, plain, plain),
        rate("range", ranged, plain, plain),
        rate("golomb, transform", golomb, transformed, transformed),
        rate("range, transform", ranged, transformed, transformed),
        rate("original's code of the same integers", original, transformed),
        rate("golomb, transform, smoothing", golomb, smoothed, smoothed),
        rate("range, transform, smoothing", ranged, smoothed, smoothed),
        rate("the same, starting afresh every five seconds", ranged, smoothed, smoothed, block),
    ], count


def facial_landmark_rates(clips: Sequence[Path], engine: LandmarkEngine, seconds: float) -> dict[str, float]:
    """Bits a frame of the latent and of the 68 points of the same frames, at Q = 100; means of clips.

    The points are coded at the same steps per unit of [-1,1], coordinate by coordinate, and in their own
    principal axes, fitted to this very clip, which is more than a decoder could know.
    """

    def rate(values: NDArray[np.float64], basis: NDArray[np.int16] | None = None) -> float:
        exact = _LATENT_STEPS * (values - values[0])
        symbols = smooth(exact if basis is None else forward(exact, basis), DEFAULT_SMOOTHING)
        return coded_bits(LandmarkCode.RANGE, symbols[1:]) / max(1, len(symbols) - 1)

    found = []
    for clip in clips:
        frames, _ = first_seconds(clip, _SQUARE, seconds)
        latents = np.concatenate([engine.latents(b)[0] for b in in_batches(frames)])
        points = 2 * engine.decode(latents).reshape(len(frames), -1).astype(np.float64) - 1
        found.append((rate(latents.astype(np.float64)), rate(points), rate(points, train_basis([points]))))
    return dict(zip(("latent", "points", "points_in_their_axes"), np.mean(found, 0).tolist(), strict=True))
