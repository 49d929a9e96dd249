"""Scene cuts: frames that show another scene than the frame before."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.types import Picture


def _luma(picture: Picture, side: int) -> NDArray[np.float32]:
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def ssim_map(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Structural similarity at every pixel of two luma pictures in [0,255]; Gaussian window, sigma 1.5."""

    def mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.GaussianBlur(x, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)

    c1, c2 = 6.5025, 58.5225
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    top = (2 * ma * mb + c1) * (2 * cov + c2)
    return np.asarray(top / ((ma * ma + mb * mb + c1) * (va + vb + c2)), np.float32)


def is_cut(before: Picture, after: Picture) -> bool:
    """Whether two consecutive pictures (S,S,3) show different scenes.

    Unlike in structure (SSIM of luma at 32x32 below 0.3) and in brightness (mean difference above 20 of 255).
    """
    a, b = _luma(before, 32), _luma(after, 32)
    return float(np.abs(a - b).mean()) > 20 and float(ssim_map(a, b).mean()) < 0.3


class CutDetector:
    """Finds the cuts of a video that comes in parts."""

    def __init__(self) -> None:
        self._last: Picture | None = None

    def find(self, pictures: list[Picture]) -> list[int]:
        """Places of those pictures (S,S,3) of the next part that begin another scene."""
        found = []
        for k, picture in enumerate(pictures):
            if self._last is not None and is_cut(self._last, picture):
                found.append(k)
            self._last = picture
        return found
