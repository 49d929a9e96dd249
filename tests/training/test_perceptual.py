"""Training of the perceptual distance: coded and spoilt pictures, a short run, agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import answer
from safetensors.torch import save_file
from training_clips import people

from neurocodec.datasets.clips import find_clips
from neurocodec.errors import InputError
from neurocodec.measure.lpips import Lpips
from neurocodec.models.model_files import describe, load
from neurocodec.networks.perceptual import Perceptual
from neurocodec.training import coded_pairs
from neurocodec.training.perceptual import agreement


@pytest.fixture(scope="module")
def lpips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights in the shape of LPIPS with AlexNet, with few channels, at random."""
    torch.manual_seed(3)
    widths, kernels = (3, 6, 6, 6, 6, 6), (11, 5, 3, 3, 3)
    tensors = {}
    for k, (a, b, size) in enumerate(zip(widths, widths[1:], kernels, strict=False)):
        tensors[f"conv{k + 1}.weight"] = torch.randn(b, a, size, size) / (size * a**0.5)
        tensors[f"conv{k + 1}.bias"] = torch.zeros(b)
        tensors[f"lin{k}.weight"] = torch.rand(b)
    path = tmp_path_factory.mktemp("lpips") / "lpips.safetensors"
    save_file(tensors, path)
    return path


def test_maps_add_up_to_the_distance(lpips: Path) -> None:
    distance = Lpips(lpips)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 255, (2, 64, 64, 3), np.uint8)
    tensors = [torch.from_numpy(x[None]).permute(0, 3, 1, 2).float() / 255 for x in (a, b)]
    assert sum(float(m.mean()) for m in distance.maps(*tensors)) == pytest.approx(distance(a, b), rel=1e-5)
    assert distance(a, a) == pytest.approx(0, abs=1e-6)


def test_spoilt_pictures_differ_and_keep_their_shape() -> None:
    rng = np.random.default_rng(1)
    picture, other = rng.integers(0, 255, (2, 96, 96, 3), np.uint8)
    for _ in range(40):
        found = coded_pairs.spoilt(picture, other, rng)
        assert found.shape == picture.shape and found.dtype == np.uint8
        assert not np.array_equal(found, picture)


@pytest.mark.slow
def test_trains_and_is_held_against_lpips(lpips: Path, tmp_path: Path) -> None:
    people(tmp_path / "data", frames=14)
    people(tmp_path / "val", frames=14)
    (tmp_path / "val" / "clips.csv").write_text(
        "clip,identity,split\n" + "".join(f"person{k}/clip,v{k},val\n" for k in range(2))
    )
    model = tmp_path / "distance.safetensors"
    code, shown, _ = answer(
        "train", "perceptual", "--data", str(tmp_path / "data"), "--lpips", str(lpips),
        "--validate", str(tmp_path / "val"), "--out", str(tmp_path / "run"), "--export", str(model),
        "--steps", "3", "--batch", "4", "--threads", "1", "--accelerator", "cpu", "--size", "256",
        "--precision", "32-true", "--set", "passes=1", "--set", "renderings=4",
        "--set", "tested_models=[]",
        "--set", "model.widths=[4,4,4,4,4]", "--set", "optimizer.warmup=1", "--set", "data.references=2",
        "-q",
    )  # fmt: skip
    assert code == 0
    assert "together:" in shown and "vp9:" in shown and "Pearson" in shown
    found = describe(model)
    assert (found.kind, found.architecture) == ("feedback", "perceptual")
    network = load(found)
    assert isinstance(network, Perceptual)
    pairs = coded_pairs.load(tmp_path / "run" / "test")
    figures = agreement(network, pairs, Lpips(lpips))
    assert figures["together"]["count"] == len(pairs.kinds)
    assert {"av1", "hevc", "h264"} <= set(figures)


def test_what_is_no_folder_of_pairs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pairs"):
        coded_pairs.load(tmp_path)


def test_a_codec_is_quick_but_the_same(tmp_path: Path) -> None:
    people(tmp_path, count=1, frames=14)
    made = coded_pairs.coded(find_clips(tmp_path), ("h264",), 64, 1)
    assert made.pictures.shape == made.originals.shape == (3, 64, 64, 3)
    assert set(made.kinds) == {"h264"}
    assert coded_pairs.quick("hevc").options(40)["preset"] == "medium"  # type: ignore[attr-defined]
