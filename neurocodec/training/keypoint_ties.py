"""What facial landmarks teach the motion model: where some keypoints belong, and where to look closely."""

from __future__ import annotations

import torch
from torch import Tensor

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


def tie_distance(kp: Tensor, landmarks: Tensor, mirrored: Tensor) -> Tensor:
    """How far keypoints (B,N,2) are from the landmarks they are tied to, where there is a face."""
    truth = tied_points(landmarks)
    truth = torch.where(mirrored[:, None, None], truth[:, list(MIRRORED)], truth)
    there = torch.isfinite(truth).all(-1).all(-1)
    tied = min(TIED, kp.shape[1])
    error = (kp[:, :tied] - torch.nan_to_num(truth[:, :tied])).abs().mean((1, 2))
    return (error * there).sum() / there.sum().clamp(min=1)
