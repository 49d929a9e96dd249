"""Losses of the motion model: perceptual distances and the ties of keypoints to facial landmarks.

The networks of :class:`SqueezeDistance` and :class:`Vgg19Distance` are others' and come as files.  Without
them there are :class:`LikenessDistance`, our own shipped one, and :func:`gradient_distance`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.errors import InputError
from neurocodec.models import files as models

# iBUG-68 points that the first four thin-plate splines are tied to; a tuple of indices means their mean.
# Mouth, left eye, right eye (mirrored order), head; the other splines are free.
TIES: tuple[tuple[int, ...], ...] = (
    (48,), (54,), (51,), (57,), (66,),
    (36,), (39,), (37, 38), (40, 41), (19,),
    (45,), (42,), (43, 44), (46, 47), (24,),
    (2,), (14,), (8,), (27,), (30,),
)  # fmt: skip
# TIES[MIRRORED[i]] is the point that a mirrored picture shows at TIES[i].
MIRRORED = (1, 0, 2, 3, 4, 10, 11, 12, 13, 14, 5, 6, 7, 8, 9, 16, 15, 17, 18, 19)
_SMALLEST = 1e-12
"""Squared length of features that are not scaled to 1."""
EYES_AND_MOUTH = (*range(36, 48), *range(48, 68))


def tied_points(landmarks: Tensor) -> Tensor:
    """(B,68,2) fractions of the picture -> (B,20,2) in [-1,1]; NaN where no face was found."""
    return torch.stack([landmarks[:, list(i)].mean(1) for i in TIES], 1) * 2 - 1


def attention(landmarks: Tensor, size: int, strength: float) -> Tensor:
    """(B,68,2) -> (B,1,S,S): 1, more around eyes and mouth (Gaussians of 4 % of the picture)."""
    axis = (torch.arange(size, dtype=torch.float32, device=landmarks.device) + 0.5) / size
    points = torch.nan_to_num(landmarks[:, list(EYES_AND_MOUTH)], nan=-9.0)
    gx = torch.exp(-0.5 * ((axis - points[..., :1]) / 0.04) ** 2)
    gy = torch.exp(-0.5 * ((axis - points[..., 1:]) / 0.04) ** 2)
    bumps = torch.einsum("bny,bnx->byx", gy, gx).clamp(max=1.0)
    return 1 + strength * bumps[:, None]


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


class LikenessDistance(nn.Module):
    """The shipped perceptual distance as a loss; (B,3,S,S) twice in [0,1] -> scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.network = models.load(models.find(models.DEFAULT_FEEDBACK, "feedback"))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.network(a, b).mean()


class _Frozen(nn.Module):
    """Tensors of a file as buffers that move with the module and are not part of its state."""

    def __init__(self, weights: Path, needed: str) -> None:
        super().__init__()
        try:
            content = load_file(weights)
            content[needed]
        except (OSError, SafetensorError, KeyError):
            raise InputError(f"{weights} does not hold the weights of this loss ({needed})") from None
        self._names = list(content)
        for name, tensor in content.items():
            self.register_buffer(name.replace(".", "_"), tensor.float(), persistent=False)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """By their names in the file."""
        return {name: getattr(self, name.replace(".", "_")) for name in self._names}


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


class SqueezeDistance(_Frozen):
    """LPIPS (SqueezeNet 1.1, v0.1; Zhang et al., CVPR 2018), optionally weighted over the picture."""

    shift: Tensor
    scale: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__(weights, "fire9.squeeze.weight")
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def _conv(self, x: Tensor, name: str, **options: int) -> Tensor:
        return F.relu(F.conv2d(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], **options))

    def _fire(self, x: Tensor, i: int) -> Tensor:
        s = self._conv(x, f"fire{i}.squeeze")
        return torch.cat(
            [self._conv(s, f"fire{i}.expand1x1"), self._conv(s, f"fire{i}.expand3x3", padding=1)], 1
        )

    def features(self, x: Tensor) -> list[Tensor]:
        x = self._conv((x * 2 - 1 - self.shift) / self.scale, "conv1", stride=2)
        out = [x]
        for first, last, pool in ((2, 3, True), (4, 5, True), (6, 6, True), (7, 7, False)):
            if pool:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            for i in range(first, last + 1):
                x = self._fire(x, i)
            out.append(x)
        for i in (8, 9):
            x = self._fire(x, i)
            out.append(x)
        return out

    def forward(self, a: Tensor, b: Tensor, weight: Tensor | None = None) -> Tensor:
        """Pictures (B,3,S,S) in [0,1], weight (B,1,S,S) -> scalar."""
        total = a.new_zeros(())
        with torch.no_grad():
            target = self.features(b)
        for k, (fa, fb) in enumerate(zip(self.features(a), target, strict=True)):
            d = normalized_distance(fa, fb, self.tensors[f"lin{k}.weight"].flatten())
            if weight is not None:
                d = d * F.adaptive_avg_pool2d(weight, (d.shape[-2], d.shape[-1]))
            total = total + d.mean()
        return total


class Vgg19Distance(_Frozen):
    """Mean absolute difference of normalised VGG-19 features relu1_1, relu2_1, relu3_1."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights, "conv3_1.weight")

    def _conv(self, x: Tensor, name: str) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.relu(F.conv2d(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]))

    def features(self, x: Tensor) -> list[Tensor]:
        x = F.conv2d(x, self.tensors["conv0.weight"], self.tensors["conv0.bias"])
        a = self._conv(x, "conv1_1")
        b = self._conv(F.max_pool2d(self._conv(a, "conv1_2"), 2), "conv2_1")
        c = self._conv(F.max_pool2d(self._conv(b, "conv2_2"), 2), "conv3_1")
        return [a, b, c]

    def forward(self, a: Tensor, b: Tensor, weight: Tensor | None = None) -> Tensor:
        """Pictures (B,3,S,S) in [0,1] -> scalar."""
        with torch.no_grad():
            target = self.features(b)
        total = a.new_zeros(())
        for fa, fb in zip(self.features(a), target, strict=True):
            d = (fa.float() - fb.float()).abs().mean(1, keepdim=True)
            if weight is not None:
                d = d * F.adaptive_avg_pool2d(weight, (d.shape[-2], d.shape[-1]))
            total = total + d.mean()
        return total
