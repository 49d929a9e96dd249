"""Quantization: keypoints to integer symbols and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocodec.keypoints import transform

Symbols = NDArray[np.int32]
Basis = NDArray[np.int16]


def scaled(
    keypoints: NDArray[np.floating],
    reference: NDArray[np.floating],
    quantization: int,
    basis: Basis | None = None,
) -> NDArray[np.float64]:
    """Keypoints (..., N, 2) and the reference's (N, 2), in [-1,1] -> what is rounded to symbols (..., 2N)."""
    difference = np.asarray(keypoints, np.float64) - np.asarray(reference, np.float64)
    flat = quantization * difference.reshape(*difference.shape[:-2], -1)
    return flat if basis is None else transform.forward(flat, basis)


def quantize(
    keypoints: NDArray[np.floating],
    reference: NDArray[np.floating],
    quantization: int,
    basis: Basis | None = None,
) -> Symbols:
    """Keypoints (..., N, 2) and the reference's (N, 2), in [-1,1] -> symbols u, (..., 2N) int32."""
    return np.rint(scaled(keypoints, reference, quantization, basis)).astype(np.int32)


def dequantize(
    symbols: Symbols, reference: NDArray[np.floating], quantization: int, basis: Basis | None = None
) -> NDArray[np.float32]:
    """Symbols u (..., 2N) and the reference's keypoints (N,2) -> keypoints (..., N, 2)."""
    values = symbols if basis is None else transform.inverse(symbols, basis)
    offsets = values.reshape(*symbols.shape[:-1], -1, 2) / np.float64(quantization)
    return (np.asarray(reference, np.float64) + offsets).astype(np.float32)
