"""What landmark packets cost, step by step, on real clips.

Every code gets the same keypoints.  "Entropy" is the empirical entropy of the coded integers, each coordinate
or coefficient on its own with the statistics of its whole clip: a bound for codes that know these beforehand
and use no context.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocodec.datasets.clips import first_seconds
from neurocodec.errors import NeurocodecError
from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.importance import importance
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.keypoints.quantization import scaled
from neurocodec.keypoints.smoothing import smooth
from neurocodec.keypoints.transform import forward, train_basis
from neurocodec.models.device import BATCH
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import DEFAULT_QUALITY, LATENT_SMOOTHING, smoothing_at

Integers = NDArray[np.int32]
_BLOCK_SECONDS = 5


class Rate(NamedTuple):
    """Bits a frame of one way to code landmarks, and the entropy of its integers where that is a bound."""

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
        writer = PacketEncoder(code, symbols.shape[1])
        for row in symbols[k : k + block]:
            writer.write(row)
        bits += 8 * len(writer.getvalue())
    return bits


def changes(symbols: Integers) -> Integers:
    """Differences to the frame before, the first to zero."""
    return np.diff(symbols, axis=0, prepend=np.zeros_like(symbols[:1]))


def packet_rates(
    clips: Sequence[Path], engine: MotionEngine, landmarks: LandmarkEngine, quantization: int, seconds: float
) -> tuple[list[Rate], int]:
    """What a frame of clips takes, code by code, and how many frames there are.

    The last rows are facial landmarks of the same frames: the latent that ``--landmarks 68`` codes, and the
    68 points, at as many steps per unit of [-1,1], coordinate by coordinate, and in their principal axes,
    fitted to each clip, which is more than a decoder could know.

    Raises:
        InputError: a clip that cannot be read.
        NeurocodecError: the model has no landmark transform.
    """
    if engine.basis is None:
        raise NeurocodecError(f"{engine.description.name} has no landmark transform")
    sets: list[list[Integers]] = [[] for _ in range(6)]
    plain, transformed, smoothed, latent, points, turned = sets
    block = 0
    strength = smoothing_at(DEFAULT_QUALITY, quantization)
    counts = importance(engine.basis, len(engine.basis))
    for clip in clips:
        frames, fps = first_seconds(clip, engine.size, seconds)
        batches = [np.stack(frames[k : k + BATCH]) for k in range(0, len(frames), BATCH)]
        keypoints = np.concatenate([engine.keypoints(b) for b in batches])
        plain.append(np.rint(scaled(keypoints, keypoints[0], quantization)).astype(np.int32))
        exact = scaled(keypoints, keypoints[0], quantization, engine.basis)
        transformed.append(np.rint(exact).astype(np.int32))
        found = np.concatenate([landmarks.latents(b)[0] for b in batches])
        flat = 2 * landmarks.decode(found).reshape(len(frames), -1).astype(np.float64) - 1
        of_points = quantization * (flat - flat[0])
        smoothed.append(smooth(exact, strength, counts))
        latent.append(smooth(quantization * (found - found[0]).astype(np.float64), LATENT_SMOOTHING))
        points.append(smooth(of_points, strength))
        turned.append(smooth(forward(of_points, train_basis([flat])), strength))
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
        rate("latent of 68 landmarks: range, smoothing", ranged, latent, latent),
        rate("68 landmarks: range, smoothing", ranged, points, points),
        rate("the same, in axes fitted to each clip", ranged, turned, turned),
    ], count
