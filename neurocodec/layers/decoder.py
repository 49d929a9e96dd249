"""Decodes the pictures of a layer."""

from __future__ import annotations

from typing import Any

import av
import av.error

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import StillCodec
from neurocodec.references.picture_count import is_one_picture


class LayerDecoder:
    """Decodes a layer's stream, in order, from a key picture on.

    Args:
        size: width and height of its pictures.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._context: Any = av.CodecContext.create("libdav1d", "r")
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(2 * size[0] * size[1]), "framethreads": "1"}

    def decode(self, unit: bytes) -> av.VideoFrame:
        """The picture, 4:2:0 with 8 bits, that the next temporal unit shows.

        Raises:
            DamagedFileError: the bytes do not show exactly one picture of the right size.
        """
        frames: list[av.VideoFrame] = []
        if is_one_picture(unit, StillCodec.AV1):
            try:
                frames = self._context.decode(av.Packet(unit))
            except (av.error.FFmpegError, ValueError, EOFError):
                frames = []
        if len(frames) == 1 and frames[0].format.name in ("yuv420p", "yuvj420p"):
            if (frames[0].width, frames[0].height) == self.size:
                return frames[0]
        raise DamagedFileError("a picture of the layer cannot be decoded")
