"""What an error of a coefficient of keypoints counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from clips import cut

from neurocodec.evaluation import importance
from neurocodec.evaluation.importance import _around


def test_coefficients_that_move_much_of_a_picture_count_more(clip: Path, tmp_path: Path) -> None:
    short = cut(clip, tmp_path / "short.mp4", 8)
    run = CliRunner().invoke(importance.main, [str(short)])
    assert run.exit_code == 0, run.output
    counts = np.array([float(v) for v in run.stdout.split(",") if v.strip()])
    assert counts.shape == (60,)
    assert counts.mean() == pytest.approx(1, abs=0.01)
    assert counts[:20].mean() > 1.2 * counts[40:].mean()


def test_places_around_mouth_and_eyes_weigh_most() -> None:
    keypoints = np.full((30, 2), 0.9, np.float32)
    for first, (x, y) in zip((0, 5, 10), ((0, 0.5), (-0.4, -0.3), (0.4, -0.3)), strict=True):
        keypoints[first : first + 2] = (x - 0.2, y), (x + 0.2, y)
    weight = _around(keypoints, 64)
    assert weight[48, 32] > 0.95 and weight[22, 19] > 0.95 and weight[22, 44] > 0.95
    assert weight[0, 0] < 0.01
    assert weight[60, 0] < weight[48, 24] < weight[48, 32]


def test_clips_that_are_too_short_and_models_that_do_not_fit_are_refused(
    clip: Path, tmp_path: Path, small_model: str
) -> None:
    short = cut(clip, tmp_path / "short.mp4", 3)
    run = CliRunner().invoke(importance.main, [str(short)])
    assert run.exit_code == 1 and "fewer than 6 frames" in run.output
    run = CliRunner().invoke(importance.main, [str(clip), "--model", small_model])
    assert run.exit_code == 1 and "too few keypoints" in run.output
    run = CliRunner().invoke(importance.main, [str(clip), "--model", str(tmp_path / "none.safetensors")])
    assert run.exit_code == 1 and "none.safetensors" in run.output
