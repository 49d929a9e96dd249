"""Reference frames predicted from the ones before: one AV1 stream, a picture at a time.

The first picture of a chain is a key frame, all others are inter pictures in coding order without delay
(low-delay prediction structure), so that each can be had as soon as it is wanted.  Colour is that of
:mod:`neurocodec.references.still`.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from neurocodec.errors import DamagedFileError
from neurocodec.references.ycbcr import TEMPORAL_DELIMITER, frame_to_rgb, rgb_to_frame, same_priority

os.environ.setdefault("SVT_LOG", "1")

import av
import av.error

from neurocodec.types import Picture

SHARP = "sharpness=7:enable-restoration=0"
"""No smoothing: a tenth fewer bytes at the same LPIPS, somewhat worse by PSNR."""
_LOW_DELAY = f"pred-struct=1:lp=1:color-range=1:keyint=-1:lookahead=0:scd=0:enable-tf=0:{SHARP}"
PRESET = 4
"""SVT-AV1 preset of references."""


class ChainEncoder:
    """Codes square pictures (S,S,3), S a multiple of 8, one after the other.

    Args:
        size: S.
        crf: SVT-AV1's constant rate factor, 1 to 63, in quarters.
        preset: SVT-AV1's, lower is slower and smaller.
    """

    def __init__(self, size: int, crf: float, preset: int = PRESET) -> None:
        context: Any = av.CodecContext.create("libsvtav1", "w")
        context.width, context.height, context.pix_fmt = size, size, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.thread_count = 1
        context.options = {
            "preset": str(preset),
            "svtav1-params": f"crf={crf:g}:{_LOW_DELAY}",
        }
        self._context = context
        self._count = 0

    def encode(self, picture: Picture) -> bytes:
        """The next picture's temporal unit, without its delimiter."""
        frame = rgb_to_frame(picture)
        frame.pts = self._count
        self._count += 1
        with same_priority():
            packets = self._context.encode(frame)
        data = b"".join(bytes(p) for p in packets)
        if not data:
            raise RuntimeError("the AV1 encoder held a picture back")
        return data.removeprefix(TEMPORAL_DELIMITER)

    def close(self) -> None:
        """End the encoder's threads."""
        with same_priority():
            if self._count:
                self._context.encode(None)
            del self._context


class ChainDecoder:
    """Decodes a chain, in order, from its key frame on.

    Args:
        size: side of the pictures.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._context: Any = av.CodecContext.create("libdav1d", "r")
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(size * size * 2), "framethreads": "1"}

    def decode(self, data: bytes) -> Picture:
        """The picture (S,S,3) RGB of the next temporal unit.

        Raises:
            DamagedFileError: the bytes are not exactly one picture of the right size.
        """
        try:
            frames = self._context.decode(av.Packet(data))
        except (av.error.FFmpegError, ValueError, EOFError):
            frames = []
        picture = frame_to_rgb(frames[0], self._size) if len(frames) == 1 else None
        if picture is None:
            raise DamagedFileError("a reference frame cannot be decoded")
        return picture
