"""The Thin-Plate-Spline Motion Model in its published configuration for 256x256 talking heads (vox-256).

Source: J. Zhao and H. Zhang, "Thin-Plate Spline Motion Model for Image Animation", CVPR 2022. Module
names and tensor shapes are those of the published checkpoint, so that its weights load unchanged; the
code is this package's own. Training-only parts (keypoint dropout, the background predictor, the
animation-by-disentanglement network) are left out: the codec renders with the trained model only.

Everything that depends on the reference picture alone is computed once, by ``encode_reference``, and
reused for every frame. Pictures are float (B, 3, 256, 256), RGB in [0, 1]; keypoints (B, 50, 2) in
[-1, 1], x before y.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.networks.tps import coordinate_grid, fit_tps, keypoint_heatmaps

IMAGE_SIZE = 256
NUM_TPS = 10
POINTS_PER_TPS = 5
NUM_KEYPOINTS = NUM_TPS * POINTS_PER_TPS

_MOTION_SCALE = 4  # dense motion works on pictures this many times smaller
_KEYPOINT_VARIANCE = 0.01
_HOURGLASS_BLOCKS = 5
_MAX_MOTION_FEATURES = 1024
_UPSAMPLED_OCCLUSIONS = 2


class MotionReference(NamedTuple):
    """What dense motion keeps of one reference picture.

    ``keypoints`` (1, 50, 2) in [-1, 1]; ``heatmaps`` (1, 50, 64, 64) of these; ``downscaled`` (1, 3, 64, 64),
    the picture at a quarter of its size.
    """

    keypoints: Tensor
    heatmaps: Tensor
    downscaled: Tensor


class ReferenceFeatures(NamedTuple):
    """All that is kept of one reference picture between frames.

    ``image`` (1, 3, 256, 256); ``motion``: dense motion's part; ``encoded``: the inpainting encoder's
    outputs, (1, 64, 256, 256), (1, 128, 128, 128), (1, 256, 64, 64), (1, 512, 32, 32).
    """

    image: Tensor
    motion: MotionReference
    encoded: tuple[Tensor, ...]


class Motion(NamedTuple):
    """How B frames follow from the reference.

    ``deformation`` (B, 64, 64, 2): where in the reference, in [-1, 1], each place of the frame comes from.
    ``occlusion``: four masks (B, 1, S, S), S = 32, 64, 128, 256, in [0, 1]; 1 keeps the warped reference,
    0 has it painted anew.
    """

    deformation: Tensor
    occlusion: tuple[Tensor, ...]


class _ResidualStage(nn.Module):
    """ResNet's basic block (He et al., CVPR 2016): two 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)) + shortcut, inplace=True)


class _ResNet18(nn.Module):
    """ResNet-18 with a linear head: (B, 3, H, W) to (B, outputs)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_ResidualStage(64, 64, 1), _ResidualStage(64, 64, 1))
        self.layer2 = nn.Sequential(_ResidualStage(64, 128, 2), _ResidualStage(128, 128, 1))
        self.layer3 = nn.Sequential(_ResidualStage(128, 256, 2), _ResidualStage(256, 256, 1))
        self.layer4 = nn.Sequential(_ResidualStage(256, 512, 2), _ResidualStage(512, 512, 1))
        self.fc = nn.Linear(512, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(dim=(2, 3)))


class KeypointDetector(nn.Module):
    """Finds the 50 keypoints of a face: ten groups of five, one group per thin-plate spline."""

    def __init__(self) -> None:
        super().__init__()
        self.fg_encoder = _ResNet18(2 * NUM_KEYPOINTS)

    def forward(self, images: Tensor) -> Tensor:
        """Keypoints (B, 50, 2) in [-1, 1] of pictures (B, 3, 256, 256) in [0, 1]."""
        return (self.fg_encoder(images).sigmoid() * 2 - 1).reshape(-1, NUM_KEYPOINTS, 2)


class _ConvNormRelu(nn.Module):
    """Convolution that keeps the size, instance norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.norm = nn.InstanceNorm2d(out_channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class _DownBlock(_ConvNormRelu):
    """The same, then the mean of every 2x2 pixels: half the size."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), kernel_size=2)


class _UpBlock(_ConvNormRelu):
    """The same on a picture first enlarged to twice its size by repeating pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class _PreActivationBlock(nn.Module):
    """Residual block with norm and ReLU ahead of each of its two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.InstanceNorm2d(channels, affine=True)
        self.norm2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x), inplace=True))
        return x + self.conv2(F.relu(self.norm2(out), inplace=True))


class _GaussianDownscale(nn.Module):
    """Shrinks pictures by a whole factor: fixed Gaussian blur (zero padding), then every factor-th pixel.

    The blur's deviation is (factor - 1) / 2 pixels, its kernel reaches four deviations each way.
    """

    weight: Tensor

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        deviation = (factor - 1) / 2
        self.factor = factor
        self.radius = round(4 * deviation)
        offsets = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        profile = torch.exp(offsets.square() / (-2 * deviation * deviation))
        kernel = torch.outer(profile, profile)
        kernel = kernel / kernel.sum()
        self.register_buffer("weight", kernel.repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        # A strided convolution computes only the pixels that are kept.
        return F.conv2d(x, self.weight, stride=self.factor, padding=self.radius, groups=self.weight.shape[0])


def _hourglass_width(level: int) -> int:
    """Channels of the hourglass after ``level`` halvings."""
    return min(_MAX_MOTION_FEATURES, 64 << level)


class _HourglassEncoder(nn.Module):
    """Five down blocks; returns the input and all their outputs, largest first."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        widths = [in_channels] + [_hourglass_width(level) for level in range(1, _HOURGLASS_BLOCKS + 1)]
        self.down_blocks = nn.ModuleList(_DownBlock(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = [x]
        for block in self.down_blocks:
            outputs.append(block(outputs[-1]))
        return outputs


class _HourglassDecoder(nn.Module):
    """Five up blocks, each joined by the encoder's output of its size; returns all, smallest first."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        blocks = []
        channels = _hourglass_width(_HOURGLASS_BLOCKS)
        for level in reversed(range(_HOURGLASS_BLOCKS)):
            width = _hourglass_width(level)
            blocks.append(_UpBlock(channels, width))
            channels = width + (_hourglass_width(level) if level else in_channels)
        self.up_blocks = nn.ModuleList(blocks)
        self.out_channels = (2 * _hourglass_width(1), channels)

    def forward(self, encoded: list[Tensor]) -> list[Tensor]:
        outputs = []
        x = encoded[-1]
        for block, skip in zip(self.up_blocks, reversed(encoded[:-1]), strict=True):
            x = torch.cat((block(x), skip), dim=1)
            outputs.append(x)
        return outputs


class _Hourglass(nn.Module):
    """The U-shaped network dense motion is built on; returns the decoder's outputs, smallest first."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.encoder = _HourglassEncoder(in_channels)
        self.decoder = _HourglassDecoder(in_channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.decoder(self.encoder(x))


class DenseMotionNetwork(nn.Module):
    """Blends ten splines and the identity into one deformation, and finds what the reference cannot show."""

    def __init__(self) -> None:
        super().__init__()
        in_channels = (NUM_KEYPOINTS + 1) + 3 * (NUM_TPS + 1)
        self.down = _GaussianDownscale(3, _MOTION_SCALE)
        self.hourglass = _Hourglass(in_channels)
        half, full = self.hourglass.decoder.out_channels
        self.maps = nn.Conv2d(full, NUM_TPS + 1, 7, padding=3)
        ups = [_UpBlock(full >> i, full >> (i + 1)) for i in range(_UPSAMPLED_OCCLUSIONS)]
        self.up = nn.ModuleList(ups)
        widths = [half, full] + [full >> (i + 1) for i in range(_UPSAMPLED_OCCLUSIONS)]
        self.occlusion = nn.ModuleList(nn.Conv2d(width, 1, 7, padding=3) for width in widths)

    def encode_reference(self, reference: Tensor, keypoints: Tensor) -> MotionReference:
        """Prepare a reference picture (1, 3, 256, 256) with its keypoints (1, 50, 2)."""
        downscaled = self.down(reference)
        height, width = downscaled.shape[-2:]
        heatmaps = keypoint_heatmaps(keypoints, height, width, _KEYPOINT_VARIANCE)
        return MotionReference(keypoints, heatmaps, downscaled)

    def forward(self, reference: MotionReference, keypoints: Tensor) -> Motion:
        """The motion from the reference to frames with the given keypoints (B, 50, 2)."""
        batch = keypoints.shape[0]
        height, width = reference.downscaled.shape[-2:]
        heatmaps = keypoint_heatmaps(keypoints, height, width, _KEYPOINT_VARIANCE) - reference.heatmaps
        flows = self._candidate_flows(reference.keypoints, keypoints, height, width)
        # One sampling for all candidates: stacked below each other they are one tall picture.
        warped = _sample(reference.downscaled, flows.reshape(batch, -1, width, 2))
        warped = warped.reshape(batch, 3, NUM_TPS + 1, height, width).transpose(1, 2).flatten(1, 2)
        blank = heatmaps.new_zeros(batch, 1, height, width)
        joined = torch.cat((blank, heatmaps, warped.to(heatmaps.dtype)), dim=1)
        outputs = self.hourglass(joined.to(reference.downscaled.dtype))

        logits = self.maps(outputs[-1])
        shares = logits.to(flows.dtype).softmax(dim=1)
        deformation = (shares.unsqueeze(-1) * flows).sum(dim=1)

        inputs = outputs[-2:]
        for block in self.up:
            inputs.append(block(inputs[-1]))
        masks = tuple(conv(x).sigmoid() for conv, x in zip(self.occlusion, inputs, strict=True))
        return Motion(deformation, masks)

    @staticmethod
    def _candidate_flows(source: Tensor, driving: Tensor, height: int, width: int) -> Tensor:
        """The identity and the ten splines as grids (B, 11, height, width, 2), in float32 or better."""
        batch = driving.shape[0]
        groups = (batch, NUM_TPS, POINTS_PER_TPS, 2)
        splines = fit_tps(driving.reshape(groups), source.expand(batch, -1, -1).reshape(groups))
        dtype = splines.affine.dtype
        identity = coordinate_grid(height, width, device=driving.device, dtype=dtype)
        still = identity.expand(batch, 1, -1, -1, -1)
        return torch.cat((still, splines.warp(identity)), dim=1)


class InpaintingNetwork(nn.Module):
    """Renders a frame: warps the encoded reference and paints what is hidden in it."""

    def __init__(self) -> None:
        super().__init__()
        widths = (64, 128, 256, 512)
        self.first = _ConvNormRelu(3, widths[0], kernel_size=7)
        self.down_blocks = nn.ModuleList(_DownBlock(a, b) for a, b in pairwise(widths))
        ups: list[nn.Module] = []
        residuals: list[nn.Module] = []
        channels = widths[-1]
        for width in reversed(widths[:-1]):
            residuals += [_PreActivationBlock(channels), _PreActivationBlock(channels)]
            ups.append(_UpBlock(channels, width))
            channels = 2 * width
        self.up_blocks = nn.ModuleList(ups)
        self.resblock = nn.ModuleList(residuals)
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    def encode_reference(self, reference: Tensor) -> tuple[Tensor, ...]:
        """Features of a reference (1, 3, 256, 256), largest first: 64 channels at 256 to 512 at 32."""
        features = [self.first(reference)]
        for block in self.down_blocks:
            features.append(block(features[-1]))
        return tuple(features)

    def render(self, reference: Tensor, features: tuple[Tensor, ...], motion: Motion) -> Tensor:
        """Frames (B, 3, 256, 256) in [0, 1] from one reference, its features and B motions."""
        last = motion.occlusion[-1]
        x = _warp(features[-1], motion.deformation) * motion.occlusion[0]
        stages = len(self.up_blocks)
        for i, up in enumerate(self.up_blocks):
            x = up(self.resblock[2 * i + 1](self.resblock[2 * i](x)))
            kept = _warp(features[-2 - i], motion.deformation) * motion.occlusion[i + 1]
            if i < stages - 1:
                x = torch.cat((x, kept), dim=1)
            else:
                x = x * (1 - last) + kept
        painted = self.final(x).sigmoid()
        return painted * (1 - last) + _warp(reference, motion.deformation) * last


class Vox256(nn.Module):
    """The complete model: keypoints of pictures, and pictures from a reference and keypoints."""

    size = IMAGE_SIZE

    def __init__(self) -> None:
        super().__init__()
        self.kp_detector = KeypointDetector()
        self.dense_motion_network = DenseMotionNetwork()
        self.inpainting_network = InpaintingNetwork()

    def keypoints(self, images: Tensor) -> Tensor:
        """Keypoints (B, 50, 2) in [-1, 1] of pictures (B, 3, 256, 256) in [0, 1].

        Raises ValueError for another shape.
        """
        _require_images(images)
        return self.kp_detector(images)

    def encode_reference(self, image: Tensor, keypoints: Tensor) -> ReferenceFeatures:
        """Compute what all frames of a reference (1, 3, 256, 256), keypoints (1, 50, 2), have in common.

        Raises ValueError for other shapes, also for more than one picture.
        """
        _require_images(image)
        _require_keypoints(keypoints)
        if image.shape[0] != 1 or keypoints.shape[0] != 1:
            raise ValueError("one reference picture at a time")
        return ReferenceFeatures(
            image=image,
            motion=self.dense_motion_network.encode_reference(image, keypoints),
            encoded=self.inpainting_network.encode_reference(image),
        )

    def render(self, features: ReferenceFeatures, keypoints: Tensor) -> Tensor:
        """Frames (B, 3, 256, 256) in [0, 1] with the given keypoints (B, 50, 2).

        Raises ValueError for another shape of the keypoints.
        """
        _require_keypoints(keypoints)
        motion = self.dense_motion_network(features.motion, keypoints)
        return self.inpainting_network.render(features.image, features.encoded, motion)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    """Sample images (1 or B, C, H, W) at grid (B, h, w, 2); zero outside. The grid's precision is kept."""
    expanded = images.to(grid.dtype).expand(grid.shape[0], -1, -1, -1)
    sampled = F.grid_sample(expanded, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return sampled.to(images.dtype)


def _warp(images: Tensor, deformation: Tensor) -> Tensor:
    """Warp images (1 or B, C, H, W) by a deformation (B, h, w, 2), first enlarged or shrunk to H x W."""
    size = images.shape[-2:]
    if deformation.shape[1:3] != size:
        planes = deformation.permute(0, 3, 1, 2)
        planes = F.interpolate(planes, size=size, mode="bilinear", align_corners=True)
        deformation = planes.permute(0, 2, 3, 1)
    return _sample(images, deformation)


def _require_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1:] != (3, IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"pictures must be (B, 3, {IMAGE_SIZE}, {IMAGE_SIZE}), not {tuple(images.shape)}")


def _require_keypoints(keypoints: Tensor) -> None:
    if keypoints.ndim != 3 or keypoints.shape[1:] != (NUM_KEYPOINTS, 2):
        raise ValueError(f"keypoints must be (B, {NUM_KEYPOINTS}, 2), not {tuple(keypoints.shape)}")
