"""Trajectories of keypoints that cost fewer bits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.keypoints.smoothing import _bits, smooth

some = settings(deadline=None, max_examples=40)


def cost(u: np.ndarray, exact: np.ndarray, strength: float) -> np.ndarray:
    """What :func:`smooth` minimizes, for each coefficient."""
    moves = np.diff(u.astype(np.int64), axis=0, prepend=0)
    return ((u - exact) ** 2).sum(0) + strength * _bits(moves).sum(0)


trajectories = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([0.3, 1.0, 20.0]))


def exact_of(which: tuple[int, int, float]) -> np.ndarray:
    seed, frames, size = which
    return np.cumsum(np.random.default_rng(seed).normal(0, size, (frames, 6)), 0)


@some
@given(trajectories, st.sampled_from([0.05, 0.15, 1.0, 5.0]))
def test_smoothing_never_costs_more_than_rounding(which: tuple[int, int, float], strength: float) -> None:
    exact = exact_of(which)
    u = smooth(exact, strength)
    assert (cost(u, exact, strength) <= cost(np.rint(exact), exact, strength) + 1e-6).all()


@some
@given(trajectories, st.sampled_from([0.05, 0.15, 5.0]))
def test_smoothing_stays_within_two_steps(which: tuple[int, int, float], strength: float) -> None:
    exact = exact_of(which)
    assert np.abs(smooth(exact, strength) - exact).max() <= 2


@some
@given(trajectories)
def test_no_smoothing_is_rounding(which: tuple[int, int, float]) -> None:
    exact = exact_of(which)
    assert (smooth(exact, 0) == np.rint(exact)).all()


def test_jitter_of_less_than_a_step_is_smoothed_away() -> None:
    exact = 3 + 0.6 * np.sin(np.arange(40))[:, None]
    assert len(np.unique(np.rint(exact))) > 1
    assert len(np.unique(smooth(exact, 1.0))) == 1


def test_a_trajectory_of_no_frames() -> None:
    assert smooth(np.zeros((0, 4)), 0.15).shape == (0, 4)
