"""A small perceptual distance between two pictures, trained here to agree with LPIPS.

The form is that of LPIPS (Zhang et al., CVPR 2018): features at several scales, scaled to length 1 at every
place, and their squared differences.  The features are those of a small network of our own, so that an
encoder can steer by perceptual quality without anybody's weights.  As AlexNet does, it first looks at every
fourth pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (32, 80, 160)
PATCH = 4
"""Pixels between places of the finest scale."""
_SMALLEST_LENGTH = 1e-2


def on_levels(conv: nn.Conv2d) -> nn.Conv2d:
    """The first convolution, for pictures as they lie in memory.

    It takes (B,12,S,S/4), the RGB of four columns, in levels less 127.5 (which bfloat16 holds exactly), and
    gives what ``conv`` gives for the same pictures.
    """
    size = conv.kernel_size[0]
    out = nn.Conv2d(
        3 * PATCH, conv.out_channels, (PATCH * size, size), (PATCH, 1), (size // 2 * PATCH, size // 2)
    )
    parts = conv.weight.detach().unflatten(1, (3, PATCH, PATCH)) / 255
    out.weight = nn.Parameter(parts.permute(0, 3, 1, 4, 2, 5).reshape(out.weight.shape))
    out.bias = conv.bias
    return out


class Likeness(nn.Module):
    """(B,3,S,S) twice, in [0,1] -> distances (B,), 0 = alike; S a multiple of 4."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self._widths = tuple(widths)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, 1 if k == 0 else 2, 1),
                nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(b, b, 3, 1, 1),
                nn.LeakyReLU(0.1, inplace=True),
            )
            for k, (a, b) in enumerate(zip((3 * PATCH**2, *widths[:-1]), widths, strict=True))
        )
        self.weights = nn.Parameter(torch.full((len(widths),), -1.0))

    def features(self, pictures: Tensor) -> Tensor:
        """(B,3,S,S) -> all that is compared of them (B,F)."""
        x = F.pixel_unshuffle(pictures - 0.5, PATCH).contiguous(memory_format=torch.channels_last)
        return self.scales(x.to(next(self.stages.parameters()).dtype))

    def scales(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """What the first convolution takes -> features at S/4, S/8, S/16 in one row (B,F), in ``out`` or new.

        They are scaled so that the distance of two pictures is the squared length of their difference.
        """
        if out is None:
            return torch.cat([(rows * scale).flatten(1) for rows, scale in self._scaled(x)], 1)
        at = 0
        for rows, scale in self._scaled(x):
            end = at + rows[0].numel()
            torch.mul(rows, scale, out=out[:, at:end].view(rows.shape))
            at = end
        return out

    def _scaled(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Features (B,H,W,C) scale by scale, and what each place is to be multiplied by (B,H,W,1)."""
        for stage, weight in zip(self.stages, F.softplus(self.weights), strict=True):
            x = stage(x)
            rows = x.permute(0, 2, 3, 1)
            with torch.autocast(x.device.type, enabled=False):
                length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).float()
                places = rows.shape[1] * rows.shape[2]
                scale = (weight.float() / places).sqrt() / length.clamp(min=_SMALLEST_LENGTH)
            yield rows, scale.to(rows.dtype)

    def feature_count(self, height: int, width: int) -> int:
        """How many features a picture of this size has."""
        count, height, width = 0, height // PATCH, width // PATCH
        for channels in self._widths:
            count += channels * height * width
            height, width = -(-height // 2), -(-width // 2)
        return count

    def compare_places(self, a: Tensor, b: Tensor, height: int, width: int, grid: int) -> Tensor:
        """Features (B,F) of pictures of this size twice -> shares of the distance by place (B,grid,grid).

        Places add up to the distance of :meth:`compare`.
        """
        out = torch.zeros(len(a), grid, grid, device=a.device)
        at, h, w = 0, height // PATCH, width // PATCH
        for channels in self._widths:
            end = at + channels * h * w
            difference = (a[:, at:end] - b[:, at:end]).view(-1, h, w, channels)
            with torch.autocast(a.device.type, enabled=False):
                squares = torch.linalg.vector_norm(difference, dim=-1, dtype=torch.float32).square()
            out += F.adaptive_avg_pool2d(squares[:, None], grid)[:, 0] * (h * w / grid**2)
            at, h, w = end, -(-h // 2), -(-w // 2)
        return out

    @staticmethod
    def compare(a: Tensor, b: Tensor) -> Tensor:
        """Features (B,F) of B pictures twice -> distances (B,), float32."""
        with torch.autocast(a.device.type, enabled=False):
            return torch.linalg.vector_norm(a - b, dim=1, dtype=torch.float32).square()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.compare(self.features(a), self.features(b))
