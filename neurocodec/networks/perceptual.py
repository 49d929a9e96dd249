"""A perceptual distance of ours that imitates LPIPS with AlexNet, place by place.

The form is that of LPIPS (Zhang et al., CVPR 2018): features at five depths, scaled to length 1 at every
place, their squared differences weighted by channel, and the mean over the picture.  So is the geometry of
the layers, that of AlexNet, so that every place of every depth has a counterpart in LPIPS that it is taught
to agree with; the layers are narrower, and their weights are our own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (48, 96, 128, 128, 96)
_SMALLEST = 1e-10
LEAST_SIDE = 35
"""Pictures must be so large for every depth to have a place."""


class Perceptual(nn.Module):
    """Distances of pictures of any size, 0 = equal.

    Args:
        widths: channels at the five depths.
    """

    def __init__(self, widths: tuple[int, ...] | list[int] = WIDTHS) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(3, a, 11, 4, 2), nn.Conv2d(a, b, 5, 1, 2), nn.Conv2d(b, c, 3, 1, 1),
                nn.Conv2d(c, d, 3, 1, 1), nn.Conv2d(d, e, 3, 1, 1),
            ]
        )  # fmt: skip
        self.shares = nn.ParameterList([nn.Parameter(torch.full((w,), 1.0)) for w in widths])

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (B,3,H,W) in [0,1] -> features (B,C,h,w) of five depths, of length 1 at every place."""
        x = 4 * pictures - 2
        out = []
        for k, convolution in enumerate(self.convolutions):
            if k in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(convolution(x))
            length = x.float().square().sum(1, keepdim=True).clamp(min=_SMALLEST).rsqrt()
            out.append(x.float() * length)
        return out

    def maps(self, a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
        """Features of two pictures -> their distances by place (B,h,w) at five depths."""
        return [
            torch.einsum("bchw,c->bhw", (x - y).square(), share.abs())
            for x, y, share in zip(a, b, self.shares, strict=True)
        ]

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Pictures (B,3,H,W) in [0,1], at least 35 pixels a side -> distances (B,)."""
        if min(a.shape[-2:]) < LEAST_SIDE:
            raise ValueError(
                f"pictures must be at least {LEAST_SIDE} pixels a side, not {tuple(a.shape[-2:])}"
            )
        count = len(a)
        both = [x.split(count) for x in self.features(torch.cat([a, b]))]
        found = self.maps([x for x, _ in both], [y for _, y in both])
        return torch.stack([m.mean((1, 2)) for m in found]).sum(0)


def by_place(maps: list[Tensor], rows: int, columns: int) -> Tensor:
    """Distances by place at five depths -> their sum on a grid (B,rows,columns), of the same mean."""
    return torch.stack([F.adaptive_avg_pool2d(m[:, None], (rows, columns))[:, 0] for m in maps]).sum(0)
