"""The frozen reference: one still, held for the whole clip."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np

from neurocodec.format.block import StillCodec
from neurocodec.format.header import Fit, Rectangle, content_rectangle
from neurocodec.measure.clips import Frames
from neurocodec.media.square import crop, pad, resize
from neurocodec.peers.codec import Codec, Point
from neurocodec.references.still import decode_still, encode_still


class Frozen(Codec):
    """One AV1 still of the first frame at our byte count, held: what a codec that ignores motion scores."""

    name, title = "frozen", "frozen reference"

    def __init__(self, side: int) -> None:
        """``side``: of the square that our references have."""
        self.side = side

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        return f"libsvtav1 of FFmpeg {av.ffmpeg_version_info}"

    def settings(self) -> dict[str, str]:
        return {
            "still": f"first frame as an AV1 still in our {self.side}x{self.side} square, the best of at "
            "most as many bytes as our file has at the same point, shown for the whole clip",
        }  # fmt: skip

    def ladder(self, width: int, height: int) -> list[Point]:
        """Its points follow from our codec's byte counts."""
        return []

    def label(self, point: Point) -> str:
        return f"at most {point['budget']} bytes"

    def _place(self, width: int, height: int) -> Rectangle:
        return content_rectangle(width, height, Fraction(1), Fit.LETTERBOX, self.side)

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        place = self._place(frames.shape[2], frames.shape[1])
        square = pad(resize(frames[0], place.width, place.height), place, self.side)
        best, low, high = encode_still(square, StillCodec.AV1, 0), 1, 100
        while low <= high:
            quality = (low + high) // 2
            coded = encode_still(square, StillCodec.AV1, quality)
            if len(coded) <= point["budget"]:
                best, low = coded, quality + 1
            else:
                high = quality - 1
        return [best]

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        count, height, width, _ = shape
        place = self._place(width, height)
        still = crop(decode_still(packets[0], StillCodec.AV1, self.side), place)
        if (place.width, place.height) != (width, height):
            method = cv2.INTER_AREA if place.width > width else cv2.INTER_LANCZOS4
            still = cv2.resize(still, (width, height), interpolation=method)
        return np.repeat(still[None], count, 0)
