"""A small perceptual distance between two pictures, trained here to agree with LPIPS.

The form is that of LPIPS (Zhang et al., CVPR 2018): features at several scales, normalized at every place,
squared differences weighted by channel and averaged.  The features are those of a small network of our own,
so that an encoder can steer by perceptual quality without anybody's weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (24, 40, 56, 64)


_SMALLEST_NORM = 1e-2


class Features(NamedTuple):
    """Of B pictures at one scale: ``rows`` (B,places,channels), their ``norm`` (B,places) and the sum of
    their squares ``weighted`` by channel (B,places)."""

    rows: Tensor
    norm: Tensor
    weighted: Tensor


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

    def features(self, pictures: Tensor) -> list[Features]:
        """(B,3,S,S) -> features at S/2, S/4, S/8, S/16."""
        x = F.pixel_unshuffle(pictures - 0.5, 2).contiguous(memory_format=torch.channels_last)
        x = x.to(next(self.stages.parameters()).dtype)
        out = []
        for stage, weight in zip(self.stages, self.weights, strict=True):
            x = stage(x)
            rows = x.permute(0, 2, 3, 1).flatten(1, 2).float()
            w = F.softplus(weight)
            # the weighted and the plain sum of squares, in one go
            sums = rows.square() @ torch.stack([w, torch.ones_like(w)], 1)
            norm = sums[..., 1].sqrt().clamp(min=_SMALLEST_NORM)
            out.append(Features(rows, norm, sums[..., 0]))
        return out

    def compare(self, a: list[Features], b: list[Features]) -> Tensor:
        """Features of B pictures twice -> distances (B,)."""
        total = a[0].rows.new_zeros(len(a[0].rows))
        for fa, fb, weight in zip(a, b, self.weights, strict=True):
            mixed = (fa.rows * fb.rows) @ F.softplus(weight)
            apart = fa.weighted / fa.norm.square() + fb.weighted / fb.norm.square()
            total = total + (apart - 2 * mixed / (fa.norm * fb.norm)).mean(1)
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.compare(self.features(a), self.features(b))
