"""The colour in which a layer is coded, and its pictures from RGB and back, scaled on the way."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from neurocodec.media.color import ColorInfo, frame_to_rgb, rgb_to_frame
from neurocodec.types import Picture

COLOR = ColorInfo(1, 1, 6, True)
"""BT.601's matrix and the full range, as references have it."""


class LayerColor:
    """Converts pictures; keeps the scalers between them."""

    def __init__(self) -> None:
        self._to_rgb, self._to_frame = VideoReformatter(), VideoReformatter()

    def frame(self, rgb: Picture) -> av.VideoFrame:
        """(H,W,3) with even sides -> a frame in 4:2:0."""
        return rgb_to_frame(rgb, COLOR, self._to_frame)

    def picture(self, frame: av.VideoFrame, width: int, height: int) -> Picture:
        """A frame in 4:2:0 -> (height,width,3): area averaging when shrinking, bicubic when growing."""
        return frame_to_rgb(frame, COLOR, width, height, reformatter=self._to_rgb)


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The luma (H,W) of a frame in 4:2:0."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
