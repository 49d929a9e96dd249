"""Frames, enlarged faces and a short video of the points that stand side by side in the report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from neurocodec.errors import InputError
from neurocodec.faces.tracker import FaceTracker
from neurocodec.measure.clips import Frames, h264
from neurocodec.media.square import resize
from neurocodec.models.landmark_engine import open_landmark_engine
from neurocodec.types import Picture

LARGEST = 384
"""Longer side of a frame in the report; faces are enlarged to this side."""
COLUMN = 256
"""Longer side of one column of the side-by-side video."""
_FACE_ROOM = 1.5
"""Side of the square around a face, in sides of the square around its landmarks."""
_LOOKS = 3
"""Every how many frames a face is looked for between those that are shown."""
Place = tuple[int, int, int, int]
"""A rectangle (x, y, width, height) in pixels."""


def face_squares(frames: Frames, wanted: Sequence[int]) -> dict[int, Place]:
    """The square around the face in each of the ``wanted`` frames, where one was found at or before it.

    The face is followed through the clip, so that it need not look ahead in the frame itself.
    """
    try:
        tracker = FaceTracker(open_landmark_engine(device="cpu"))
    except InputError:
        return {}
    found: Place | None = None
    out: dict[int, Place] = {}
    last = max(wanted, default=-1)
    for k in sorted({*range(0, last + 1, _LOOKS), *wanted}):
        face = tracker.update(frames[k])
        if face is not None:
            low, high = face.points.min(0), face.points.max(0)
            found = _square((low + high) / 2, _FACE_ROOM * float((high - low).max()), frames[k])
        if k in wanted and found is not None:
            out[k] = found
    return out


def _square(middle: np.ndarray, side: float, picture: Picture) -> Place:
    height, width = picture.shape[:2]
    s = max(8, min(round(side), width, height))
    x = int(np.clip(round(float(middle[0]) - s / 2), 0, width - s))
    y = int(np.clip(round(float(middle[1]) - s / 2), 0, height - s))
    return x, y, s, s


def picture_uri(picture: Picture) -> str:
    """A picture (H,W,3), at most 384 pixels a side, as a JPEG (quality 95, 4:4:4) in a data URI."""
    scale = min(1.0, LARGEST / max(picture.shape[:2]))
    small = resize(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [*quality, *sampling])
    return uri("image/jpeg", data.tobytes())


def enlarged(picture: Picture, place: Place) -> Picture:
    """A part of a picture at the report's size, without smoothing it further than bicubic."""
    x, y, w, h = place
    size = LARGEST, max(1, round(h * LARGEST / w))
    return cv2.resize(picture[y : y + h, x : x + w], size, interpolation=cv2.INTER_CUBIC)


def uri(kind: str, data: bytes) -> str:
    """Data in a URI that a page holds in itself."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def side_by_side(columns: list[tuple[str, Frames]], fps: Fraction, seconds: float) -> bytes:
    """The columns' frames beside each other under their titles, as an H.264 MP4."""
    count = min(len(columns[0][1]), max(1, round(seconds * float(fps))))
    height, width = columns[0][1].shape[1:3]
    scale = min(1.0, COLUMN / max(height, width))
    size = 2 * round(width * scale / 2), 2 * round(height * scale / 2)
    parts = []
    for title, frames in columns:
        parts.append(np.stack([titled(title, resize(f, *size)) for f in frames[:count]]))
    options = {"crf": "16", "preset": "medium"}
    return h264(np.concatenate(parts, 2), fps, "libx264", options, "yuv420p").getvalue()


def titled(text: str, picture: Picture) -> Picture:
    """A picture (H,W,3) under a bar with a title (H+24,W,3)."""
    width = picture.shape[1]
    bar = np.full((24, width, 3), 32, np.uint8)
    size = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    scale = 0.42 * min(1.0, (width - 8) / max(1, size))
    cv2.putText(bar, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, scale, (240, 240, 240), 1, cv2.LINE_AA)
    return np.concatenate([bar, picture])
