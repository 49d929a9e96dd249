"""The light motion model: openness of eyes and mouth, any number of references, and its CPU renderer."""

import pytest
import torch

from neurocodec.models.device import fold_batch_norms
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.swift import PARTS, Swift, SwiftConfig, expression_maps, openness
from neurocodec.networks.swift_render import SwiftRenderer

SIZE, FRAMES = 128, 5


def small() -> Swift:
    """A small one whose every branch does something: weights and batch norms drawn at random."""
    torch.manual_seed(5)
    widths = dict(keypoint_width=8, reference_width=8, motion_width=8, generator_width=8)
    network = Swift(SwiftConfig(size=SIZE, num_tps=3, deep_width=16, fine_width=8, **widths)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    for head in (network.motion_net.confidence, network.motion_net.step):
        torch.nn.init.normal_(head.weight, 0, 0.3)
    torch.nn.init.normal_(network.reference_net.head.weight, 0, 0.03)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Three pictures (3,3,S,S) and keypoints (FRAMES,15,2), some outside the picture."""
    torch.manual_seed(6)
    smooth = torch.nn.functional.interpolate(torch.rand(3, 3, 9, 9), size=SIZE, mode="bicubic").clamp(0, 1)
    return smooth, torch.rand(FRAMES, 15, 2) * 2.2 - 1.1


def test_openness_does_not_depend_on_where_or_how_large() -> None:
    points = torch.rand(4, 15, 2) - 0.5
    angle = torch.tensor(0.4)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    assert torch.allclose(openness(points), openness(1.5 * points @ turn.T + 0.2), atol=1e-4)
    left, right, above, below = PARTS[1]
    for distance, sign in ((0.0, -1), (0.5, 1)):
        points[:, left], points[:, right] = torch.tensor([-0.5, 0]), torch.tensor([0.5, 0])
        points[:, above], points[:, below] = torch.tensor([0, -distance / 2]), torch.tensor([0, distance / 2])
        assert (openness(points)[:, 1] * sign > 0).all()


def test_expression_maps_lie_where_the_parts_are() -> None:
    points = torch.zeros(1, 15, 2)
    for (left, right, above, below), x in zip(PARTS, (-0.5, 0.0, 0.5), strict=True):
        points[0, [left, right, above, below]] = torch.tensor([[x - 0.1, 0], [x + 0.1, 0], [x, 0], [x, 0]])
    maps = expression_maps(points, torch.tensor([[[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]]]), 33)
    assert maps.shape == (1, 6, 33, 33)
    assert maps[0, ::2].amax((1, 2)).tolist() == pytest.approx([1, 2, 3])
    assert [int(m.abs().sum(0).argmax()) for m in maps[0, ::2]] == [8, 16, 24]
    assert maps[0, 1].min() == pytest.approx(-1) and maps[0, 3].abs().max() == 0


def test_a_reference_is_hardly_changed_before_training() -> None:
    network = Swift(SwiftConfig(size=SIZE))
    picture = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        assert torch.equal(network.encode_reference(picture, torch.zeros(1, 30, 2))[0], picture)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("dtype", "worst", "mean"), [(torch.float32, 3, 0.5), (torch.bfloat16, 40, 1.5)])
def test_renders_as_the_network(
    scene: tuple[torch.Tensor, torch.Tensor], count: int, dtype: torch.dtype, worst: int, mean: float
) -> None:
    pictures, keypoints = scene
    network = small()
    fold_batch_norms(network)
    with torch.inference_mode():
        known = [network.keypoints(p[None]) for p in pictures[:count]]
        used = [network.encode_reference(p[None], k) for p, k in zip(pictures, known, strict=False)]
        expected = network.render(used, keypoints).clamp(0, 1).mul(255).permute(0, 2, 3, 1)
        fuse_activations(network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        renderer = SwiftRenderer(network, dtype)
        flat = [renderer.encode_reference(p[None], k) for p, k in zip(pictures, known, strict=False)]
        found = renderer.render(flat, keypoints).float()
        again = renderer.render(flat, keypoints[2:3])
    difference = (found - expected).abs()
    assert difference.max() <= worst and difference.mean() <= mean
    assert (found[2:3] - again.float()).abs().max() <= 2  # whatever is rendered beside it
