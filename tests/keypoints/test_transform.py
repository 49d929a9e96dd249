"""The transform of keypoints."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.keypoints.quantization import dequantize, quantize
from neurocodec.keypoints.transform import BASIS_ONE, forward, inverse, train_basis

some = settings(deadline=None, max_examples=40)


def orthonormal(size: int, seed: int = 0) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return np.rint(q * BASIS_ONE * 0.9999).astype(np.int16)


@some
@given(st.integers(2, 60), st.integers(0, 99))
def test_there_and_back_through_an_orthonormal_basis(size: int, seed: int) -> None:
    basis = orthonormal(size, seed)
    values = np.random.default_rng(seed).uniform(-200, 200, (5, size))
    assert np.abs(inverse(forward(values, basis), basis) - values).max() < 0.5


def test_one_coefficient_is_one_row_of_the_basis() -> None:
    basis = orthonormal(4)
    u = np.array([0, 3, 0, 0])
    row = basis[1].astype(float) / BASIS_ONE
    assert np.allclose(inverse(u, basis), 3 * row)
    points = dequantize(u.astype(np.int32), np.zeros((2, 2)), 10, basis)
    assert np.allclose(points.reshape(-1), 0.3 * row, atol=1e-6)


def test_a_trained_basis_orders_variance_and_is_orthonormal() -> None:
    rng = np.random.default_rng(5)
    mixed = orthonormal(10, 9) / BASIS_ONE
    tracks = [np.cumsum(rng.normal(size=(80, 10)) * 0.7 ** np.arange(10), 0) @ mixed for _ in range(4)]
    basis = train_basis(tracks)
    steps = np.concatenate([forward(t[5:] - t[:-5], basis) for t in tracks])
    power = (steps**2).sum(0)
    assert basis.dtype == np.int16
    assert (np.diff(power) <= 1e-6 * power[0]).all()
    assert np.allclose((basis / BASIS_ONE) @ (basis / BASIS_ONE).T, np.eye(10), atol=2e-3)
    assert (train_basis(tracks) == basis).all()


def test_quantized_coefficients_are_close() -> None:
    basis, rng = orthonormal(8), np.random.default_rng(3)
    reference, points = rng.uniform(-1, 1, (4, 2)), rng.uniform(-1, 1, (5, 4, 2))
    u = quantize(points, reference, 100, basis)
    assert np.abs(dequantize(u, reference, 100, basis) - points).max() < 0.5 * np.sqrt(8) / 100 + 1e-3
