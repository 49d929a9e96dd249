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
    moved = np.zeros((side, side), np.float32)
    places = np.arange(side, dtype=np.float32)
    for detail, shift, share in zip(details, warp.shifts, warp.shares, strict=True):
        offset = cv2.resize(shift, (side, side), interpolation=cv2.INTER_LINEAR) * (0.5 * (side - 1))
        x, y = offset[..., 0] + places, offset[..., 1] + places[:, None]
        part = cv2.remap(detail, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved += part * cv2.resize(share, (side, side), interpolation=cv2.INTER_LINEAR)
    moved *= cv2.resize(warp.mask, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(large + moved[..., None]), 0, 255).astype(np.uint8)
