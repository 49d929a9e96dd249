"""Detail of references that are larger than the model's pictures, moved as the model moves them.

The model renders at S x S.  What a reference has beyond that, its luma less its own copy reduced to S x S and
enlarged, is warped by the model's flow, weighted by its mask (how much of the warped reference it shows), and
added to the enlarged rendering.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.compositing.moving import moved
from neurocodec.networks.warp import Warp
from neurocodec.types import Picture

Detail = NDArray[np.float32]


def detail_of(picture: Picture, size: int) -> Detail:
    """What a picture (side,side,3) has beyond ``size`` x ``size``: (side,side) of luma."""
    side = picture.shape[0]
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(luma, (size, size), interpolation=cv2.INTER_AREA)
    return luma - cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


def sharpened(rendering: Picture, details: Sequence[Detail], warp: Warp) -> Picture:
    """A rendering (S,S,3), enlarged to the side of the details of its references, with them."""
    side = details[0].shape[0]
    large = cv2.resize(rendering, (side, side), interpolation=cv2.INTER_CUBIC)
    added = np.zeros((side, side), np.float32)
    scale = 0.5 * (side - 1)
    for detail, shift, share in zip(details, warp.shifts, warp.shares, strict=True):
        cv2.accumulateProduct(moved(detail, shift, (scale, scale)), _enlarged(share, side), added)
    cv2.multiply(added, _enlarged(warp.mask, side), dst=added)
    return cv2.add(large, cv2.merge([added] * 3), dst=large, dtype=cv2.CV_8U)


def _enlarged(small: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
