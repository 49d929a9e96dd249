"""Parts of the talk network."""

import torch

from neurocodec.networks.talk import sharpened, warp
from neurocodec.networks.tps import plain_arithmetic


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


def test_an_exported_warp_is_the_warp() -> None:
    """Gathered, also beyond the edges and on the last row and column."""
    torch.manual_seed(2)
    for features in (torch.rand(3, 16, 9, 12), torch.rand(1, 24, 2, 2)):
        flow = 2.6 * torch.rand(len(features), *features.shape[2:], 2) - 1.3
        flow[:, 0, 0], flow[:, -1, -1] = torch.tensor([1.0, -1.0]), torch.tensor([1.0, 1.0])
        expected = warp(features, flow)
        with plain_arithmetic():
            found = warp(features, flow)
            few = warp(features[:, :3], flow)
        assert torch.allclose(found, expected, atol=1e-5)
        assert torch.equal(few, expected[:, :3])
        assert not torch.equal(found, expected)  # it was computed in another way
