"""Rate-distortion optimized quantization: the integer trajectory that costs least while staying close.

For each coefficient of a run of frames, a Viterbi search over the integers around the exact value minimizes
the squared error, times what it counts, plus ``strength`` times the bits that its changes take, by a fixed
estimate of the code's length.  Jitter of less than a step, which nobody sees, then costs nothing.  Only
encoders do this; Wiegand, Sullivan et al. call it rate-constrained coder control (IEEE TCSVT 2003).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_OFFSETS = np.array([-1, 0, 1, 2])
_ZERO_BITS, _NONZERO_BITS, _BITS_PER_OCTAVE = 0.25, 2.5, 1.6


def _bits(change: NDArray[np.int64]) -> NDArray[np.float64]:
    size = np.abs(change)
    return np.where(size == 0, _ZERO_BITS, _NONZERO_BITS + _BITS_PER_OCTAVE * np.log2(np.maximum(size, 1)))


def smooth(
    exact: NDArray[np.float64], strength: float, importance: NDArray[np.float64] | None = None
) -> NDArray[np.int32]:
    """Exact values (frames, M), in steps -> integers (frames, M); coding starts from zeros.

    ``strength`` is in squared steps a bit; 0 rounds to the nearest integer.  ``importance`` (M,) is what the
    squared error of each coefficient counts, of the usual one.
    """
    if strength <= 0 or not len(exact):
        return np.rint(exact).astype(np.int32)
    price = np.full(exact.shape[1], strength) if importance is None else strength / importance
    base = np.floor(exact).astype(np.int64)
    candidates = base[..., None] + _OFFSETS
    cost = (exact[0][:, None] - candidates[0]) ** 2 + price[:, None] * _bits(candidates[0])
    came_from = np.zeros(candidates.shape, np.int8)
    for t in range(1, len(exact)):
        steps = candidates[t][:, :, None] - candidates[t - 1][:, None, :]
        paths = cost[:, None, :] + price[:, None, None] * _bits(steps)
        came_from[t] = paths.argmin(2)
        cost = paths.min(2) + (exact[t][:, None] - candidates[t]) ** 2
    out = np.empty(exact.shape, np.int32)
    best = cost.argmin(1)
    rows = np.arange(exact.shape[1])
    for t in range(len(exact) - 1, -1, -1):
        out[t] = candidates[t][rows, best]
        best = came_from[t][rows, best]
    return out
