"""Cleaning a coded reference of what coding did to it, before anything is rendered from it.

A reference is coded once and shown, warped, for seconds, so that its blur and its blocks are in every frame
of these; and it is prepared once, so that the network may be as large as a dozen milliseconds allow.  It is a
U-Net over the picture with four pixels side by side in the channels, which adds what it finds missing (a
residual in-loop filter as in learned video coding, but out of the loop: what further references are
predicted from is the decoded picture itself).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FIRST_STEP = 0.1


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU(inplace=True))


class Shortcut(nn.Module):
    """x + conv(relu(conv(x))), (B,C,H,W) -> (B,C,H,W); nearly x to begin with."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        with torch.no_grad():
            self.second.weight.mul_(_FIRST_STEP)
            nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Restorer(nn.Module):
    """Coded pictures (B,3,S,S) in [0,1], S a multiple of 8 -> pictures (B,3,S,S) nearer to the uncoded ones.

    Untrained, it changes nothing.

    Args:
        width: channels at half of the side; twice and three times as many at a quarter and an eighth.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.stem = nn.Sequential(_conv(12, w), Shortcut(w))
        self.down1 = nn.Sequential(_conv(w, 2 * w, 2), Shortcut(2 * w))
        self.down2 = nn.Sequential(_conv(2 * w, 3 * w, 2), *[Shortcut(3 * w) for _ in range(3)])
        self.up1 = nn.Sequential(_conv(5 * w, 2 * w), *[Shortcut(2 * w) for _ in range(2)])
        self.up0 = nn.Sequential(_conv(3 * w, w), *[Shortcut(w) for _ in range(2)])
        self.head = nn.Conv2d(w, 12, 3, 1, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.pixel_unshuffle(pictures - 0.5, 2)
        x0 = self.stem(x.to(self.head.weight.dtype, memory_format=torch.channels_last))
        x1 = self.down1(x0)
        x = F.interpolate(self.down2(x1), scale_factor=2, mode="nearest")
        x = F.interpolate(self.up1(torch.cat([x, x1], 1)), scale_factor=2, mode="nearest")
        missing = self.head(self.up0(torch.cat([x, x0], 1)))
        return pictures + F.pixel_shuffle(missing.float(), 2)
