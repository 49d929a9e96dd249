"""A small network that finds faces of all sizes in a whole picture.

Fully convolutional and without anchors (cf. CenterNet, Zhou et al. 2019; FCOS, Tian et al. 2019).  A
pyramid of maps at strides 8, 16 and 32 says at every place whether the middle of a face of such a size is
there, how far from it the middle is, and how wide and tall the face is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
SIZES = 6.0
"""Strides of a face whose sizes are given as 0."""
RARE = 4.6
"""How unlikely a face is at a place before anything is learned (logit)."""


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Block(nn.Module):
    """Residual: a depthwise and a pointwise convolution twice, (B,C,H,W) -> (B,C,H,W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            _conv(channels, channels, 5, groups=channels), _conv(channels, channels, 1)
        )
        self.filter = _conv(channels, channels, 3, groups=channels)
        self.mix = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.mix(self.filter(self.first(x))))


class HeadFinder(nn.Module):
    """Finds faces.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
        pyramid: channels of the maps that faces are read from.
        blocks: residual blocks at each of strides 8, 16 and 32.
    """

    def __init__(
        self, widths: tuple[int, ...] = (16, 24, 40, 64, 96), pyramid: int = 40, blocks: int = 2
    ) -> None:
        super().__init__()
        if len(widths) != 5 or min(*widths, pyramid) < 1 or blocks < 0:
            raise ValueError("five widths, of at least one channel, are needed")
        a, b, *deep = widths
        self.stem = nn.Sequential(_conv(3, a, 3, 2), _conv(a, b, 3, 2))
        stages = []
        for before, width in zip((b, *deep), deep, strict=False):
            stages.append(nn.Sequential(_conv(before, width, 3, 2), *(_Block(width) for _ in range(blocks))))
        self.stages = nn.ModuleList(stages)
        self.lateral = nn.ModuleList(_conv(width, pyramid, 1) for width in deep)
        self.merge = nn.ModuleList(
            nn.Sequential(_conv(pyramid, pyramid, 3, groups=pyramid), _conv(pyramid, pyramid, 1))
            for _ in deep
        )
        self.tower = nn.Sequential(_conv(pyramid, pyramid, 5, groups=pyramid), _conv(pyramid, pyramid, 1))
        self.out = nn.ModuleList(nn.Conv2d(pyramid, 5, 1) for _ in deep)
        for name, parameter in self.out.named_parameters():
            if name.endswith("weight"):
                nn.init.uniform_(parameter, -0.017, 0.017)
            else:
                parameter.data.copy_(torch.tensor([-RARE, 0.0, 0.0, 0.0, 0.0]))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (B,3,H,W) in [0,1], sides multiples of 32 -> maps (B,5,H/s,W/s), s of :data:`STRIDES`.

        Channels: logit of a face's middle; across and down to the middle, from that of the cell, in strides;
        logarithms of width and height over :data:`SIZES` strides.
        """
        x = self.stem(4 * pictures - 2)
        taps = []
        for stage in self.stages:
            x = stage(x)
            taps.append(x)
        fine: Tensor | None = None
        out: list[Tensor] = []
        for k in reversed(range(len(taps))):
            here = self.lateral[k](taps[k])
            fine = here if fine is None else here + F.interpolate(fine, scale_factor=2.0, mode="nearest")
            fine = self.merge[k](fine)
            out.insert(0, self.out[k](self.tower(fine)))
        return out


def boxes(maps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Maps (B,5,h,w) of all strides -> boxes (B,N,4), left, top, width, height, and logits (B,N)."""
    found, logits = [], []
    for stride, out in zip(STRIDES, maps, strict=True):
        down, across = torch.meshgrid(
            torch.arange(out.shape[2], device=out.device, dtype=out.dtype),
            torch.arange(out.shape[3], device=out.device, dtype=out.dtype), indexing="ij",
        )  # fmt: skip
        x = (across + 0.5 + out[:, 1]) * stride
        y = (down + 0.5 + out[:, 2]) * stride
        w, h = (SIZES * stride * torch.exp(out[:, k].clamp(-4, 4)) for k in (3, 4))
        found.append(torch.stack([x - w / 2, y - h / 2, w, h], -1).flatten(1, 2))
        logits.append(out[:, 0].flatten(1))
    return torch.cat(found, 1), torch.cat(logits, 1)
