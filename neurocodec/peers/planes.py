"""RGB frames to 4:2:0 planes and back, the same conversion for every peer as for our own references."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from neurocodec.measure.clips import Frames
from neurocodec.references.ycbcr import planes_to_rgb, rgb_to_planes
from neurocodec.types import Picture


def from_frame(frame: av.VideoFrame) -> Picture:
    """The RGB picture of a decoded frame, 8 or 10 bits a sample, 4:2:0."""
    samples: Any = frame.to_ndarray()
    if samples.dtype == np.uint16:
        samples = ((np.minimum(samples, 1021) + 2) >> 2).astype(np.uint8)
    return _to_rgb(samples.ravel(), frame.width, frame.height)


def to_raw(frames: Frames) -> bytes:
    """All frames as raw yuv420p, for a program that reads a pipe."""
    return b"".join(plane.tobytes() for frame in frames for plane in rgb_to_planes(frame))


def from_raw(data: bytes, width: int, height: int) -> Frames:
    """Inverse of :func:`to_raw`; what is left of a frame that is cut off is ignored."""
    size = width * height * 3 // 2
    samples = np.frombuffer(data, np.uint8, len(data) // size * size).reshape(-1, size)
    return np.array([_to_rgb(s, width, height) for s in samples], np.uint8).reshape(-1, height, width, 3)


def _to_rgb(samples: NDArray[np.uint8], width: int, height: int) -> Picture:
    """The picture of the samples of Y, Cb and Cr, one plane after the other."""
    y, cb, cr = np.split(samples, (width * height, width * height * 5 // 4))
    half = height // 2, width // 2
    return planes_to_rgb(y.reshape(height, width), cb.reshape(half), cr.reshape(half))
