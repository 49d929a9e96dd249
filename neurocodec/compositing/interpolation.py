"""Pictures between two others, by optical flow that is found in these.

Flow to a time in between is taken from both directions as in Jiang et al., "Super SloMo" (CVPR 2018),
equation 4; the two warped pictures are weighted by nearness in time.  Flow: DIS (Kroeger et al., ECCV 2016).
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.types import Picture

_FLOW_SIDE = 480
"""Longer side of the pictures in which flow is found."""
_STILL = 0.3
"""Flow, in pixels of those, below which nothing is moved."""
Flow = NDArray[np.float32]


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> tuple[Flow, Flow]:
    return tuple(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))  # type: ignore[return-value]


class Between:
    """What lies between two pictures (H,W,3) of the same size."""

    def __init__(self, before: Picture, after: Picture) -> None:
        self._before, self._after = before, after

    def at(self, share: float) -> Picture:
        """The picture (H,W,3) after this share of the time from the first (0) to the second (1)."""
        forth, back = self._flows
        height, width = self._before.shape[:2]
        if max(np.abs(forth).max(initial=0), np.abs(back).max(initial=0)) < _STILL:
            return cv2.addWeighted(self._before, 1 - share, self._after, share, 0)
        to_before = share * share * back - (1 - share) * share * forth
        to_after = (1 - share) ** 2 * forth - share * (1 - share) * back
        a = _warped(self._before, to_before, width, height)
        b = _warped(self._after, to_after, width, height)
        return cv2.addWeighted(a, 1 - share, b, share, 0)

    @cached_property
    def _flows(self) -> tuple[Flow, Flow]:
        """From the first to the second and back, small, in its own pixels."""
        height, width = self._before.shape[:2]
        scale = min(1.0, _FLOW_SIDE / max(height, width))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        a, b = (
            cv2.cvtColor(cv2.resize(p, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
            for p in (self._before, self._after)
        )
        method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return method.calc(a, b, None), method.calc(b, a, None)


def _warped(picture: Picture, flow: Flow, width: int, height: int) -> Picture:
    """A picture sampled where a small flow points to."""
    large = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    x, y = _grid(height, width)
    along = cv2.scaleAdd(np.ascontiguousarray(large[..., 0]), width / flow.shape[1], x)
    down = cv2.scaleAdd(np.ascontiguousarray(large[..., 1]), height / flow.shape[0], y)
    return cv2.remap(picture, along, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
