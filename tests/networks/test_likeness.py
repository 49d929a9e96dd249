"""The likeness network."""

import numpy as np
import torch

from neurocodec.networks.likeness import Likeness, on_levels


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
