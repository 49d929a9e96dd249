"""A small perceptual distance between two pictures, trained here to agree with LPIPS.

The form is that of LPIPS (Zhang et al., CVPR 2018): features at several scales, normalized at every place,
squared differences weighted by channel and averaged.  The features are those of a small network of our own,
so that an encoder can steer by perceptual quality without anybody's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 32, 64, 96)
_SMALLEST_NORM = 1e-2


class Features(NamedTuple):
    """What B pictures have at P places of one scale.

    Differences of features of length 1 are multiplied out, so that none is ever scaled, only sums of them:
    that takes half the time.
    """

    rows: Tensor
    """(B,P,C), of any length."""
    scale: Tensor
    """(B,P), 1 / length, float32."""
    own: Tensor
    """(B,P), weighted sum of their squares, had they length 1; float32."""


def on_levels(conv: nn.Conv2d) -> nn.Conv2d:
    """The first convolution, for pictures as they lie in memory.

    It takes (B,6,S,S/2), the RGB of two columns, in levels less 127.5 (which bfloat16 holds exactly), and
    gives what ``conv`` gives for the same pictures.
    """
    middle = conv.weight.shape[-1] // 2
    out = nn.Conv2d(6, conv.out_channels, (6, 3), (2, 1), (2 * middle, middle))
    parts = conv.weight.detach().unflatten(1, (3, 2, 2)) / 255
    out.weight = nn.Parameter(parts.permute(0, 3, 1, 4, 2, 5).reshape(out.weight.shape))
    out.bias = conv.bias
    return out


class Likeness(nn.Module):
    """(B,3,S,S) twice, in [0,1] -> distances (B,), 0 = alike; S a multiple of 16."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, 1 if k == 0 else 2, 1),
                nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(b, b, 3, 1, 1),
                nn.LeakyReLU(0.1, inplace=True),
            )
            for k, (a, b) in enumerate(zip((12, *widths[:-1]), widths, strict=True))
        )
        self.weights = nn.ParameterList(nn.Parameter(torch.full((w,), -1.0)) for w in widths)

    def features(self, pictures: Tensor) -> list[Features]:
        """(B,3,S,S) -> features at S/2, S/4, S/8, S/16."""
        x = F.pixel_unshuffle(pictures - 0.5, 2).contiguous(memory_format=torch.channels_last)
        return self.scales(x.to(next(self.stages.parameters()).dtype))

    def scales(self, x: Tensor) -> list[Features]:
        """What the first convolution takes -> features at S/2, S/4, S/8, S/16."""
        out = []
        for stage, weights in zip(self.stages, self.weights, strict=True):
            x = stage(x)
            rows = x.permute(0, 2, 3, 1).flatten(1, 2)
            with torch.autocast(x.device.type, enabled=False):
                both = torch.stack([torch.ones_like(weights), F.softplus(weights)], 1)
                length, own = (rows.float().square() @ both).unbind(-1)
                scale = length.clamp(min=_SMALLEST_NORM**2).rsqrt()
                out.append(Features(rows, scale, own * scale.square()))
        return out

    def compare(self, a: list[Features], b: list[Features]) -> Tensor:
        """Features of B pictures twice -> distances (B,)."""
        total = torch.zeros((), device=a[0].rows.device)
        for x, y, weights in zip(a, b, self.weights, strict=True):
            with torch.autocast(x.rows.device.type, enabled=False):
                across = x.rows.float() * y.rows.float() @ F.softplus(weights)
                total = total + (x.own + y.own - 2 * across * x.scale * y.scale).mean(1)
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.compare(self.features(a), self.features(b))
