"""A phone-sized landmark network: MobileNetV2 -> compact latent -> dense layers -> 68 facial landmarks.

The encoder is MobileNetV2 (Sandler et al., CVPR 2018) with the published stages and a width of choice, over a
picture of 128x128.  Where something is matters here, so maps are not averaged: those at strides 16 and 32 are
projected and flattened (cf. PFLD, Guo et al., 2019), and a light pyramid down to stride 8 gives a heat map
for each landmark, read by a soft-argmax, which is a first guess that learns fast.  Guess and flattened maps
make the latent.  The latent is the only thing that a decoder gets; its dimensions are meant to be quantized
and sent, most important first.  A linear mapping turns landmarks into the keypoints of a motion model, so
that the latent alone can drive a face.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POINTS = 68
SIDE = 128
"""Side of the picture that the network looks at."""
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels at width 1, blocks, stride of the first one."""
_FINE, _MIDDLE = 3, 5
"""Number of stages in front of the maps of strides 8 and 16."""
_PYRAMID = 48
_MAP = SIDE // 8


def _scaled(channels: int, width: float) -> int:
    """Channels at a width: a multiple of 8, never less than nine tenths of what was asked for."""
    asked = channels * width
    out = max(8, int(asked + 4) // 8 * 8)
    return out + 8 if out < 0.9 * asked else out


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class _Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; (B,C,H,W) -> (B,D,H/s,W/s)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.widen = _conv(inputs, wide, 1) if expansion > 1 else nn.Identity()
        self.filter = _conv(wide, wide, 3, stride, wide)
        self.narrow = nn.Sequential(nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(self.filter(self.widen(x)))
        return x + y if self.residual else y


class _Filter(nn.Sequential):
    """A depthwise and a pointwise convolution, (B,C,H,W) -> (B,C,H,W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(_conv(channels, channels, 3, 1, channels), _conv(channels, channels, 1))


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Face68(nn.Module):
    """Landmark encoder and decoder.

    Args:
        width: factor on MobileNetV2's channels.
        latent: dimensions of the latent, an even number.
        keypoints: points of the motion model that the mapping leads to; 0: there is no mapping.
        motion: beginning of the hash of that model's weights, for information.
    """

    def __init__(self, width: float = 0.5, latent: int = 32, keypoints: int = 0, motion: str = "") -> None:
        super().__init__()
        if latent < 2 or latent % 2 or not 0 < width <= 4 or keypoints < 0:
            raise ValueError("the width must be in (0,4], the latent even, keypoints not negative")
        self.latent_size, self.num_keypoints, self.motion = latent, keypoints, motion
        self.mapping: Tensor
        channels = _scaled(32, width)
        self.stem = _conv(3, channels, 3, 2)
        stages = []
        taps = []
        for expansion, full, count, stride in STAGES:
            outputs = _scaled(full, width)
            blocks = []
            for k in range(count):
                blocks.append(_Block(channels, outputs, expansion, stride if k == 0 else 1))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
            taps.append(channels)
        self.stages = nn.ModuleList(stages)
        self.project16 = _conv(taps[_MIDDLE - 1], 16, 1)
        self.project32 = _conv(taps[-1], 48, 1)
        self.lateral = nn.ModuleList(_conv(taps[k - 1], _PYRAMID, 1) for k in (_FINE, _MIDDLE, len(STAGES)))
        self.merge = nn.ModuleList([_Filter(_PYRAMID), _Filter(_PYRAMID)])
        self.maps = nn.Conv2d(_PYRAMID, POINTS, 1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        features = 16 * (SIDE // 16) ** 2 + 48 * (SIDE // 32) ** 2
        self.from_guess = nn.Linear(2 * POINTS, latent)
        self.to_latent = nn.Linear(features, latent, bias=False)
        self.to_presence = nn.Linear(features, 1)
        self.linear = nn.Linear(latent, 2 * POINTS)
        self.dense = nn.Sequential(
            nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 2 * POINTS)
        )
        if keypoints:
            self.register_buffer("mapping", torch.zeros(2 * keypoints, 2 * POINTS + 1))

    def start_from(self, landmarks: Tensor) -> None:
        """Let the latent begin as the principal components of landmarks (n,68,2), fractions."""
        flat = landmarks.flatten(1) - 0.5
        mean = flat.mean(0)
        axes = torch.linalg.svd(flat - mean, full_matrices=False)[2][: self.latent_size]
        with torch.no_grad():
            self.from_guess.weight.copy_(axes)
            self.from_guess.bias.copy_(-axes @ mean)
            self.linear.weight.copy_(axes.T)
            self.linear.bias.copy_(mean)
            nn.init.zeros_(self.to_latent.weight)
            for parameter in self.dense[-1].parameters():
                nn.init.zeros_(parameter)

    def encode_details(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`encode`, and the first guess of the landmarks (B,68,2)."""
        x = self.stem(2 * pictures - 1)
        taps = []
        for k, stage in enumerate(self.stages, 1):
            x = stage(x)
            if k in (_FINE, _MIDDLE):
                taps.append(x)
        features = torch.cat([self.project16(taps[1]).flatten(1), self.project32(x).flatten(1)], 1)
        fine = self.lateral[2](x)
        for k in (1, 0):
            fine = self.merge[k](_up(fine) + self.lateral[k](taps[k]))
        share = torch.softmax(self.maps(fine).flatten(2) * self.sharpness, -1)
        axis = torch.arange(_MAP, device=x.device, dtype=torch.float32) / (_MAP - 1)
        grid = torch.stack([axis.repeat(_MAP), axis.repeat_interleave(_MAP)], 1)
        guess = torch.matmul(share, grid)
        latents = self.from_guess(guess.flatten(1) - 0.5) + self.to_latent(features)
        return latents, self.to_presence(features)[:, 0], guess

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B,3,128,128) in [0,1] -> latents (B,L) and logits (B,) of there being a face."""
        return self.encode_details(pictures)[:2]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B,L) -> landmarks (B,68,2), fractions of the picture's width and height."""
        return 0.5 + (self.linear(latents) + self.dense(latents)).unflatten(1, (POINTS, 2))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B,3,128,128) in [0,1] -> landmarks (B,68,2), fractions of width and height."""
        return self.decode(self.encode(pictures)[0])

    def to_keypoints(self, landmarks: Tensor) -> Tensor:
        """Landmarks (B,68,2) -> keypoints (B,N,2) of the motion model, in [-1,1]; needs the mapping."""
        ahead = 2 * landmarks.flatten(1) - 1
        out = F.linear(ahead, self.mapping[:, :-1], self.mapping[:, -1])
        return out.unflatten(1, (self.num_keypoints, 2))
