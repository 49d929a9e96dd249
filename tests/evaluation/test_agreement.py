"""Verdicts beside LPIPS, and what they cost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import answer
from safetensors.torch import save_file
from training_clips import frame_folder

from neurocodec.errors import InputError
from neurocodec.evaluation import agreement as agreements


def test_agreement_of_verdicts() -> None:
    truth = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([0.4, 0.5, 0.6])}
    found = agreements.agreement({k: -v for k, v in truth.items()}, truth)
    assert (found.spearman, found.frames, found.clips) == (1.0, 6, {"a": 1.0, "b": 1.0})
    crossed = {"a": -truth["b"], "b": -truth["a"]}
    assert agreements.agreement(crossed, truth).spearman < 0
    assert agreements.agreement(crossed, truth).clips == {"a": 1.0, "b": 1.0}
    with pytest.raises(InputError, match="too few"):
        agreements.agreement({"a": truth["a"][:2]}, {"a": truth["a"][:2]})


def lpips_file(path: Path) -> Path:
    """A small network in the layout of AlexNet's LPIPS."""
    rng = torch.Generator().manual_seed(1)
    widths, sides = (3, 8, 8, 8, 8, 8), (11, 5, 3, 3, 3)
    tensors = {f"lin{k}.weight": torch.ones(1, 8, 1, 1) for k in range(5)}
    for k, side in enumerate(sides):
        shape = (widths[k + 1], widths[k], side, side)
        tensors[f"conv{k + 1}.weight"] = torch.randn(shape, generator=rng) / side
        tensors[f"conv{k + 1}.bias"] = torch.zeros(widths[k + 1])
    save_file(tensors, path)
    return path


@pytest.mark.slow
def test_agreement_command(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROCODEC_LPIPS", raising=False)
    command = ["train", "agreement", str(clip), "--seconds", "0.8", "--every", "2", "-q"]
    code, _, shown = answer(*command)
    assert code == 2 and "--lpips" in shown
    command += ["--lpips", str(lpips_file(tmp_path / "lpips.safetensors"))]
    code, printed, _ = answer(*command, "--json")
    assert code == 0
    found = json.loads(printed)
    assert found["feedback"] == "perceptual"
    assert 5 <= found["frames"] <= 10
    assert -1 <= found["spearman"] <= 1
    assert found["judging_ms"] > 0
    assert found["share"] == pytest.approx(found["judging_ms"] / found["decoding_ms"])
    code, printed, _ = answer(*command, "--json", "--refresh", "schedule")
    assert code == 0
    scheduled = json.loads(printed)
    # every fifth of 20 frames
    assert scheduled["verdicts_per_frame"] == pytest.approx(4 / 20)
    assert 0.1 < found["verdicts_per_frame"] < 1


@pytest.mark.parametrize(("spearman", "judging", "code"), [(0.9, 0.49, 0), (0.79, 0.49, 1), (0.9, 0.51, 1)])
def test_agreement_is_checked(
    spearman: float, judging: float, code: int, clip: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """At 0.8, and at 5 % of a frame's decoding."""
    spent = agreements.Spent(frames=1000, verdicts=400, judging=judging, decoding=10.0)
    found = agreements.Agreement(spearman, 0.9, 9, {"clip": 0.9}, spent)
    monkeypatch.setattr(agreements, "measure", lambda *a, **k: found)
    weights = lpips_file(tmp_path / "lpips.safetensors")
    exit_code, printed, shown = answer("train", "agreement", clip, "--lpips", weights, "--check")
    assert exit_code == code
    said = f"0.40 verdicts a frame, {judging:.2f} ms; decoding 10.00 ms a frame: {judging * 10:.1f}%"
    assert said in printed
    assert ("does not reach" in shown) is bool(code)


@pytest.mark.slow
def test_rendered_frames_are_those_a_decoder_shows(clip: Path) -> None:
    spent = agreements.Spent()
    rows = list(agreements.rendered_frames(clip, 0.6, 1, spent))
    originals = {r[1].tobytes() for r in rows}
    assert len(originals) == len(rows) >= 10
    for rendering, original in rows:
        near = np.abs(rendering.astype(float) - original).mean()
        assert near < 12
    assert spent.frames == 15
    assert spent.verdicts > 0
    assert min(spent.judging, spent.decoding) > 0


def test_clips_with_the_same_name(tmp_path: Path) -> None:
    first, second = (frame_folder(tmp_path / k / "clip", 1, 1) for k in ("a", "b"))
    assert agreements.named([first, second]) == {str(first): first, str(second): second}
    assert agreements.named([first]) == {"clip": first}
