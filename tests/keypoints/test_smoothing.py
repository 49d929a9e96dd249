"""Trajectories of keypoints that cost fewer bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import CHECKPOINTS
from safetensors.numpy import load_file

from neurocodec.keypoints.importance import importance
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


def test_what_counts_more_stays_nearer() -> None:
    exact = np.repeat(3 + 1.4 * np.sin(np.arange(60) / 3)[:, None], 2, 1)
    u = smooth(exact, 1.0, np.array([4.0, 0.25]))
    far = ((u - exact) ** 2).mean(0)
    assert far[0] < 0.25 < far[1]
    assert (u[:, 0] == smooth(exact[:, :1], 0.25)[:, 0]).all()
    assert (u[:, 1] == smooth(exact[:, :1], 4.0)[:, 0]).all()


def test_only_the_basis_that_was_measured_has_coefficients_of_unlike_importance() -> None:
    ours = load_file(CHECKPOINTS / "swift256.safetensors")["landmark_basis"]
    counts = importance(ours, len(ours))
    assert counts.shape == (60,) and counts.mean() == pytest.approx(1, abs=0.01)
    assert counts[:20].mean() > 1.5 * counts[40:].mean()
    assert (importance(-ours, len(ours)) == 1).all()
    assert (importance(None, 8) == np.ones(8)).all()
