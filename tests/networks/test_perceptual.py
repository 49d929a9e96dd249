"""The perceptual distance: zero for equal pictures, the same whole and by place, any size."""

import pytest
import torch

from neurocodec.networks.perceptual import Perceptual, by_place


@pytest.fixture(scope="module")
def network() -> Perceptual:
    torch.manual_seed(1)
    return Perceptual((8, 8, 8, 8, 8)).eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (35, 35)])
def test_any_size(network: Perceptual, size: tuple[int, int]) -> None:
    a, b = torch.rand(2, 3, *size), torch.rand(2, 3, *size)
    assert network(a, a).abs().max() < 1e-6
    assert torch.allclose(network(a, b), network(b, a))
    assert (network(a, b) > 0).all()


def test_by_place_adds_up_and_points_at_the_place(network: Perceptual) -> None:
    a = torch.rand(1, 3, 128, 128)
    b = a.clone()
    b[..., :32, 96:] = 0.5
    features = network.features(a), network.features(b)
    places = by_place(network.maps(*features), 4, 4)
    assert places.shape == (1, 4, 4)
    assert int(places.argmax()) == 3  # the upper right corner
    assert float(places.mean()) == pytest.approx(float(network(a, b)), rel=0.2)


def test_too_small(network: Perceptual) -> None:
    with pytest.raises(ValueError, match="at least 35 pixels"):
        network(torch.rand(1, 3, 34, 64), torch.rand(1, 3, 34, 64))
