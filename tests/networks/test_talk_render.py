"""The CPU's renderer paints what the network does."""

import pytest
import torch

from neurocodec.models.device import fold_batch_norms
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.talk import Talk, TalkConfig
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


@pytest.mark.slow
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
