"""The CPU's renderer paints what the network does; a distance that remembers measures the same."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from neurocodec.errors import UnsupportedError
from neurocodec.models import files as models
from neurocodec.models.device import fold_batch_norms
from neurocodec.models.distance import DistanceEngine
from neurocodec.networks.classic_feedback import ClassicFeedback
from neurocodec.networks.fused import FusedConvolution, FusedResidual, fuse_activations
from neurocodec.networks.likeness import Likeness, on_levels
from neurocodec.networks.talk import Residual, Talk, TalkConfig, sharpened
from neurocodec.networks.talk_render import TalkRenderer

SIZE, FRAMES = 128, 5


def network(detail: bool = False) -> Talk:
    """A small one whose every branch does something: weights and batch norms drawn at random."""
    torch.manual_seed(5)
    widths = {"keypoint_width": 8, "motion_width": 16, "generator_width": 8}
    talk = Talk(TalkConfig(size=SIZE, num_tps=3, detail=detail, restorer_width=8 * detail, **widths)).eval()
    if talk.restorer is not None:
        torch.nn.init.normal_(talk.restorer.head.weight, 0, 0.03)
    if talk.generator.detail is not None:
        torch.nn.init.normal_(talk.generator.detail.weight, 0, 0.3)
    for module in talk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    for head in (talk.motion_net.confidence_low, talk.motion_net.confidence_high):
        torch.nn.init.normal_(head.weight, 0, 0.3)
    fold_batch_norms(talk)
    return talk


@pytest.fixture(scope="module")
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pictures (2,3,S,S) and keypoints (FRAMES,15,2), some outside the picture."""
    torch.manual_seed(6)
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 9, 9), size=SIZE, mode="bicubic").clamp(0, 1)
    return smooth, torch.rand(FRAMES, 15, 2) * 2.2 - 1.1


@pytest.mark.parametrize("detail", [False, True])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("dtype", "worst", "mean"), [(torch.float32, 1, 0.01), (torch.bfloat16, 24, 1.0)])
def test_renders_as_the_network(
    scene: tuple[torch.Tensor, torch.Tensor],
    count: int,
    dtype: torch.dtype,
    worst: int,
    mean: float,
    detail: bool,
) -> None:
    pictures, keypoints = scene
    talk = network(detail)
    with torch.inference_mode():
        points = talk.keypoints(pictures)
        plain = [talk.encode_reference(pictures[k : k + 1], points[k : k + 1]) for k in range(count)]
        wanted = (talk.render(plain, keypoints) * 255).round().clamp(0, 255).permute(0, 2, 3, 1)
        fuse_activations(talk)
        renderer = TalkRenderer(talk, dtype)
        flat = [renderer.encode_reference(pictures[k : k + 1], points[k : k + 1]) for k in range(count)]
        got = renderer.render(flat, keypoints)
        again = torch.cat([renderer.render(flat, keypoints[k : k + 1]) for k in range(FRAMES)])
    assert wanted.std() > 5
    difference = (got.float() - wanted).abs()
    assert difference.max() <= worst
    assert difference.mean() <= mean
    assert (again.float() - got.float()).abs().max() <= worst


def test_fusing_keeps_the_result() -> None:
    torch.manual_seed(7)
    layers = torch.nn.Sequential(
        torch.nn.Sequential(torch.nn.Conv2d(6, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()),
        Residual(8),
        torch.nn.Conv2d(8, 4, 1),
        torch.nn.LeakyReLU(0.1),
    ).eval()
    x = torch.randn(2, 6, 16, 16).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted = layers(x)
        fold_batch_norms(layers)
        fuse_activations(layers)
        got = layers(x)
    assert any(isinstance(m, FusedResidual) for m in layers.modules())
    assert sum(isinstance(m, FusedConvolution) for m in layers.modules()) == 4
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_bfloat16_works_where_onednn_has_none() -> None:
    """As on a processor with AVX2 alone, where oneDNN's fused operators would raise."""
    code = """if True:
        import torch
        from neurocodec.models.device import has_fast_bfloat16
        from neurocodec.networks.fused import FusedConvolution
        torch.cpu._is_amx_tile_supported = lambda: True
        assert not has_fast_bfloat16()
        torch.manual_seed(1)
        convolution = torch.nn.Conv2d(8, 8, 3, padding=1)
        fused, x = FusedConvolution(convolution, torch.nn.ReLU()), torch.randn(1, 8, 16, 16)
        with torch.inference_mode():
            wanted = fused(x, x)
            fused.to(torch.bfloat16)
            got = fused(x.bfloat16(), x.bfloat16())
        assert got.dtype == torch.bfloat16 and (got.float() - wanted).abs().max() < 0.1
    """
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_likeness_of_features_is_that_of_normalized_ones() -> None:
    """Against the definition: squared differences of unit vectors, weighted by scale, averaged."""
    torch.manual_seed(8)
    likeness = Likeness().eval()
    with torch.no_grad():
        likeness.weights.copy_(torch.tensor([-1.0, 0.5, 2.0]))
    a, b = torch.rand(2, 3, 3, 64, 64)
    with torch.inference_mode():
        total = torch.zeros(3)
        x, y = (torch.nn.functional.pixel_unshuffle(p - 0.5, 4) for p in (a, b))
        for stage, weight in zip(likeness.stages, likeness.weights, strict=True):
            x, y = stage(x), stage(y)
            ux, uy = (t / t.square().sum(1, keepdim=True).sqrt() for t in (x, y))
            total += (ux - uy).square().sum(1).mean((1, 2)) * torch.nn.functional.softplus(weight)
        np.testing.assert_allclose(likeness(a, b).numpy(), total.numpy(), rtol=1e-4)
        assert (likeness(a, a) == 0).all()


def test_the_first_convolution_reads_pictures_as_they_lie() -> None:
    torch.manual_seed(9)
    likeness = Likeness((8, 24)).eval()
    levels = torch.randint(256, (2, 32, 48, 3))
    with torch.inference_mode():
        wanted = likeness.features(levels.permute(0, 3, 1, 2) / 255)
        likeness.stages[0][0] = on_levels(likeness.stages[0][0])
        got = likeness.scales((levels - 127.5).view(2, 32, 12, 12).permute(0, 3, 1, 2))
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_distances_do_not_depend_on_company() -> None:
    """One or many in a call, originals new or known, the network as it is trained: the same."""
    description = models.find("likeness", "feedback")
    rng = np.random.default_rng(3)
    base = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    pictures = np.stack([cv2.GaussianBlur(base, (0, 0), 0.5 + k) for k in range(10)])
    others = [base, *(p.copy() for p in pictures[:9])]
    meter = DistanceEngine(description, "cpu")
    alone = np.concatenate([meter(p[None], [o.copy()]) for p, o in zip(pictures, others, strict=True)])
    meter(pictures[:2], others[2:4])
    np.testing.assert_allclose(meter(pictures, others), alone, atol=1e-4)
    np.testing.assert_allclose(meter(pictures, [base] * 10)[:1], alone[:1], atol=1e-4)
    network = models.load(description)
    a, b = (torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2) / 255 for x in (pictures, others))
    with torch.inference_mode():
        np.testing.assert_allclose(alone, network(a, b).numpy(), rtol=0.02, atol=1e-3)
    assert (meter(pictures, [p.copy() for p in pictures]) < 1e-4).all()
    assert alone.max() > 0.02


def test_what_is_remembered_is_bounded() -> None:
    """However originals come: many new ones in a call, or one by one among known ones."""
    rng = np.random.default_rng(4)
    base = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    others = [cv2.GaussianBlur(base, (0, 0), 0.5 + k / 20) for k in range(100)]
    meter = DistanceEngine(models.find("likeness", "feedback"), "cpu")
    wanted = meter(np.stack([base] * 100), others)
    assert len(meter._rows) == 64
    held = meter._remembered.nbytes
    known = others[70]
    for k in rng.permutation(100):
        got = meter(np.stack([base] * 2), [known, others[k]])
        np.testing.assert_allclose(got, wanted[[70, k]], rtol=0.01, atol=1e-4)
    assert len(meter._rows) == 64 and meter._remembered.nbytes == held
    assert len({row for _, row in meter._rows.values()}) == 64


def test_pictures_of_another_size_are_measured_too() -> None:
    rng = np.random.default_rng(5)
    base = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    soft = cv2.GaussianBlur(base, (0, 0), 2)
    meter = DistanceEngine(models.find("likeness", "feedback"), "cpu")
    first = meter(soft[None], [base])
    for height, width in ((128, 192), (72, 100)):
        small = base[:height, :width]
        assert meter(small[None], [small]) < 1e-4 < meter(soft[None, :height, :width], [small])
    np.testing.assert_allclose(meter(soft[None], [base]), first, atol=1e-5)


def test_a_fused_network_can_be_copied_after_use() -> None:
    network = Likeness((8, 8)).eval()
    fuse_activations(network)
    a, b = torch.rand(2, 1, 3, 32, 32)
    with torch.inference_mode():
        wanted = network(a, b)
        torch.testing.assert_close(copy.deepcopy(network)(a, b), wanted)


def test_sharpening_leaves_what_is_smooth_and_lifts_what_is_not() -> None:
    ramp = torch.linspace(0.2, 0.8, 32).expand(1, 3, 32, 32)
    lines = ramp + 0.1 * (torch.arange(32) % 2)
    amount = torch.full((1, 1, 32, 32), 0.5)
    inside = (..., slice(4, -4), slice(4, -4))
    assert torch.allclose(sharpened(ramp, amount)[inside], ramp[inside], atol=1e-5)
    assert torch.equal(sharpened(lines, 0 * amount), lines)
    steps = [x[inside].diff(dim=-1).abs().mean() for x in (lines, sharpened(lines, amount))]
    assert 1.3 * steps[0] < steps[1] < 1.6 * steps[0]
    half = amount * (torch.arange(32) < 16)
    assert torch.equal(sharpened(lines, half)[..., 16:], lines[..., 16:])


def test_a_network_that_measures_no_distance_is_refused(tmp_path: Path) -> None:
    tensors = {k: v for k, v in ClassicFeedback().state_dict().items() if not k.endswith("tracked")}
    model = models.save(
        tmp_path / "classic.safetensors", tensors, name="classic", architecture="classic-feedback",
        size=256, keypoints=0, config={}, half=False,
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="measures no distance"):
        DistanceEngine(model, "cpu")
