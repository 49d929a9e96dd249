"""What a metric is to a comparison, and the metrics of single pictures and of their order in time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.measure.clips import Frames
from neurocodec.measure.pictures import Lpips, psnr, ssim
from neurocodec.types import Picture

Values = list[float | None]
"""One value a frame; None where a frame has none."""


@dataclass(frozen=True)
class MetricFiles:
    """Networks a user has: LPIPS weights, a face detector, an identity and a landmark network."""

    lpips: str | None = None
    face_detector: str | None = None
    identity: str | None = None
    landmarks: str | None = None


class Metric(ABC):
    """A distance or similarity of decoded frames to the source's."""

    name: ClassVar[str]
    title: ClassVar[str]
    better: ClassVar[Literal["higher", "lower"]]
    explained: ClassVar[str]

    def __init__(self, files: MetricFiles) -> None:
        self.files = files

    def missing(self, width: int, height: int) -> str | None:
        """Why it cannot be had for frames of this size; None when it can."""
        return None

    def identity(self) -> str:
        """What decides its values, apart from the frames: a key of the cache."""
        return self.name

    @abstractmethod
    def measure(self, source: Frames, decoded: Frames, fps: Fraction, every: int) -> Values:
        """One value for each frame; single-picture metrics look at every ``every``-th.

        Raises:
            NeurocodecError: it could not be computed.
        """


class PictureMetric(Metric):
    """A metric of one picture against its original."""

    @abstractmethod
    def one(self, source: Picture, decoded: Picture) -> float | None:
        """The value of one frame."""

    def measure(self, source: Frames, decoded: Frames, fps: Fraction, every: int) -> Values:
        return [
            self.one(a, b) if k % every == 0 else None
            for k, (a, b) in enumerate(zip(source, decoded, strict=True))
        ]


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
        error = float(np.mean((luma(source) - luma(decoded)) ** 2))
        return 100.0 if error < 1e-5 else float(10 * np.log10(255**2 / error))


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


@lru_cache(maxsize=2)
def _lpips(path: str) -> Lpips:
    return Lpips(Path(path))


class LpipsAlex(PictureMetric):
    """LPIPS with AlexNet."""

    name, title, better = "lpips", "LPIPS (Alex)", "lower"
    explained = "LPIPS v0.1 with AlexNet (Zhang et al., 2018)"

    def missing(self, width: int, height: int) -> str | None:
        if self.files.lpips is None:
            return (
                "no weights: give --lpips FILE, set NEUROCODEC_LPIPS, or have the lpips package and its cache"
            )
        return None

    def identity(self) -> str:
        return f"{self.name} {file_digest(self.files.lpips)}"

    def one(self, source: Picture, decoded: Picture) -> float:
        assert self.files.lpips
        return _lpips(self.files.lpips)(source, decoded)


class Flicker(Metric):
    """Change between frames that the source does not have, or has and is missing."""

    name, title, better = "flicker", "flicker (levels)", "lower"
    explained = (
        "mean over pixels of |(y[t]-y[t-1]) - (s[t]-s[t-1])| in luma levels, decoded y against source s; "
        "0 = changes exactly like the source"
    )

    def measure(self, source: Frames, decoded: Frames, fps: Fraction, every: int) -> Values:
        out: Values = [None]
        before = luma(source[0]) - luma(decoded[0])
        for a, b in zip(source[1:], decoded[1:], strict=True):
            now = luma(a) - luma(b)
            out.append(float(np.abs(now - before).mean()))
            before = now
        return out


@lru_cache(maxsize=8)
def file_digest(path: str | None) -> str:
    """First digits of a file's SHA-256; a dash without a file."""
    import hashlib

    if path is None:
        return "-"
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
