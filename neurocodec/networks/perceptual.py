"""A perceptual distance of ours that imitates LPIPS with AlexNet, place by place.

The form is that of LPIPS (Zhang et al., CVPR 2018): features at five depths, scaled to length 1 at every
place, their squared differences weighted by channel, and the mean over the picture.  So is the geometry of
the layers, that of AlexNet, so that every place of every depth has a counterpart in LPIPS that it is taught
to agree with; the layers are narrower, and their weights are our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (48, 96, 128, 128, 96)
LEAST_SIDE = 35
"""Pictures must be so large for every depth to have a place."""
_SMALLEST = 1e-10
_CONTRAST = 4.0
_POOLED = (1, 2)
"""Depths in front of which places are pooled, three by three, every second one."""


def _layer(inputs: int, outputs: int, size: int, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, padding), nn.ReLU(inplace=True))


def on_levels(conv: nn.Conv2d) -> None:
    """Make the first convolution, in place, take levels less 127.5 (which bfloat16 holds exactly)."""
    with torch.no_grad():
        conv.weight.mul_(_CONTRAST / 255)


class Perceptual(nn.Module):
    """Distances of pictures of any size, 0 = equal.

    Args:
        widths: channels at the five depths.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        a, b, c, d, e = self._widths = tuple(widths)
        self.layers = nn.ModuleList(
            [
                _layer(3, a, 11, 4, 2), _layer(a, b, 5, 1, 2), _layer(b, c, 3, 1, 1),
                _layer(c, d, 3, 1, 1), _layer(d, e, 3, 1, 1),
            ]
        )  # fmt: skip
        self.shares = nn.ParameterList([nn.Parameter(torch.full((w,), 1.0)) for w in widths])

    def _depths(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """What the first convolution takes -> features (B,C,h,w), and one over their length (B,1,h,w)."""
        for k, layer in enumerate(self.layers):
            if k in _POOLED:
                x = F.max_pool2d(x, 3, 2)
            x = layer(x)
            length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
            yield x, 1 / length.clamp(min=_SMALLEST**0.5)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (B,3,H,W) in [0,1] -> features (B,C,h,w) of five depths, of length 1 at every place."""
        return [x.float() * scale for x, scale in self._depths(_CONTRAST * (pictures - 0.5))]

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

    def sizes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """Rows, columns and channels of the features at each depth for pictures of a size."""
        out = []
        for k, channels in enumerate(self._widths):
            if k == 0:
                height, width = (height - 7) // 4 + 1, (width - 7) // 4 + 1
            elif k in _POOLED:
                height, width = (height - 3) // 2 + 1, (width - 3) // 2 + 1
            out.append((height, width, channels))
        return out

    def scales(self, levels: Tensor, out: Tensor) -> Tensor:
        """Levels less 127.5 (B,3,H,W) -> all that is compared of a picture in one row (B,F), in ``out``.

        For a network after :func:`on_levels`.  The distance of two pictures is the squared length of the
        difference of their rows.
        """
        at = 0
        for (x, scale), share in zip(self._depths(levels), self.shares, strict=True):
            end = at + x[0].numel()
            rows = out[:, at:end].view(len(x), *x.shape[2:], x.shape[1])
            weight = (share.float().abs() / (x.shape[2] * x.shape[3])).sqrt()
            torch.mul(x.permute(0, 2, 3, 1), scale.permute(0, 2, 3, 1) * weight, out=rows)
            at = end
        return out

    def feature_count(self, height: int, width: int) -> int:
        """How many features a picture of this size has."""
        return sum(h * w * c for h, w, c in self.sizes(height, width))

    @staticmethod
    def compare(a: Tensor, b: Tensor) -> Tensor:
        """Rows (B,F) of B pictures twice -> distances (B,), float32."""
        with torch.autocast(a.device.type, enabled=False):
            return torch.linalg.vector_norm(a - b, dim=1, dtype=torch.float32).square()

    def compare_places(self, a: Tensor, b: Tensor, height: int, width: int, grid: int) -> Tensor:
        """Rows (B,F) of pictures of a size twice -> shares of their distances by place (B,grid,grid)."""
        out, at = torch.zeros(len(a), grid, grid, device=a.device), 0
        for h, w, channels in self.sizes(height, width):
            end = at + channels * h * w
            difference = (a[:, at:end] - b[:, at:end]).view(-1, h, w, channels)
            squares = torch.linalg.vector_norm(difference, dim=-1, dtype=torch.float32).square()
            pooled = F.adaptive_avg_pool2d(squares[:, None], grid)[:, 0]
            total = squares.sum((1, 2)) / pooled.sum((1, 2)).clamp(min=_SMALLEST)
            out += pooled * total[:, None, None]
            at = end
        return out
