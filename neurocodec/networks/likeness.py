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
_SMALLEST_NORM = 1e-2


class Likeness(nn.Module):
    """(B,3,S,S) twice, in [0,1] -> distances (B,), 0 = alike; S a multiple of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, 1 if k == 0 else 2, 1),
                nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(b, b, 3, 1, 1, groups=b // 8),
                nn.LeakyReLU(0.1, inplace=True),
            )
            for k, (a, b) in enumerate(zip((12, *WIDTHS[:-1]), WIDTHS, strict=True))
        )
        self.weights = nn.ParameterList(nn.Parameter(torch.full((w,), -1.0)) for w in WIDTHS)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(B,3,S,S) -> features (B,places,channels) of length 1 at S/2, S/4, S/8, S/16, float32."""
        x = F.pixel_unshuffle(pictures - 0.5, 2).contiguous(memory_format=torch.channels_last)
        x = x.to(next(self.stages.parameters()).dtype)
        out = []
        for stage in self.stages:
            x = stage(x)
            rows = x.permute(0, 2, 3, 1).flatten(1, 2).float()
            out.append(rows / rows.norm(dim=-1, keepdim=True).clamp(min=_SMALLEST_NORM))
        return out

    def compare(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """Features of B pictures twice -> distances (B,)."""
        levels = zip(a, b, self.weights, strict=True)
        return torch.stack([(x - y).square().mean(1) @ F.softplus(w) for x, y, w in levels]).sum(0)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.compare(self.features(a), self.features(b))
