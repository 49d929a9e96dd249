"""What a codec is to a comparison: a name, documented settings, a ladder of points, encode and decode."""

from __future__ import annotations

import hashlib
import json
import struct
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any, ClassVar

from neurocodec.errors import DamagedFileError
from neurocodec.measure.clips import Frames

Point = dict[str, Any]
"""One rung of a codec's ladder: what it varies, as JSON values.  ``scale`` divides both sides."""


class Codec(ABC):
    """One codec of a comparison: ``name`` is what ``--against`` takes, ``title`` what a reader sees."""

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
        """Every setting that is not the encoder's default, as text, and what is counted."""

    @abstractmethod
    def ladder(self, width: int, height: int) -> list[Point]:
        """The points that make its curve, for frames of this size."""

    def rungs(self, width: int, height: int, quick: bool) -> list[Point]:
        """The ladder, or with ``quick`` only so many points of it that a curve can be guessed."""
        return self.quick_ladder(width, height) if quick else self.ladder(width, height)

    def quick_ladder(self, width: int, height: int) -> list[Point]:
        """A few points of the ladder."""
        return self.ladder(width, height)

    def following(self, stream: bytes) -> list[Point]:
        """Points of a quick ladder that are done once its first point's packed stream is known."""
        return []

    @abstractmethod
    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        """Code the frames (N,H,W,3) at a point; the packets whose lengths add up to what is counted.

        Raises:
            NeurocodecError: the encoder failed.
        """

    @abstractmethod
    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        """The frames, of shape (N,H,W,3), of coded packets.

        Raises:
            NeurocodecError: they cannot be decoded.
        """

    def bytes_of_frames(self, packets: list[bytes], count: int) -> list[int] | None:
        """Bytes of each of ``count`` frames, in the order of their packets; None where packets are no frames.

        In AV1 and VP9 each packet shows one frame, in order; those of H.264 and HEVC come in decoding order.
        """
        return [len(p) for p in packets] if len(packets) == count else None

    def label(self, point: Point) -> str:
        """The point in words."""
        words = [f"{key} {value:g}" for key, value in point.items() if key != "scale"]
        scale = point.get("scale", 1)
        return ", ".join([*words, *([f"1/{scale} size"] if scale != 1 else [])])

    def identity(self, point: Point) -> str:
        """Hash of everything that decides what :meth:`encode` writes, apart from the frames."""
        text = json.dumps([self.name, self.version(), self.settings(), point], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def check_count(self, found: int, expected: int) -> None:
        """Raises DamagedFileError where decoding gave another number of frames than was coded."""
        if found != expected:
            raise DamagedFileError(f"{self.title} gave {found} frames for {expected}")


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
        length = int.from_bytes(data[at : at + 4], "little")
        out.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    if at > len(data):
        raise DamagedFileError("a stored stream is cut off")
    return out
