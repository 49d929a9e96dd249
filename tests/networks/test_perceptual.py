"""The perceptual distance: zero for equal pictures, the same whole and by place, any size."""

import pytest
import torch

from neurocodec.networks.perceptual import Perceptual, on_levels


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


def by_place(maps: list[torch.Tensor], rows: int, columns: int) -> torch.Tensor:
    """Distances by place at five depths, each pooled to a grid: (B,rows,columns), of the same mean."""
    pool = torch.nn.functional.adaptive_avg_pool2d
    return torch.stack([pool(m[:, None], (rows, columns))[:, 0] for m in maps]).sum(0)


def test_maps_by_place_add_up_and_points_at_the_place(network: Perceptual) -> None:
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


@pytest.mark.parametrize("size", [(256, 256), (72, 100)])
def test_rows_of_levels_say_the_same(size: tuple[int, int]) -> None:
    torch.manual_seed(2)
    network = Perceptual((8, 16, 8, 8, 8)).eval().requires_grad_(False)
    for share in network.shares:
        share.uniform_(-1, 1)
    levels = torch.randint(256, (4, 3, *size))
    a, b = (levels / 255).split(2)
    wanted = network(a, b)
    maps = network.maps(network.features(a), network.features(b))
    on_levels(network.layers[0][0])  # type: ignore[index, arg-type]
    rows = network.scales(levels - 127.5, torch.empty(4, network.feature_count(*size)))
    assert torch.allclose(network.compare(*rows.split(2)), wanted, rtol=1e-3)
    places = network.compare_places(*rows.split(2), *size, 5)
    assert torch.allclose(places.sum((1, 2)), wanted, rtol=1e-3)
    assert torch.allclose(25 * places, by_place(maps, 5, 5), rtol=0.2, atol=0.1 * float(wanted.max()))
