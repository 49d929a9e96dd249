"""A small perceptual distance between two pictures, trained here to agree with LPIPS.

The form is that of LPIPS (Zhang et al., CVPR 2018): features at several scales, normalized at every place,
squared differences weighted by channel and averaged.  The features are those of a small network of our own,
so that an encoder can steer by perceptual quality without anybody's weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (24, 40, 56, 64)


class Likeness(nn.Module):
    """(B,3,S,S) twice, in [0,1] -> distances (B,), 0 = alike; S a multiple of 16."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (12, *WIDTHS[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, 1 if k == 0 else 2, 1),
                nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(b, b, 3, 1, 1, groups=b // 8),
                nn.LeakyReLU(0.1, inplace=True),
            )
            for k, (a, b) in enumerate(zip(inputs, WIDTHS, strict=True))
        )
        self.weights = nn.ParameterList(nn.Parameter(torch.full((w,), -1.0)) for w in WIDTHS)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(B,3,S,S) -> normalized features at S/2, S/4, S/8, S/16."""
        x = F.pixel_unshuffle(pictures - 0.5, 2)
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(F.normalize(x.float(), dim=1, eps=1e-2))
        return out

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        total = a.new_zeros(len(a), dtype=torch.float32)
        for fa, fb, weight in zip(self.features(a), self.features(b), self.weights, strict=True):
            total = total + ((fa - fb).square().mean((2, 3)) * F.softplus(weight)).sum(1)
        return total
