"""Reference frames as stills: AV1 or HEVC intra through PyAV, or JPEG.

AV1 and HEVC stills carry full-range BT.601 YCbCr (as JFIF does) in 4:2:0 with chroma sited in the middle
of its four pixels; both conversions here are integer arithmetic, so every machine gets the same RGB from
the same decoded planes.  Equations: ITU-T T.871 (JFIF), section 7, in 16-bit fixed point.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from fractions import Fraction

import cv2
import numpy as np

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import StillCodec
from neurocodec.references.picture_count import is_one_picture

os.environ.setdefault("SVT_LOG", "1")

import av
import av.error
import av.logging

from neurocodec.references.ycbcr import TEMPORAL_DELIMITER, frame_to_rgb, rgb_to_frame, same_priority
from neurocodec.types import Picture


def _encode_intra(rgb: Picture, codec: str, options: dict[str, str]) -> bytes:
    frame = rgb_to_frame(rgb)
    width, height = frame.width, frame.height
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"  # type: ignore[attr-defined]
    context.time_base = Fraction(1, 25)
    context.thread_count = 1
    context.options = options
    frame.pts = 0
    with same_priority():
        packets = [*context.encode(frame), *context.encode(None)]  # type: ignore[attr-defined]
        del context
    return b"".join(bytes(p) for p in packets)


def av1_crf(quality: float) -> float:
    """SVT-AV1's CRF (7 to 63, in quarters) for a quality of 100 to 0."""
    return round(4 * (63 - 0.56 * quality)) / 4


def encode_still(rgb: Picture, codec: StillCodec, quality: float) -> bytes:
    """Code a square picture (S,S,3), S a multiple of 8.

    ``quality`` runs from 0 to 100: JPEG's own scale; for AV1 the CRF is 63 - 0.56 * quality (100 -> 7),
    for HEVC 51 - 0.45 * quality (100 -> 6).
    """
    if codec is StillCodec.JPEG:
        ok, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
        if not ok:
            raise ValueError("the reference could not be coded as JPEG")
        return data.tobytes()
    if codec is StillCodec.HEVC:
        crf = 51 - 0.45 * quality
        parameters = (
            f"crf={crf:.1f}:keyint=1:info=0:aud=0:repeat-headers=1:log-level=none:pools=none:range=full"
        )
        return _encode_intra(rgb, "libx265", {"preset": "veryslow", "x265-params": parameters})
    crf = av1_crf(quality)
    unit = _encode_intra(
        rgb, "libsvtav1", {"preset": "4", "svtav1-params": f"crf={crf:g}:avif=1:lp=1:color-range=1"}
    )
    return unit.removeprefix(TEMPORAL_DELIMITER)


def decode_still(data: bytes, codec: StillCodec, size: int) -> Picture:
    """The picture (S,S,3) RGB of a coded reference.

    Raises:
        DamagedFileError: the bytes are no picture of that codec, or one of another size.
    """
    if not is_one_picture(data, codec):
        picture = None
    elif codec is StillCodec.JPEG:
        picture = _decode_jpeg(data, size)
    else:
        picture = _decode_intra(data, "libdav1d" if codec is StillCodec.AV1 else "hevc", size)
    if picture is None:
        raise DamagedFileError("a reference frame cannot be decoded")
    return picture


class _Quiet:
    """Keeps what libjpeg prints of damaged data from stderr; there is no other way to silence it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._saved = -1

    def __enter__(self) -> None:
        self._lock.acquire()
        with suppress(OSError):
            self._saved = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        if self._saved >= 0:
            with suppress(OSError):
                os.dup2(self._saved, 2)
            os.close(self._saved)
            self._saved = -1
        self._lock.release()


_quiet = _Quiet()


def _decode_jpeg(data: bytes, size: int) -> Picture | None:
    place = _jpeg_size(data)
    if place != (size, size):
        return None
    try:
        with _quiet:
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if bgr is None or bgr.shape != (size, size, 3) else np.ascontiguousarray(bgr[..., ::-1])


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width from the frame header, so that a lying one is never allocated.

    Only sequential JPEGs have one here: a progressive one may have any number of scans, each of which
    costs a pass over the picture.
    """
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in (0xC0, 0xC1):
            field = data[position + 5 : position + 9]
            return int.from_bytes(field[:2], "big"), int.from_bytes(field[2:], "big")
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _decode_intra(data: bytes, codec: str, size: int) -> Picture | None:
    try:
        context = av.CodecContext.create(codec, "r")
        context.thread_count = 1
        context.options = {"max_pixels": str(size * size * 2)}
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]  # type: ignore[attr-defined]
    except (av.error.FFmpegError, ValueError, EOFError):
        return None
    return frame_to_rgb(frames[0], size) if frames else None
