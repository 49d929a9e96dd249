"""Whole pictures of a stretch of a video, on the disk while an encoder goes over them again and again."""

from __future__ import annotations

import os
import tempfile
from typing import IO

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from neurocodec.errors import OutputError
from neurocodec.layers.color import COLOR, LayerColor
from neurocodec.media.square import resize
from neurocodec.types import Picture

_LARGEST = 2560
"""Longer side of what is kept."""
_AREA, _BICUBIC, _ACCURATE = 0x20, 0x4, 0x40000
"""libswscale's."""


class Spool:
    """Pictures (height,width,3), kept in 4:2:0, by number; a context manager.

    Args:
        width, height: in pixels; odd sides are made even by repeating the last row or column, and what is
            larger than 2560 is kept reduced.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        scale = min(1.0, _LARGEST / max(width, height))
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        self._reduced = (across, down) if scale < 1 else None
        self._even = across + across % 2, down + down % 2
        self._color = LayerColor()
        self._scaler = VideoReformatter()
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="neurocodec-")  # noqa: SIM115
        self._frame_bytes = self._even[0] * self._even[1] * 3 // 2
        self.count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def bytes(self) -> int:
        """On the disk."""
        return self.count * self._frame_bytes

    def append(self, picture: Picture) -> None:
        """Keep the next picture.

        Raises:
            OutputError: the disk is full.
        """
        if self._reduced:
            picture = resize(picture, *self._reduced)
        height, width = picture.shape[:2]
        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        planes = self._color.frame(even).to_ndarray()
        try:
            self._file.write(planes.tobytes())
        except OSError as error:
            folder = tempfile.gettempdir()
            raise OutputError(f"cannot keep pictures in {folder}: {error.strerror or error}") from error
        self.count += 1

    def _planes(self, number: int) -> NDArray[np.uint8]:
        self._file.flush()
        data = os.pread(self._file.fileno(), self._frame_bytes, number * self._frame_bytes)
        width, height = self._even
        return np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width)

    def _frame(self, number: int) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(self._planes(number), format="yuv420p")
        frame.colorspace, frame.color_range = COLOR.matrix, COLOR.sample_range
        return frame

    def picture(self, number: int) -> Picture:
        """Picture ``number`` (height,width,3)."""
        if self._reduced:
            return self._color.picture(self._frame(number), self._width, self._height)
        whole = self._color.picture(self._frame(number), *self._even)
        return np.ascontiguousarray(whole[: self._height, : self._width])

    def luma(self, number: int) -> NDArray[np.uint8]:
        """The luma (H,W) of picture ``number``, as it is kept."""
        return self._planes(number)[: self._even[1]]

    def frame(self, number: int, size: tuple[int, int]) -> av.VideoFrame:
        """Picture ``number`` in 4:2:0 at another size (width, height)."""
        frame = self._frame(number)
        if size == self._even:
            return frame
        shrinks = size[0] <= self._even[0] and size[1] <= self._even[1]
        method = (_AREA if shrinks else _BICUBIC) | _ACCURATE
        return self._scaler.reformat(frame, *size, "yuv420p", interpolation=method)
