"""How much a file may ask of a reader: bounds on what is allocated and on how long it takes.

The format's own limits (``docs/format.md``) bound every field; these are what a reader takes by default, as
libavif's ``--size-limit`` and its like are.  Options of the command line set them.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurocodec.errors import UnsupportedError

PIXELS = 4096 * 2304
"""Of a decoded picture: 4K of television and of cinema.  The model's own picture has 256 x 256."""
FRAMES = 12 * 3600 * 60
"""Twelve hours at 60 frames a second (libavif has the same)."""
CHUNK = 1 << 26
"""Bytes of a chunk's payload; the format's limit."""
MAX_QUANTIZATION = 65535
"""Factor of keypoints before rounding; the format's limit."""
LISTED = 1 << 24
"""Symbols that ``info --packets`` lists."""
MOST_LISTED = 100
"""Losses that a report lists; the rest are counted."""
MOST_REFRESHES = 200_000
"""References that ``info`` lists."""


@dataclass(frozen=True)
class Limits:
    """``pixels`` of a decoded picture, ``frames`` of a file, bytes of a ``chunk``."""

    pixels: int = PIXELS
    frames: int = FRAMES
    chunk: int = CHUNK

    def check_picture(self, width: int, height: int, name: str) -> None:
        """Refuse a picture that is too large.

        Raises:
            UnsupportedError: it has more than ``pixels``.
        """
        if width * height > self.pixels:
            raise UnsupportedError(
                f"{name} asks for pictures of {width}x{height}, over the limit of {self.pixels} pixels; "
                "see --size-limit, or decode with --size model"
            )

    def check_frames(self, frames: int, name: str) -> None:
        """Refuse a file that is too long.

        Raises:
            UnsupportedError: it has more than ``frames``.
        """
        if frames > self.frames:
            raise UnsupportedError(f"{name} has more than {self.frames} frames, the limit; see --frame-limit")
