"""What the motion model is trained for: a picture like the target from keypoints that are cheap to code."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurocodec.networks.talk import Talk, blended
from neurocodec.training.augment import moved, similarities, transform
from neurocodec.training.config import Augment, Loss
from neurocodec.training.losses import PerceptualLosses, weighted

# iBUG-68 points that the first four thin-plate splines are tied to; a tuple of indices means their mean.
# Mouth, left eye, right eye (mirrored order), head; the other splines are free.
TIES: tuple[tuple[int, ...], ...] = (
    (48,), (54,), (51,), (57,), (66,),
    (36,), (39,), (37, 38), (40, 41), (19,),
    (45,), (42,), (43, 44), (46, 47), (24,),
    (2,), (14,), (8,), (27,), (30,),
)  # fmt: skip
TIED = len(TIES)
# TIES[MIRRORED[i]] is the point that a mirrored picture shows at TIES[i].
MIRRORED = (1, 0, 2, 3, 4, 10, 11, 12, 13, 14, 5, 6, 7, 8, 9, 16, 15, 17, 18, 19)
_EYES_AND_MOUTH = range(36, 68)


def tied_points(landmarks: Tensor) -> Tensor:
    """(B,68,2) fractions of the picture -> (B,20,2) in [-1,1]; NaN where no face was found."""
    return torch.stack([landmarks[:, list(i)].mean(1) for i in TIES], 1) * 2 - 1


def attention(landmarks: Tensor, size: int, strength: float) -> Tensor:
    """(B,68,2) -> (B,1,S,S): 1, more around eyes and mouth (Gaussians of 4 % of the picture)."""
    axis = (torch.arange(size, dtype=torch.float32, device=landmarks.device) + 0.5) / size
    points = torch.nan_to_num(landmarks[:, list(_EYES_AND_MOUTH)], nan=-9.0)
    gx = torch.exp(-0.5 * ((axis - points[..., :1]) / 0.04) ** 2)
    gy = torch.exp(-0.5 * ((axis - points[..., 1:]) / 0.04) ** 2)
    bumps = torch.einsum("bny,bnx->byx", gy, gx).clamp(max=1.0)
    return 1 + strength * bumps[:, None]


class MotionObjective(nn.Module):
    """A motion model with its losses; one forward pass is one training step's loss.

    Everything goes through :meth:`forward`, so that a data-parallel wrapper sees all that is computed.

    Args:
        network: trained.
        perceptual: losses between rendering and target.
        loss: factors.
        augment: ranges of quantization, share of steps with two references.
    """

    def __init__(self, network: Talk, perceptual: PerceptualLosses, loss: Loss, augment: Augment) -> None:
        super().__init__()
        self.network, self.perceptual, self.factors, self.augment = network, perceptual, loss, augment

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
        side = min(size, size // 4 + 32)
        top, left = torch.randint(0, size - side + 1, (2,), generator=rng).tolist()
        window = slice(None), slice(None), slice(top, top + side), slice(left, left + side)
        parts = {
            "pixel": ((prediction - target).abs() * weight).mean(),
            **self.perceptual(prediction, target, window, weight),
            "painted": (out["painted"] - target).abs().mean(),
            "deformed": ((out["deformed"] - target).abs() * weight).mean(),
            "ties": self._ties(kp, landmarks, mirrored),
        }
        inside = (kp_bent.abs() < 0.95).all(-1)
        halfway = kp[:quarter].detach() * 0.5 + kp[:quarter] * 0.5
        parts["equivariance"] = ((moved(halfway, theta) - kp_bent).abs().mean(-1) * inside).mean()
        parts["rate"] = torch.log2(1 + 100 * (kp_next - kp).abs()).mean()
        total, figures = weighted(self.factors, parts)
        for name in {"mask", "amount"} & out.keys():
            figures[name] = out[name].detach().float().mean()
        return total, figures

    def _ties(self, kp: Tensor, landmarks: Tensor, mirrored: Tensor) -> Tensor:
        """How far keypoints (B,N,2) are from the landmarks they are tied to, where there is a face."""
        truth = tied_points(landmarks)
        truth = torch.where(mirrored[:, None, None], truth[:, list(MIRRORED)], truth)
        there = torch.isfinite(truth).all(-1).all(-1)
        tied = min(TIED, kp.shape[1])
        error = (kp[:, :tied] - torch.nan_to_num(truth[:, :tied])).abs().mean((1, 2))
        return (error * there).sum() / there.sum().clamp(min=1)
