"""What a codec is to a comparison: a name, documented settings, a ladder of points, encode and decode."""

from __future__ import annotations

import hashlib
import json
import struct
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any, ClassVar

import cv2
import numpy as np

from neurocodec.errors import DamagedFileError
from neurocodec.measure.clips import Frames

Point = dict[str, Any]
"""One rung of a codec's ladder: what it varies, as JSON values.  ``scale`` divides both sides."""

SMALLEST_SIDE = 128
"""Peers are also tried at 1/2, 1/4... of the size while the longer side keeps at least this many pixels."""


class Codec(ABC):
    """One codec of a comparison.

    ``name`` is what ``--against`` takes, ``title`` what a reader sees, ``settings`` every setting that is
    not the class's default, as a documented string each.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    varied: ClassVar[str] = ""
    """The integer of a point that steers the rate (more is fewer bits); empty where there is no such."""

    @abstractmethod
    def missing(self) -> str | None:
        """Why it cannot run on this machine; None when it can."""

    @abstractmethod
    def version(self) -> str:
        """Name and version of the encoder that runs."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Every setting, with its value and reason."""

    @abstractmethod
    def ladder(self, width: int, height: int) -> list[Point]:
        """The points that make its curve, for frames of this size."""

    @abstractmethod
    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        """Code the frames (N,H,W,3) at a point; the packets whose lengths add up to what is counted.

        Raises:
            NeurocodecError: the encoder failed.
        """

    @abstractmethod
    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        """The frames (N,H,W,3) of coded packets.

        Raises:
            NeurocodecError: they cannot be decoded.
        """

    def label(self, point: Point) -> str:
        """The point in words."""
        words = [f"{key} {value:g}" for key, value in point.items() if key != "scale"]
        scale = point.get("scale", 1)
        return ", ".join([*words, *([f"1/{scale} size"] if scale != 1 else [])])

    def identity(self, point: Point) -> str:
        """Hash of everything that decides what :meth:`encode` writes, apart from the frames."""
        text = json.dumps([self.name, self.version(), self.settings(), point], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def scales(width: int, height: int) -> list[int]:
    """The divisors of the size at which a peer is tried."""
    out = [1]
    while max(width, height) // (2 * out[-1]) >= SMALLEST_SIDE:
        out.append(2 * out[-1])
    return out


def shrink(frames: Frames, scale: int) -> Frames:
    """Frames at 1/scale of their size (even sides), by area averaging."""
    if scale == 1:
        return frames
    width, height = (max(2, 2 * round(side / scale / 2)) for side in (frames.shape[2], frames.shape[1]))
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames])


def enlarge(frames: Frames, width: int, height: int) -> Frames:
    """Frames at a larger size, by Lanczos interpolation (8x8)."""
    if frames.shape[1:3] == (height, width):
        return frames
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_LANCZOS4) for f in frames])


def pack(packets: list[bytes]) -> bytes:
    """Packets in one string, for storage (the lengths are not counted as bits)."""
    return b"".join(struct.pack("<I", len(p)) + p for p in packets)


def unpack(data: bytes) -> list[bytes]:
    """Inverse of :func:`pack`.

    Raises:
        DamagedFileError: the string was cut off.
    """
    out, at = [], 0
    while at < len(data):
        if at + 4 > len(data):
            raise DamagedFileError("a stored stream is cut off")
        (length,) = struct.unpack_from("<I", data, at)
        out.append(data[at + 4 : at + 4 + length])
        at += 4 + length
        if len(out[-1]) != length:
            raise DamagedFileError("a stored stream is cut off")
    return out
