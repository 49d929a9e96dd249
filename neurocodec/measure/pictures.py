"""Distances between pictures: PSNR, SSIM, and LPIPS where a user has its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurocodec.errors import InputError
from neurocodec.types import Picture


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio of 8-bit RGB pictures in dB, at most 100."""
    mse = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return 100.0 if mse < 1e-5 else float(10 * np.log10(255**2 / mse))


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity of luma (Wang et al., IEEE TIP 2004; Gaussian window, sigma 1.5)."""
    import cv2
    from skimage.metrics import structural_similarity

    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (a, b)]
    return float(structural_similarity(*grey, gaussian_weights=True, sigma=1.5, use_sample_covariance=False))


class Lpips:
    """LPIPS with AlexNet, v0.1 (Zhang et al., CVPR 2018).

    Args:
        weights: safetensors with ``conv1..5`` and ``lin0..4`` (weights and biases).
    """

    def __init__(self, weights: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            self._w = load_file(weights)
            self._w["lin4.weight"]
        except (OSError, SafetensorError, KeyError):
            raise InputError(f"{weights} does not hold LPIPS weights") from None

    def __call__(self, a: Picture, b: Picture) -> float:
        """Distance of two pictures (H,W,3), 0 = equal."""
        import torch
        from torch.nn import functional as F

        w = self._w
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        with torch.inference_mode():
            x = torch.from_numpy(np.stack([a, b])).permute(0, 3, 1, 2).float() / 127.5 - 1
            x = (x - shift) / scale
            total = 0.0
            for k in range(1, 6):
                if k in (2, 3):
                    x = F.max_pool2d(x, 3, 2)
                stride, padding = (4, 2) if k == 1 else (1, 2 if k == 2 else 1)
                x = F.relu(F.conv2d(x, w[f"conv{k}.weight"], w[f"conv{k}.bias"], stride, padding))
                n = x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
                d = (n[:1] - n[1:]) ** 2 * w[f"lin{k - 1}.weight"].view(1, -1, 1, 1)
                total += float(d.sum(1).mean())
        return total
