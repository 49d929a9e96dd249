"""Metrics of pictures that need no network of a user's: PSNR, SSIM, MS-SSIM, and flicker."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.measure.clips import Frames
from neurocodec.measure.metric import Metric, PictureMetric, Values
from neurocodec.types import Picture


def psnr(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Peak signal-to-noise ratio of all samples together (levels 0 to 255), in dB, at most 100."""
    mse = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return 100.0 if mse < 1e-5 else float(10 * np.log10(255**2 / mse))


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity of luma (Wang et al., IEEE TIP 2004; Gaussian window, sigma 1.5)."""
    from skimage.metrics import structural_similarity

    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (a, b)]
    return float(structural_similarity(*grey, gaussian_weights=True, sigma=1.5, use_sample_covariance=False))


def luma(picture: Picture) -> NDArray[np.float32]:
    """Y' of BT.601 in [0,255], not rounded."""
    return np.asarray(cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2GRAY))


class PsnrRgb(PictureMetric):
    """PSNR over the three channels together."""

    name, title, better = "psnr_rgb", "PSNR RGB (dB)", "higher"
    explained = "10 log10(255^2 / mean squared error of R, G and B), mean of the frames' dB"

    def one(self, source: Picture, decoded: Picture) -> float:
        return psnr(source, decoded)


class PsnrY(PictureMetric):
    """PSNR of luma."""

    name, title, better = "psnr_y", "PSNR Y (dB)", "higher"
    explained = "of BT.601 luma, at most 100 dB, mean of the frames' dB"

    def one(self, source: Picture, decoded: Picture) -> float:
        return psnr(luma(source), luma(decoded))


class Ssim(PictureMetric):
    """Structural similarity of luma."""

    name, title, better = "ssim", "SSIM", "higher"
    explained = "of luma, Gaussian window of sigma 1.5 (Wang et al., 2004), scikit-image"

    def one(self, source: Picture, decoded: Picture) -> float:
        return ssim(source, decoded)


class MsSsim(PictureMetric):
    """Multi-scale structural similarity of luma."""

    name, title, better = "ms_ssim", "MS-SSIM", "higher"
    explained = "of luma at five scales (Wang et al., 2003), pytorch-msssim"
    SMALLEST: ClassVar[int] = 161

    def missing(self, width: int, height: int) -> str | None:
        if min(width, height) < self.SMALLEST:
            return f"its five scales need at least {self.SMALLEST} pixels a side, this is {width}x{height}"
        return None

    def one(self, source: Picture, decoded: Picture) -> float:
        import torch
        from pytorch_msssim import ms_ssim

        pair = [torch.from_numpy(luma(x))[None, None] for x in (source, decoded)]
        with torch.inference_mode():
            return float(ms_ssim(*pair, data_range=255))


class Flicker(Metric):
    """Change between frames that the source does not have, or has and is missing."""

    name, title, better = "flicker", "flicker (levels)", "lower"
    explained = (
        "mean over pixels of |(y[t]-y[t-1]) - (s[t]-s[t-1])| in luma levels, decoded y against source s; "
        "0 = changes exactly like the source"
    )

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        out: Values = [None]
        before = luma(source[0]) - luma(decoded[0])
        for a, b in zip(source[1:], decoded[1:], strict=True):
            now = luma(a) - luma(b)
            out.append(float(np.abs(now - before).mean()))
            before = now
        return out
