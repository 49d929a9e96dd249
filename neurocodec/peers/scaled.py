"""Codecs that are tried at the full size of the frames and at 1/2, 1/4... of it."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from typing import ClassVar

import cv2
import numpy as np

from neurocodec.measure.clips import Frames
from neurocodec.peers.codec import Codec, Point

SMALLEST_SIDE = 128
"""Smaller sizes are tried while the longer side keeps at least this many pixels."""


class ScaledCodec(Codec):
    """A conventional encoder, set for few bits, whose frames are shrunk before and enlarged after."""

    levels: ClassVar[tuple[int, ...]]
    """Values of what is ``varied``, at every size."""
    why: ClassVar[str]
    """What the options do."""

    @abstractmethod
    def command(self) -> str:
        """The encoder's options as text, with the name of what is varied in place of its value."""

    @abstractmethod
    def encode_scaled(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        """As :meth:`encode`, of frames that have the size of the point."""

    @abstractmethod
    def decode_scaled(self, packets: list[bytes], width: int, height: int) -> Frames:
        """The frames of the stream, which have this size."""

    def settings(self) -> dict[str, str]:
        return {
            "encoder": self.command(),
            "pixel format": "yuv420p, 8 bits, full range, BT.601: what our own references use",
            "counted": "bytes of the elementary stream; no container",
            "why": f"{self.why}; {self.varied} is varied",
        }

    def ladder(self, width: int, height: int) -> list[Point]:
        return [{self.varied: v, "scale": s} for s in scales(width, height) for v in self.levels]

    def quick_ladder(self, width: int, height: int) -> list[Point]:
        """Two points at the full size; a third one follows near the rate that is compared with."""
        return [{self.varied: self.levels[k], "scale": 1} for k in (1, -1)]

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        return self.encode_scaled(shrink(frames, point["scale"]), fps, point)

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        count, height, width, _ = shape
        frames = self.decode_scaled(packets, *scaled_size(width, height, point["scale"]))
        self.check_count(len(frames), count)
        return enlarge(frames, width, height)


def scales(width: int, height: int) -> list[int]:
    """The divisors of the size at which a codec is tried."""
    out = [1]
    while max(width, height) // (2 * out[-1]) >= SMALLEST_SIDE:
        out.append(2 * out[-1])
    return out


def scaled_size(width: int, height: int, scale: int) -> tuple[int, int]:
    """Even width and height of frames at 1/scale of their size."""
    if scale == 1:
        return width, height
    return max(2, 2 * round(width / scale / 2)), max(2, 2 * round(height / scale / 2))


def shrink(frames: Frames, scale: int) -> Frames:
    """Frames at 1/scale of their size (even sides), by area averaging."""
    if scale == 1:
        return frames
    size = scaled_size(frames.shape[2], frames.shape[1], scale)
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])


def enlarge(frames: Frames, width: int, height: int) -> Frames:
    """Frames at a larger size, by Lanczos interpolation (8x8)."""
    if frames.shape[1:3] == (height, width):
        return frames
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_LANCZOS4) for f in frames])
