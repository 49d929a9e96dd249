"""Faces by YuNet, a small detector that also gives five points; a user brings its weights (ONNX)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import InputError
from neurocodec.faces.detector import Finder, Found
from neurocodec.types import Picture

_SIDE = 320
"""Longer side of the picture that the network looks at."""
_LEAST_SCORE = 0.6


@lru_cache(maxsize=2)
def _network(path: str) -> Any:
    try:
        return cv2.FaceDetectorYN.create(path, "", (_SIDE, _SIDE), _LEAST_SCORE)
    except cv2.error:
        raise InputError(f"{path} is not a YuNet face detector") from None


def _faces(picture: Picture, weights: str) -> NDArray[np.float32]:
    """What YuNet finds (n,15): box, five points in pixels, score."""
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    network = _network(weights)
    network.setInputSize((small.shape[1], small.shape[0]))
    _, faces = network.detect(np.ascontiguousarray(small[..., ::-1]))
    if faces is None:
        return np.zeros((0, 15), np.float32)
    faces[:, :14] /= scale
    return np.asarray(faces, np.float32)


def faces_by(weights: str) -> Finder:
    """A finder of faces with the weights in a file; it raises InputError where they are no YuNet's."""
    return lambda picture: [Found(*map(float, (*f[:4], f[14]))) for f in _faces(picture, weights)]


def largest_face(picture: Picture, weights: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Box (x, y, w, h) and five points (5,2) (eyes, nose, mouth corners) of the largest face, in pixels.

    Raises:
        InputError: ``weights`` is no YuNet.
    """
    faces = _faces(picture, weights)
    if not len(faces):
        return None
    face = max(faces, key=lambda f: f[2] * f[3])
    return face[:4], face[4:14].reshape(5, 2)
