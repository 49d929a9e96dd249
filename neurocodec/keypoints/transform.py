"""An orthogonal transform across the keypoint coordinates of a frame.

Most of what a head does moves many keypoints at once, so that their coordinates are nearly redundant.  A
model carries a Karhunen-Loeve basis, trained offline on other people's trajectories and stored as integers;
its rows are coded in the order of falling variance.  What is quantized are the coefficients, so that nothing
about the transform matters to parsing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BASIS_ONE = 1 << 14
"""A basis of int16 holds units of 1 / BASIS_ONE."""


def forward(values: NDArray[np.floating], basis: NDArray[np.int16]) -> NDArray[np.float64]:
    """Coordinates (..., M) -> coefficients (..., M); rows of ``basis`` (M, M) are basis vectors."""
    return np.asarray(values, np.float64) @ (basis.T / BASIS_ONE)


def inverse(
    coefficients: NDArray[np.floating] | NDArray[np.int32], basis: NDArray[np.int16]
) -> NDArray[np.float64]:
    """Coefficients (..., M) -> coordinates (..., M)."""
    return np.asarray(coefficients, np.float64) @ (basis / BASIS_ONE)


def train_basis(trajectories: list[NDArray[np.floating]], lag: int = 5) -> NDArray[np.int16]:
    """The basis (M, M) of trajectories (frames, M): principal axes of what changes within ``lag`` frames."""
    steps = np.concatenate([t[lag:] - t[:-lag] for t in trajectories if len(t) > lag])
    _, vectors = np.linalg.eigh(steps.T @ steps)
    rows = vectors.T[::-1]
    rows = rows * np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])[:, None]
    return np.rint(rows * (BASIS_ONE - 1)).astype(np.int16)
