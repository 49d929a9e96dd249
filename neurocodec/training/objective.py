"""What the motion model is trained for: a picture like the target from keypoints that are cheap to code."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from neurocodec.networks.talk import Talk, blended
from neurocodec.training.augment import moved, similarities, transform
from neurocodec.training.config import Augment, Loss
from neurocodec.training.losses import (
    MIRRORED,
    LikenessDistance,
    SqueezeDistance,
    Vgg19Distance,
    attention,
    gradient_distance,
    tied_points,
)

TIED = len(MIRRORED)


class MotionObjective(nn.Module):
    """A motion model with its losses; one forward pass is one training step's loss.

    Everything goes through :meth:`forward`, so that a data-parallel wrapper sees all that is computed.

    Args:
        network: trained.
        loss: factors.
        augment: ranges of quantization, share of steps with two references.
        squeeze: file of the SqueezeNet LPIPS; without it, ``likeness`` and gradients take its place.
        vgg: file of the normalised VGG-19; without it that loss is left out.
    """

    def __init__(
        self, network: Talk, loss: Loss, augment: Augment, squeeze: Path | None, vgg: Path | None
    ) -> None:
        super().__init__()
        self.network, self.factors, self.augment = network, loss, augment
        self.squeeze = SqueezeDistance(squeeze) if squeeze else None
        self.likeness = None if squeeze else LikenessDistance()
        self.vgg = Vgg19Distance(vgg) if vgg else None

    def describe(self) -> str:
        """Which perceptual losses are in use."""
        if self.squeeze is None:
            names = ["likeness (ours)", "gradients"]
        else:
            names = ["SqueezeNet LPIPS"]
        return ", ".join([*names, *(["VGG-19"] if self.vgg else [])])

    def forward(
        self, reference: Tensor, other: Tensor, target: Tensor, following: Tensor,
        landmarks: Tensor, mirrored: Tensor, seed: int,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """Fields of :class:`neurocodec.training.augment.Prepared`, and what its random numbers come from.

        Returns the loss and its parts (scalars, without gradients).
        """
        rng = torch.Generator().manual_seed(seed)
        device, (b, _, size, _) = target.device, target.shape
        model, augment = self.network, self.augment
        quarter = max(1, b // 4)
        theta = similarities(quarter, 0.25, rng).to(device)
        bent = transform(target[:quarter], theta)
        count = 2 if float(torch.rand((), generator=rng)) < augment.pairs else 1
        pictures = [reference, other][:count]
        points = model.keypoints(torch.cat([target, following, bent, *pictures]))
        kp, kp_next, kp_bent, *kp_references = points.split([b, b, quarter, *[b] * count])

        span = math.log(augment.finest / augment.coarsest)
        quantization = torch.exp(torch.rand(b, 1, 1, generator=rng) * span + math.log(augment.coarsest))
        noise = (torch.rand(kp.shape, generator=rng) - 0.5) / quantization
        features = [model.encode_restored(*pair) for pair in zip(pictures, kp_references, strict=True)]
        out = model.render_details(features, kp + noise.to(device))

        # without the blend in half of the samples: the generator has to learn to paint
        keep = (torch.rand(b, 1, 1, 1, generator=rng) < 0.5).float().to(device)
        prediction = blended(out, keep)
        weight = attention(landmarks, size, self.factors.attention)
        parts = self._pictures(prediction, target, weight, rng)
        parts["painted"] = (out["painted"] - target).abs().mean()
        parts["deformed"] = ((out["deformed"] - target).abs() * weight).mean()

        truth = tied_points(landmarks)
        truth = torch.where(mirrored[:, None, None], truth[:, list(MIRRORED)], truth)
        there = torch.isfinite(truth).all(-1).all(-1)
        tied = min(TIED, kp.shape[1])
        error = (kp[:, :tied] - torch.nan_to_num(truth[:, :tied])).abs().mean((1, 2))
        parts["ties"] = (error * there).sum() / there.sum().clamp(min=1)
        inside = (kp_bent.abs() < 0.95).all(-1)
        halfway = kp[:quarter].detach() * 0.5 + kp[:quarter] * 0.5
        parts["equivariance"] = ((moved(halfway, theta) - kp_bent).abs().mean(-1) * inside).mean()
        parts["rate"] = torch.log2(1 + 100 * (kp_next - kp).abs()).mean()
        total = torch.stack([getattr(self.factors, k) * v.float() for k, v in parts.items()]).sum()
        figures = {k: v.detach().float() for k, v in parts.items()}
        for name in {"mask", "amount"} & out.keys():
            figures[name] = out[name].detach().float().mean()
        return total, figures

    def _pictures(
        self, prediction: Tensor, target: Tensor, weight: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses between two pictures (B,3,S,S), weighted over the picture (B,1,S,S)."""
        parts = {"pixel": ((prediction - target).abs() * weight).mean()}
        if self.squeeze is not None:
            parts["squeeze"] = self.squeeze(prediction, target, weight)
        if self.likeness is not None:
            parts["likeness"] = self.likeness(prediction, target)
            parts["gradients"] = gradient_distance(prediction, target, weight)
        size = target.shape[-1]
        crop = min(size, size // 4 + 32)
        top, left = torch.randint(0, size - crop + 1, (2,), generator=rng).tolist()
        if self.vgg is not None:
            window = (..., slice(top, top + crop), slice(left, left + crop))
            parts["vgg"] = self.vgg(prediction[window], target[window])
        return parts
