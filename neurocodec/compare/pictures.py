"""Frames, crops and a short video of the points that stand side by side in the report."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.measure.clips import Frames
from neurocodec.measure.faces import find_face
from neurocodec.measure.metric import Metric
from neurocodec.media.square import resize
from neurocodec.types import Picture

LARGEST = 384
"""Longer side of a frame in the report; crops keep the compared size."""
COLUMN = 256
"""Longer side of one column of the side-by-side video."""
CROP = 192
"""Width of a crop as shown."""


@dataclass(frozen=True)
class FacePlace:
    """Rectangles (x, y, w, h) of eyes and mouth in pixels."""

    eyes: tuple[int, int, int, int]
    mouth: tuple[int, int, int, int]


@lru_cache(maxsize=1)
def _cascade() -> Any:
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))


def face_place(picture: Picture, detector: str | None) -> FacePlace | None:
    """Eyes and mouth by a user's detector, or by the proportions of OpenCV's frontal-face cascade."""
    if detector:
        found = find_face(picture, detector)
        if found is None:
            return None
        points = found[1]
        between = float(np.linalg.norm(points[1] - points[0]))
        eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    else:
        least = min(picture.shape[:2]) // 4
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        boxes = _cascade().detectMultiScale(grey, 1.1, 5, minSize=(least, least))
        if not len(boxes):
            return None
        x, y, w, h = max(boxes, key=lambda b: b[2] * b[3])
        between = 0.4 * w
        eyes, mouth = np.array([x + 0.5 * w, y + 0.39 * h]), np.array([x + 0.5 * w, y + 0.78 * h])
    size = 2.2 * between, 1.1 * between
    return FacePlace(_around(eyes, size, picture), _around(mouth, (1.5 * between, 1.1 * between), picture))


def _around(middle: NDArray[Any], size: tuple[float, float], picture: Picture) -> tuple[int, int, int, int]:
    height, width = picture.shape[:2]
    w, h = (max(8, min(round(v), limit)) for v, limit in zip(size, (width, height), strict=True))
    x = int(np.clip(round(float(middle[0]) - w / 2), 0, width - w))
    y = int(np.clip(round(float(middle[1]) - h / 2), 0, height - h))
    return x, y, w, h


def picture_uri(picture: Picture, largest: int = LARGEST) -> str:
    """A picture (H,W,3) as a JPEG (quality 95, 4:4:4) in a data URI."""
    scale = min(1.0, largest / max(picture.shape[:2]))
    small = resize(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    ok, data = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [*quality, *sampling])
    if not ok:
        raise ValueError("a picture could not be coded as JPEG")
    return uri("image/jpeg", data.tobytes())


def crop_uri(picture: Picture, place: tuple[int, int, int, int]) -> str:
    """A part of a picture, enlarged without smoothing it further than bicubic."""
    x, y, w, h = place
    part = picture[y : y + h, x : x + w]
    scale = CROP / w
    return picture_uri(cv2.resize(part, (CROP, max(1, round(h * scale))), interpolation=cv2.INTER_CUBIC))


def uri(kind: str, data: bytes) -> str:
    """Data in a URI that a page holds in itself."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def side_by_side(columns: list[tuple[str, Frames]], fps: Fraction, seconds: float) -> bytes:
    """The columns' frames beside each other under their titles, as an H.264 MP4."""
    count = min(len(columns[0][1]), max(1, round(seconds * float(fps))))
    height, width = columns[0][1].shape[1:3]
    scale = min(1.0, COLUMN / max(height, width))
    size = 2 * round(width * scale / 2), 2 * round(height * scale / 2)
    bars = [_title(text, size[0]) for text, _ in columns]
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size[0] * len(columns), size[1] + bars[0].shape[0]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16", "preset": "medium"}
        for k in range(count):
            row = [
                np.concatenate([bar, resize(f[k], *size)]) for bar, (_, f) in zip(bars, columns, strict=True)
            ]
            picture = np.ascontiguousarray(np.concatenate(row, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def _title(text: str, width: int) -> Picture:
    bar = np.full((24, width, 3), 32, np.uint8)
    size = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    scale = 0.42 * min(1.0, (width - 8) / max(1, size))
    cv2.putText(bar, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, scale, (240, 240, 240), 1, cv2.LINE_AA)
    return bar


def worst_frames(values: list[float | None] | None, metric: Metric, count: int, apart: int) -> list[int]:
    """The frames of the worst values, at least ``apart`` frames from each other."""
    known = [(v, k) for k, v in enumerate(values or []) if v is not None]
    known.sort(reverse=metric.better == "lower")
    out: list[int] = []
    for _, k in known:
        if all(abs(k - other) >= apart for other in out):
            out.append(k)
        if len(out) == count:
            break
    return sorted(out)
