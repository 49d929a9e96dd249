"""Losses of pictures: perceptual distances, gradients, and what weighs how much.

The networks of :class:`SqueezeDistance` and :class:`Vgg19Distance` are others' and come as files.  Without
the former, our own shipped distance and :func:`gradient_distance` take its place.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.errors import InputError
from neurocodec.models.model_files import find, load
from neurocodec.options import DEFAULT_FEEDBACK
from neurocodec.training.config import Loss

_SMALLEST = 1e-12
"""Squared length of features that are not scaled to 1."""


def gradient_distance(a: Tensor, b: Tensor, weight: Tensor, scales: int = 4) -> Tensor:
    """Mean absolute difference of horizontal and vertical gradients at ``scales`` sizes, each half the last.

    Pictures (B,3,S,S) in [0,1], weight (B,1,S,S) -> scalar.  Edges at the wrong place or of the wrong
    sharpness cost, whatever their brightness (cf. Mathieu et al., ICLR 2016).
    """
    difference = a.float() - b.float()
    total = a.new_zeros((), dtype=torch.float32)
    for k in range(scales):
        if k:
            difference, weight = F.avg_pool2d(difference, 2), F.avg_pool2d(weight, 2)
        total = total + (difference.diff(dim=-1).abs() * weight[..., 1:]).mean()
        total = total + (difference.diff(dim=-2).abs() * weight[..., 1:, :]).mean()
    return total


def normalized_distance(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """Weighted squared distance of features (B,C,H,W), scaled to length 1 at every place, -> (B,1,H,W).

    Equation 1 of Zhang et al. (CVPR 2018), multiplied out, so that features are never scaled, only sums of
    theirs: that takes less than half the time.  Only ``a`` gets gradients.
    """
    both = torch.stack([torch.ones_like(weights), weights], 1)
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x.float().permute(0, 2, 3, 1).contiguous() for x in (a, b.detach()))
        length, own = (a.square() @ both).unbind(-1)
        other_length, other = (b.square() @ both).unbind(-1)
        scale, other_scale = (x.clamp(min=_SMALLEST).rsqrt() for x in (length, other_length))
        across = (a * b) @ weights
        found = (own * scale - 2 * across * other_scale) * scale + other * other_scale.square()
        return found[:, None]


class FeatureDistance(nn.Module):
    """Distance of pictures by the features of a network whose weights come as a file.

    They are buffers that move with the module and are not part of its state.
    """

    needed: ClassVar[str]
    """A tensor by which a file is known to hold these weights."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        try:
            content = load_file(weights)
            content[self.needed]
        except (OSError, SafetensorError, KeyError):
            raise InputError(f"{weights} does not hold the weights of this loss ({self.needed})") from None
        for name, tensor in content.items():
            self.register_buffer(name.replace(".", "_"), tensor.float(), persistent=False)

    def tensor(self, name: str) -> Tensor:
        """A tensor by its name in the file."""
        return self.get_buffer(name.replace(".", "_"))

    def conv(self, x: Tensor, name: str, **options: int) -> Tensor:
        """Convolve ``x`` with the weights and bias that the file has under ``name``."""
        return F.conv2d(x, self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias"), **options)

    @abstractmethod
    def features(self, x: Tensor) -> list[Tensor]:
        """Pictures (B,3,S,S) in [0,1] -> what is compared of them, (B,C,H,W) each."""

    @abstractmethod
    def difference(self, k: int, a: Tensor, b: Tensor) -> Tensor:
        """Distance at every place (B,1,H,W) of the ``k``-th features."""

    def forward(self, a: Tensor, b: Tensor, weight: Tensor | None = None) -> Tensor:
        """Pictures (B,3,S,S) in [0,1], weight (B,1,S,S) -> scalar; only ``a`` gets gradients."""
        total = a.new_zeros(())
        with torch.no_grad():
            target = self.features(b)
        for k, (mine, other) in enumerate(zip(self.features(a), target, strict=True)):
            d = self.difference(k, mine, other)
            if weight is not None:
                d = d * F.adaptive_avg_pool2d(weight, (d.shape[-2], d.shape[-1]))
            total = total + d.mean()
        return total


class SqueezeDistance(FeatureDistance):
    """LPIPS (SqueezeNet 1.1, v0.1; Zhang et al., CVPR 2018), optionally weighted over the picture."""

    needed = "fire9.squeeze.weight"
    shift: Tensor
    scale: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__(weights)
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def _fire(self, x: Tensor, i: int) -> Tensor:
        s = F.relu(self.conv(x, f"fire{i}.squeeze"))
        sides = self.conv(s, f"fire{i}.expand1x1"), self.conv(s, f"fire{i}.expand3x3", padding=1)
        return torch.cat([F.relu(x) for x in sides], 1)

    def features(self, x: Tensor) -> list[Tensor]:
        x = F.relu(self.conv((x * 2 - 1 - self.shift) / self.scale, "conv1", stride=2))
        out = [x]
        for fires in ((2, 3), (4, 5), (6,), (7,), (8,), (9,)):
            if fires[0] <= 6:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            for i in fires:
                x = self._fire(x, i)
            out.append(x)
        return out

    def difference(self, k: int, a: Tensor, b: Tensor) -> Tensor:
        return normalized_distance(a, b, self.tensor(f"lin{k}.weight").flatten())


class Vgg19Distance(FeatureDistance):
    """Mean absolute difference of normalised VGG-19 features relu1_1, relu2_1, relu3_1."""

    needed = "conv3_1.weight"

    def _conv(self, x: Tensor, name: str) -> Tensor:
        return F.relu(self.conv(F.pad(x, (1, 1, 1, 1), mode="reflect"), name))

    def features(self, x: Tensor) -> list[Tensor]:
        a = self._conv(self.conv(x, "conv0"), "conv1_1")
        b = self._conv(F.max_pool2d(self._conv(a, "conv1_2"), 2), "conv2_1")
        c = self._conv(F.max_pool2d(self._conv(b, "conv2_2"), 2), "conv3_1")
        return [a, b, c]

    def difference(self, k: int, a: Tensor, b: Tensor) -> Tensor:
        return (a.float() - b.float()).abs().mean(1, keepdim=True)


class PerceptualLosses(nn.Module):
    """What pictures are compared by: networks that are given, and what takes their place.

    Args:
        squeeze: file of the SqueezeNet LPIPS; without it, our own distance and gradients take its place.
        vgg: file of the normalised VGG-19; without it that loss is left out.
    """

    def __init__(self, squeeze: Path | None, vgg: Path | None) -> None:
        super().__init__()
        self.squeeze = SqueezeDistance(squeeze) if squeeze else None
        own = find(DEFAULT_FEEDBACK, "feedback")
        self.own = None if squeeze else load(own)
        self.vgg = Vgg19Distance(vgg) if vgg else None

    def first(self, a: Tensor, b: Tensor) -> Tensor:
        """The perceptual distance alone of pictures (B,3,S,S), a scalar."""
        return self.squeeze(a, b) if self.squeeze is not None else self.own(a, b).mean()  # type: ignore[misc]

    def describe(self) -> str:
        """Names of the losses in use, for the log."""
        names = ["SqueezeNet LPIPS"] if self.squeeze else ["perceptual (ours)", "gradients"]
        return ", ".join([*names, *(["VGG-19"] if self.vgg else [])])

    def forward(
        self, a: Tensor, b: Tensor, window: tuple[slice, ...], weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Pictures (B,3,S,S) in [0,1], weight (B,1,S,S) -> losses by name.

        VGG-19, which takes as long as all else, sees a ``window`` of the batch only, unweighted.
        """
        parts = {}
        if self.squeeze is not None:
            parts["squeeze"] = self.squeeze(a, b, weight)
        if self.own is not None:
            parts["perceptual"] = self.own(a, b).mean()
            parts["gradients"] = gradient_distance(
                a, b, torch.ones_like(b[:, :1]) if weight is None else weight
            )
        if self.vgg is not None:
            parts["vgg"] = self.vgg(a[window], b[window])
        return parts


def weighted(factors: Loss, parts: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of losses times their factors, and the losses without gradients, to log."""
    total = torch.stack([getattr(factors, name) * value.float() for name, value in parts.items()]).sum()
    return total, {name: value.detach().float() for name, value in parts.items()}
