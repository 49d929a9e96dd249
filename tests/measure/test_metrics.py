"""Metrics: perfect on equal frames, worse on worse ones, and named when they cannot be had."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from places import SAMPLES
from safetensors.torch import load_file, save_file

from neurocodec.errors import InputError
from neurocodec.measure import networks as weights
from neurocodec.measure.clips import ClipSource, Frames, load_clip
from neurocodec.measure.expression import closed_kept, correlation, expression, openness
from neurocodec.measure.faces import CHIP, embed
from neurocodec.measure.metric import Metric, MetricFiles
from neurocodec.measure.pictures import PsnrY
from neurocodec.measure.registry import METRICS
from neurocodec.media import ffmpeg_program

ALWAYS = ("ssim", "psnr_y", "psnr_rgb", "flicker")
PERFECT = {"ssim": 1, "ms_ssim": 1, "psnr_y": 100, "psnr_rgb": 100, "flicker": 0, "xpsnr": 100, "lpips": 0}


@pytest.fixture(scope="module")
def frames() -> Frames:
    return load_clip(ClipSource(str(SAMPLES / "astronaut.mp4"), 0.16, 176)).frames


def noisy(frames: Frames, sigma: float) -> Frames:
    noise = np.random.default_rng(1).normal(0, sigma, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def mean(metric: Metric, a: Frames, b: Frames) -> float:
    return float(np.mean([v for v in metric.measure(a, b, 1) if v is not None]))


@pytest.mark.parametrize("name", [*ALWAYS, "ms_ssim", "xpsnr", "vmaf"])
def test_perfect_and_worse(name: str, frames: Frames) -> None:
    metric = METRICS[name](MetricFiles())
    why = metric.missing(frames.shape[2], frames.shape[1])
    if why:
        pytest.skip(why)
    same, little, much = (mean(metric, frames, f) for f in (frames, noisy(frames, 4), noisy(frames, 20)))
    if name == "vmaf":
        assert same > 90
    else:
        assert same == pytest.approx(PERFECT[name], abs=1e-3)
    ordered = [same, little, much]
    assert ordered == sorted(ordered, reverse=metric.better == "higher")
    assert same != little != much


def test_known_values() -> None:
    black = np.zeros((3, 16, 16, 3), np.uint8)
    grey = black + 10
    assert mean(PsnrY(MetricFiles()), black, grey) == pytest.approx(10 * np.log10(255**2 / 100), abs=1e-3)
    flicker = METRICS["flicker"](MetricFiles())
    assert flicker.measure(black, grey, 1) == [None, 0, 0]  # wrong, but steady
    blinking = black.copy()
    blinking[1] += 10
    assert flicker.measure(black, blinking, 1)[1:] == pytest.approx([10, 10], abs=1e-3)
    moving = np.stack([np.full((16, 16, 3), v, np.uint8) for v in (0, 20, 40)])
    assert flicker.measure(moving, np.repeat(moving[:1], 3, 0), 1)[1:] == pytest.approx([20, 20], abs=1e-3)


def test_every_nth_frame(frames: Frames) -> None:
    values = METRICS["psnr_rgb"](MetricFiles()).measure(frames, noisy(frames, 5), 2)
    assert [v is not None for v in values] == [True, False, True, False]


def test_the_missing_are_named(frames: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = MetricFiles()
    assert "--lpips" in str(METRICS["lpips"](nothing).missing(256, 256))
    assert "--identity-net FILE and --face-detector FILE" in str(
        METRICS["identity"](nothing).missing(256, 256)
    )
    monkeypatch.setattr("neurocodec.measure.faces.installed", lambda: iter(()))
    assert "--landmark-net" in str(METRICS["landmarks"](nothing).missing(256, 256))
    assert "161" in str(METRICS["ms_ssim"](nothing).missing(256, 144))
    monkeypatch.setattr(ffmpeg_program, "program", lambda: None)
    for name in ("vmaf", "xpsnr"):
        assert "imageio-ffmpeg" in str(METRICS[name](nothing).missing(256, 256))
    for name in ALWAYS:
        assert METRICS[name](nothing).missing(64, 64) is None


def lpips_tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    channels = (3, 64, 192, 384, 256, 256)
    out = {}
    for k, side in enumerate((11, 5, 3, 3, 3)):
        shape = channels[k + 1], channels[k], side, side
        out[f"conv{k + 1}.weight"] = torch.randn(shape) / (channels[k] * side * side) ** 0.5
        out[f"conv{k + 1}.bias"] = torch.zeros(channels[k + 1])
        out[f"lin{k}.weight"] = torch.rand(1, channels[k + 1], 1, 1)
    return out


def test_lpips_from_a_file_or_the_environment(
    tmp_path: Path, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lpips.safetensors"
    save_file(lpips_tensors(), file)
    by_option = weights.metric_files(tmp_path, lpips=str(file))
    monkeypatch.setenv("NEUROCODEC_LPIPS", str(file))
    assert weights.metric_files(tmp_path) == by_option
    metric = METRICS["lpips"](by_option)
    assert metric.missing(64, 64) is None
    same, little, much = (
        mean(metric, frames[:2], f[:2]) for f in (frames, noisy(frames, 4), noisy(frames, 30))
    )
    assert 0 == same < little < much
    with pytest.raises(InputError, match="no file"):
        weights.metric_files(tmp_path, lpips=str(tmp_path / "nothing"))
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"nothing")
    with pytest.raises(InputError, match="does not hold LPIPS weights"):
        weights.metric_files(tmp_path, lpips=str(wrong))


def test_lpips_of_the_package_and_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout of the lpips package and of torchvision's AlexNet, without importing either."""
    monkeypatch.delenv("NEUROCODEC_LPIPS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    package = types.ModuleType("lpips")
    package.__spec__ = types.SimpleNamespace(submodule_search_locations=[str(tmp_path / "lpips")])  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "lpips", package)
    assert weights.metric_files(tmp_path).lpips is None
    tensors = lpips_tensors()
    heads = {f"lin{k}.model.1.weight": tensors[f"lin{k}.weight"] for k in range(5)}
    places = dict(zip(range(1, 6), (0, 3, 6, 8, 10), strict=True))
    backbone = {
        f"features.{places[k]}.{kind}": tensors[f"conv{k}.{kind}"]
        for k in places
        for kind in ("weight", "bias")
    }
    (tmp_path / "lpips" / "weights" / "v0.1").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(heads, tmp_path / "lpips" / "weights" / "v0.1" / "alex.pth")
    torch.save(backbone, tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth")
    found = weights.metric_files(tmp_path).lpips
    assert found is not None
    back = load_file(found)
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[k], tensors[k]) for k in tensors)


def test_correlation_and_closed_eyes() -> None:
    openness = 0.3 + 0.02 * np.sin(np.arange(40.0))
    openness[[10, 11, 30]] = 0.1
    assert correlation(openness, 0.5 * openness + 1) == pytest.approx(1)
    assert correlation(openness, np.full(40, 0.3)) == 0
    assert correlation(np.full(40, 0.3), openness) is None  # nothing to follow
    assert correlation(np.where(np.arange(40) < 4, openness, np.nan), openness) is None
    assert closed_kept(openness, openness) == 100
    half = openness.copy()
    half[[10, 30]] = 0.3
    assert closed_kept(openness, half) == pytest.approx(100 / 3)
    assert closed_kept(np.full(40, 0.3), openness) is None  # no blink in the source


def test_openness_of_points() -> None:
    points = np.zeros((4, 2), np.float32)
    points[1], points[2], points[3] = (2, 0), (1, -0.5), (1, 0.5)
    assert openness(points, ((0, 1, 2, 3),)) == pytest.approx(0.5)


def test_expression_of_a_clip_and_of_a_still(frames: Frames) -> None:
    """The astronaut's head moves; a still follows nothing, the clip itself everything."""
    large = load_clip(ClipSource(str(SAMPLES / "astronaut.mp4"), 0.6, 256)).frames
    same = expression(large, large)
    assert same.source["mouth"] == pytest.approx(same.decoded["mouth"])
    assert np.isfinite(same.source["eyes"]).all()
    held = expression(large, np.repeat(large[:1], len(large), 0))
    assert held.source["mouth"] == pytest.approx(same.source["mouth"])
    for name in ("eyes", "mouth", "blinks"):
        metric = METRICS[name](MetricFiles())
        assert metric.of_clip and metric.missing(256, 256) is None
        values = metric.measure(large, large, 1)
        assert len(values) == len(large) and len(set(values)) == 1
    blank = np.zeros_like(large)
    assert METRICS["mouth"](MetricFiles()).measure(blank, blank, 1) == [None] * len(blank)


def test_expression_where_the_head_is_a_part_of_the_picture() -> None:
    """Eyes and mouth are followed in the square around the head, at the source's own size."""
    portrait = load_clip(ClipSource(str(SAMPLES / "astronaut.mp4"), 0.6, None)).frames
    wide = np.full((len(portrait), 320, 640, 3), 90, np.uint8)
    wide[:, 40:296, 360:616] = portrait
    alone, found = expression(portrait, portrait), expression(wide, wide)
    for part in ("eyes", "mouth"):
        assert np.isfinite(found.source[part]).all()
        assert found.source[part] == pytest.approx(alone.source[part], abs=0.12)
    elsewhere = wide.copy()
    elsewhere[:, :, :300] = 0
    assert METRICS["mouth"](MetricFiles()).measure(wide, elsewhere, 1)[0] == pytest.approx(1)
    held = np.repeat(wide[:1], len(wide), 0)
    assert METRICS["mouth"](MetricFiles()).measure(wide, held, 1)[0] == pytest.approx(0, abs=0.05)


def test_face_descriptor_network() -> None:
    """dlib's ResNet with random weights: its shapes hold, and equal chips have equal descriptors."""
    torch.manual_seed(1)
    tensors: dict[str, torch.Tensor] = {"fc.weight": torch.randn(256, 128)}
    plan = [(32, 32)] * 3 + [(32, 64)] + [(64, 64)] * 3 + [(64, 128)] + [(128, 128)] * 2 + [(128, 256)]
    plan += [(256, 256)] * 3

    def layer(key: str, affine: str, inputs: int, outputs: int, side: int) -> None:
        tensors[f"{key}.weight"] = torch.randn(outputs, inputs, side, side) / (inputs * side * side) ** 0.5
        tensors[f"{key}.bias"] = torch.zeros(outputs)
        tensors[f"{affine}.gamma"], tensors[f"{affine}.beta"] = torch.ones(outputs), torch.zeros(outputs)

    layer("stem.conv", "stem.affine", 3, 32, 7)
    for i, (inputs, outputs) in enumerate(plan):
        layer(f"block{i}.conv1", f"block{i}.affine1", inputs, outputs, 3)
        layer(f"block{i}.conv2", f"block{i}.affine2", outputs, outputs, 3)
    chips = np.random.default_rng(1).integers(0, 256, (3, CHIP, CHIP, 3), dtype=np.uint8)
    chips[1] = chips[0]
    a, b, c = embed(chips, tensors)
    assert a.shape == (128,)
    assert np.allclose(a, b, atol=1e-4)
    assert not np.allclose(a, c, atol=1e-2)
