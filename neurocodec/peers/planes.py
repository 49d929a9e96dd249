"""RGB frames to 4:2:0 planes and back, the same conversion for every peer as for our own references."""

from __future__ import annotations

import av
import numpy as np

from neurocodec.measure.clips import Frames
from neurocodec.references.ycbcr import planes_to_rgb, rgb_to_planes
from neurocodec.types import Picture


def from_frame(frame: av.VideoFrame) -> Picture:
    """The RGB picture of a decoded frame, 8 or 10 bits a sample, 4:2:0."""
    planes = []
    deep = frame.format.name.startswith("yuv420p10")
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        if deep:
            words = np.minimum(rows.view("<u2")[: plane.height, : plane.width], 1021)
            planes.append(((words + 2) >> 2).astype(np.uint8))
        else:
            planes.append(rows[: plane.height, : plane.width])
    return planes_to_rgb(planes[0], planes[1], planes[2])


def to_raw(frames: Frames) -> bytes:
    """All frames as raw yuv420p, for a program that reads a pipe."""
    return b"".join(plane.tobytes() for frame in frames for plane in rgb_to_planes(frame))


def from_raw(data: bytes, width: int, height: int) -> Frames:
    """Inverse of :func:`to_raw`."""
    size, quarter = width * height, width * height // 4
    out = []
    for at in range(0, len(data) - size - 2 * quarter + 1, size + 2 * quarter):
        y, cb, cr = (
            np.frombuffer(data, np.uint8, n, at + o)
            for n, o in ((size, 0), (quarter, size), (quarter, size + quarter))
        )
        half = height // 2, width // 2
        out.append(planes_to_rgb(y.reshape(height, width), cb.reshape(half), cr.reshape(half)))
    return np.stack(out) if out else np.zeros((0, height, width, 3), np.uint8)
