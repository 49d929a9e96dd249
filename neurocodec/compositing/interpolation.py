"""Pictures between two others, by optical flow that is found in these, or by a switch where a layer says so.

Flow to a time in between is taken from both directions as in Jiang et al., "Super SloMo" (CVPR 2018),
equation 4; the two warped pictures are weighted by nearness in time.  Flow: DIS (Kroeger et al., ECCV 2016).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.compositing.moving import moved
from neurocodec.layers.switches import Switch
from neurocodec.types import Picture

FLOW_SIDE = 480
"""Longer side of the pictures in which flow is found."""
_FINE = 8
"""Points a side by which a place of a switch is drawn; its seam takes two of them, outside of it."""
_STILL = 0.3
"""Flow, in pixels of those, below which nothing is moved."""
Flow = NDArray[np.float32]
_opencv: Any = cv2  # whose types leave DIS out


class Between:
    """What lies between two pictures (H,W,3), or of luma (H,W), of the same size."""

    def __init__(self, before: Picture, after: Picture, switch: Switch | None = None) -> None:
        self._before, self._after, self._switch = before, after, switch

    def at(self, share: float, number: int = 0) -> Picture:
        """The picture after this share of the time from the first (0) to the second (1).

        ``number`` counts the frames in between, which a switch asks for.
        """
        if self._switch is None:
            return self._moved(share)
        held = self._before if number < self._switch.kept else self._after
        if self._switch.places is None:
            return held.copy()
        picture = self._moved(share)
        if self._switch.places.any():
            rows, columns, weight = self._seam
            moving, still = (np.ascontiguousarray(p[rows, columns]) for p in (picture, held))
            picture[rows, columns] = cv2.blendLinear(moving, still, 1 - weight, weight)
        return picture

    def _moved(self, share: float) -> Picture:
        if self._is_still:
            return cv2.addWeighted(self._before, 1 - share, self._after, share, 0)
        forth, back = self._flows
        to_before = share * share * back - (1 - share) * share * forth
        to_after = (1 - share) ** 2 * forth - share * (1 - share) * back
        scale = self._before.shape[1] / forth.shape[1], self._before.shape[0] / forth.shape[0]
        a, b = moved(self._before, to_before, scale), moved(self._after, to_after, scale)
        return cv2.addWeighted(a, 1 - share, b, share, 0, dst=a)

    @cached_property
    def _is_still(self) -> bool:
        return max(float(np.abs(flow).max(initial=0)) for flow in self._flows) < _STILL

    @cached_property
    def _flows(self) -> tuple[Flow, Flow]:
        """From the first to the second and back, small, in its own pixels."""
        height, width = self._before.shape[:2]
        scale = min(1.0, FLOW_SIDE / max(height, width))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        a, b = (_luma(cv2.resize(p, size, interpolation=cv2.INTER_AREA)) for p in (self._before, self._after))
        method = _opencv.DISOpticalFlow_create(_opencv.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return method.calc(a, b, None), method.calc(b, a, None)

    @cached_property
    def _seam(self) -> tuple[slice, slice, Flow]:
        """Rows and columns of all that switches, of some places, and weights (h,w) there of what is held."""
        assert self._switch is not None and self._switch.places is not None
        height, width = self._before.shape[:2]
        fine = np.kron(self._switch.places.astype(np.float32), np.ones((_FINE, _FINE), np.float32))
        soft = cv2.blur(cv2.dilate(fine, np.ones((3, 3), np.uint8)), (3, 3))
        weight = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
        rows, columns = (np.flatnonzero(weight.max(axis)) for axis in (1, 0))
        inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return *inside, np.ascontiguousarray(weight[inside])


def _luma(picture: Picture) -> Picture:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
