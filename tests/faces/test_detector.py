"""Faces are proposed by one network, and confirmed and placed by the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from places import SAMPLES

from neurocodec.faces.detector import FaceFinder, find_faces
from neurocodec.faces.look import Square, box_of
from neurocodec.media.frames import read_frames
from neurocodec.types import Picture

PICTURE = np.zeros((480, 960, 3), np.uint8)


class Heads:
    """A head finder that always sees the same."""

    def __init__(self, *faces: tuple[float, ...]) -> None:
        self._faces = np.array(faces, np.float32).reshape(-1, 5)

    def find(self, picture: Picture, least: float) -> np.ndarray:
        return self._faces[self._faces[:, 4] >= least]


class Landmarks:
    """A landmark network that sees a face in the middle of every square, as probable as ``presence``."""

    def __init__(self, *presence: float, side: float = 0.6) -> None:
        self._presence, self._side = presence, side

    def landmarks(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(pictures)
        angle = np.linspace(0, 2 * np.pi, 68)
        points = 0.5 + self._side / 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
        return np.stack([points] * count).astype(np.float32), np.array(self._presence[:count], np.float32)


def found(heads: Any, landmarks: Any) -> list[Any]:
    return FaceFinder(heads, landmarks)(PICTURE)


def test_what_the_landmarks_deny_is_no_face() -> None:
    heads = Heads((100, 100, 80, 100, 0.9), (400, 100, 80, 100, 0.8), (600, 100, 80, 100, 0.2))
    faces = found(heads, Landmarks(0.1, 1.0))
    assert [(round(f.x / 100), round(f.score, 2)) for f in faces] == [(4, 0.8)]
    assert found(Heads(), Landmarks()) == []


def test_the_box_is_between_both_where_they_agree() -> None:
    proposed = (100.0, 100.0, 80.0, 100.0)
    (face,) = found(Heads((*proposed, 0.9)), Landmarks(1.0))
    square = Square.of_box(proposed)
    angle = np.linspace(0, 2 * np.pi, 68)
    exact = box_of(square.place(0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], 1)))
    np.testing.assert_allclose(face[:4], (np.array(proposed) + exact) / 2, rtol=1e-4)
    (alone,) = found(Heads((*proposed, 0.9)), Landmarks(1.0, side=0.2))
    np.testing.assert_allclose(alone[:4], proposed)


def test_boxes_fit_the_landmarks_of_the_sample() -> None:
    from neurocodec.faces.tracker import FaceTracker
    from neurocodec.models.landmark_engine import open_landmark_engine

    picture = next(p for _, p in read_frames(SAMPLES / "astronaut.mp4", 0.1))
    face = FaceTracker(open_landmark_engine(device="cpu")).update(picture)
    assert face is not None
    (box,) = find_faces(picture)
    np.testing.assert_allclose(box, box_of(face.points), atol=0.12 * box[3])


def test_faces_come_largest_first_and_in_pixels_of_the_picture() -> None:
    def detector(picture: Picture) -> list[tuple[float, float, float, float]]:
        assert max(picture.shape) == 480
        return [(1.0, 2.0, 10.0, 10.0), (30.0, 40.0, 20.0, 30.0)]

    assert find_faces(PICTURE, detector) == [(60.0, 80.0, 40.0, 60.0), (2.0, 4.0, 20.0, 20.0)]


@pytest.mark.parametrize("shape", [(1, 1, 3), (40, 3000, 3), (2000, 17, 3)])
def test_odd_pictures_have_no_faces(shape: tuple[int, int, int]) -> None:
    assert find_faces(np.full(shape, 120, np.uint8)) == []
