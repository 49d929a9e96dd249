"""Frames, crops and a short video of the points that stand side by side in the report."""

from __future__ import annotations

import base64
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.faces.detector import frontal_faces
from neurocodec.faces.yunet import largest_face
from neurocodec.measure.clips import Frames, h264
from neurocodec.media.square import resize
from neurocodec.types import Picture

LARGEST = 384
"""Longer side of a frame in the report; crops keep the compared size."""
COLUMN = 256
"""Longer side of one column of the side-by-side video."""
CROP = 192
"""Width of a crop as shown."""
Place = tuple[int, int, int, int]
"""A rectangle (x, y, width, height) in pixels."""


def eyes_and_mouth(picture: Picture, detector: str | None) -> tuple[Place, Place] | None:
    """Where they are, by a user's detector, or by the proportions of OpenCV's frontal-face cascade."""
    if detector:
        found = largest_face(picture, detector)
        if found is None:
            return None
        points = found[1]
        between = float(np.linalg.norm(points[1] - points[0]))
        eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    else:
        boxes = frontal_faces(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), min(picture.shape[:2]) // 4)
        if not boxes:
            return None
        x, y, w, h = max(boxes, key=lambda b: b[2] * b[3])
        between = 0.4 * w
        eyes, mouth = np.array([x + 0.5 * w, y + 0.39 * h]), np.array([x + 0.5 * w, y + 0.78 * h])
    return (
        _around(eyes, 2.2 * between, 1.1 * between, picture),
        _around(mouth, 1.5 * between, 1.1 * between, picture),
    )


def _around(middle: NDArray[Any], wide: float, high: float, picture: Picture) -> Place:
    height, width = picture.shape[:2]
    w, h = max(8, min(round(wide), width)), max(8, min(round(high), height))
    x = int(np.clip(round(float(middle[0]) - w / 2), 0, width - w))
    y = int(np.clip(round(float(middle[1]) - h / 2), 0, height - h))
    return x, y, w, h


def picture_uri(picture: Picture) -> str:
    """A picture (H,W,3), at most 384 pixels a side, as a JPEG (quality 95, 4:4:4) in a data URI."""
    scale = min(1.0, LARGEST / max(picture.shape[:2]))
    small = resize(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [*quality, *sampling])
    return uri("image/jpeg", data.tobytes())


def crop_uri(picture: Picture, place: Place) -> str:
    """A part of a picture, enlarged without smoothing it further than bicubic."""
    x, y, w, h = place
    size = CROP, max(1, round(h * CROP / w))
    return picture_uri(cv2.resize(picture[y : y + h, x : x + w], size, interpolation=cv2.INTER_CUBIC))


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
        bar = _title(title, size[0])
        parts.append(np.stack([np.concatenate([bar, resize(f, *size)]) for f in frames[:count]]))
    options = {"crf": "16", "preset": "medium"}
    return h264(np.concatenate(parts, 2), fps, "libx264", options, "yuv420p").getvalue()


def _title(text: str, width: int) -> Picture:
    bar = np.full((24, width, 3), 32, np.uint8)
    size = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    scale = 0.42 * min(1.0, (width - 8) / max(1, size))
    cv2.putText(bar, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, scale, (240, 240, 240), 1, cv2.LINE_AA)
    return bar
