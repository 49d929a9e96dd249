"""The codec's own feedback network: how far has the rendering drifted from what was there?

It sees what a decoder has, the rendering and the reference it was made from, and predicts the measured
verdict (:mod:`neurocodec.verdict`).  It works on 64x64 positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Gauge(nn.Module):
    """(rendering, reference) -> verdict in [0,1], 1 = perfect."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        w = width
        self.features = nn.Sequential(
            _block(36, 2 * w), _block(2 * w, 3 * w), _block(3 * w, 4 * w), _block(4 * w, 4 * w)
        )
        self.head = nn.Sequential(nn.Linear(8 * w, 2 * w), nn.ReLU(inplace=True), nn.Linear(2 * w, 1))

    def forward(self, rendering: Tensor, reference: Tensor) -> Tensor:
        """Pictures (B,3,S,S) in [0,1] -> logits (B,)."""
        pair = [F.adaptive_avg_pool2d(x, SIDE) for x in (rendering, reference.expand_as(rendering))]
        x = F.pixel_unshuffle(torch.cat([*pair, pair[0] - pair[1]], 1) - 0.25, 2)
        x = self.features(x)
        return self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)).squeeze(1)

    def verdict(self, rendering: Tensor, reference: Tensor) -> Tensor:
        """Pictures (B,3,S,S) in [0,1] -> verdicts (B,)."""
        return torch.sigmoid(self(rendering, reference))
