"""Turning coded pictures upright."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Orientation:
    """How to turn a coded picture upright: first transpose, then flip left-right, then flip up-down."""

    transpose: bool = False
    fliplr: bool = False
    flipud: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise (0, 90, 180, 270), to be followed by a left-right flip if ``mirrored``."""
        if self.transpose:
            return 270 if self.flipud else 90
        return 180 if self.flipud else 0

    @property
    def mirrored(self) -> bool:
        """Whether the picture is also flipped."""
        flips = self.fliplr + self.flipud
        return flips != 1 if self.transpose else flips == 1

    def apply(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn an ``H x W x C`` array; returns a contiguous array."""
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        if self.fliplr:
            picture = picture[:, ::-1]
        if self.flipud:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The orientation a frame's display matrix asks for, to the nearest quarter turn."""
    items = side_data(frame)
    if items is None:
        turn = round(-frame.rotation / 90) % 4
        return Orientation(turn % 2 == 1, turn in (1, 2), turn in (2, 3))
    data = bytes(items.get("DISPLAYMATRIX", b""))
    if len(data) < 20:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", data[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def side_data(frame: av.VideoFrame) -> dict[str, Any] | None:
    """The side data of a frame by name of kind; None where PyAV trips over a kind it does not know (Exif)."""
    try:
        container: Any = frame.side_data
    except ValueError:
        return None
    items = [container[index] for index in range(len(container))]
    return {getattr(item.type, "name", ""): item for item in items}
