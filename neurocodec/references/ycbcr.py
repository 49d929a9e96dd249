"""Normative integer conversion between RGB and the YCbCr that references are coded in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import av
import av.error
import av.logging
import numpy as np
from numpy.typing import NDArray

from neurocodec.types import Picture

TEMPORAL_DELIMITER = b"\x12\x00"


def rgb_to_planes(rgb: Picture) -> tuple[Picture, Picture, Picture]:
    """(H,W,3) RGB, even sides -> Y (H,W), Cb and Cr (H/2,W/2)."""
    r, g, b = (rgb[..., i].astype(np.int32) for i in range(3))
    y = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
    h, w = y.shape

    def quarter(x: NDArray[np.int32]) -> NDArray[np.int32]:
        return x.reshape(h // 2, 2, w // 2, 2).sum((1, 3))

    r4, g4, b4 = quarter(r), quarter(g), quarter(b)
    cb = ((-11059 * r4 - 21709 * g4 + 32768 * b4 + (1 << 17)) >> 18) + 128
    cr = ((32768 * r4 - 27439 * g4 - 5329 * b4 + (1 << 17)) >> 18) + 128
    return tuple(np.clip(p, 0, 255).astype(np.uint8) for p in (y, cb, cr))  # type: ignore[return-value]


def _double(x: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """Twice as long along ``axis``: weights 3 and 1 of the nearer and the farther sample, times 4."""
    x = np.moveaxis(x, axis, 0)
    before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
    out = np.stack([3 * x + before, 3 * x + after], 1).reshape(2 * x.shape[0], *x.shape[1:])
    return np.moveaxis(out, 0, axis)


def planes_to_rgb(y: Picture, cb: Picture, cr: Picture) -> Picture:
    """Inverse of :func:`rgb_to_planes`; chroma is interpolated linearly and rounded half up."""
    u, v = (((_double(_double(c.astype(np.int32), 0), 1) + 8) >> 4) - 128 for c in (cb, cr))
    luma = (y.astype(np.int32) << 16) + 32768
    r = (luma + 91881 * v) >> 16
    g = (luma - 22554 * u - 46802 * v) >> 16
    b = (luma + 116130 * u) >> 16
    return np.clip(np.stack([r, g, b], -1), 0, 255).astype(np.uint8)


@contextmanager
def same_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does to the calling thread when run by root: real-time scheduling (FIFO, 99)."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, policy, parameters)


def rgb_to_frame(rgb: Picture) -> av.VideoFrame:
    """A frame for FFmpeg's encoders by :func:`rgb_to_planes`."""
    height, width = rgb.shape[:2]
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, data in zip(frame.planes, rgb_to_planes(rgb), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = data
        plane.update(rows.tobytes())
    return frame


def frame_to_rgb(frame: av.VideoFrame, size: int) -> Picture | None:
    """Inverse of :func:`rgb_to_frame`; None for another size or sampling."""
    if (frame.width, frame.height) != (size, size) or frame.format.name not in ("yuv420p", "yuvj420p"):
        return None
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, : plane.width])
    return planes_to_rgb(planes[0], planes[1], planes[2])
