"""Faces are found, followed and squared."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from places import SAMPLES

from neurocodec.faces.look import Square, box_of
from neurocodec.faces.region import LANDMARK_MARGIN, FaceRegion
from neurocodec.faces.tracker import FaceTracker
from neurocodec.media.frames import read_frames
from neurocodec.models.landmark_engine import LandmarkEngine, open_landmark_engine

SAMPLE = SAMPLES / "astronaut.mp4"


@pytest.fixture(scope="module")
def engine() -> LandmarkEngine:
    return open_landmark_engine(device="cpu")


def test_the_sample_has_a_face(engine: LandmarkEngine) -> None:
    tracker = FaceTracker(engine)
    faces = [tracker.update(p) for _, p in read_frames(SAMPLE, 0.4)]
    assert all(f is not None and f.probability > 0.8 for f in faces)
    points = faces[0].points
    assert points[36, 0] < points[30, 0] < points[45, 0]
    assert points[36, 1] < points[30, 1] < points[57, 1] < points[8, 1]
    assert 30 < faces[0].eye_distance < 150
    steps = [np.abs(b.points - a.points).mean() for a, b in pairwise(faces)]
    assert max(steps) < 4


def test_a_larger_picture_gives_the_same_face(engine: LandmarkEngine) -> None:
    picture = next(p for _, p in read_frames(SAMPLE, 0.1))
    small = FaceTracker(engine).update(picture)
    canvas = np.zeros((700, 900, 3), np.uint8)
    canvas[100:612, 200:712] = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    found = FaceTracker(engine).update(canvas)
    assert small and found
    moved = small.points * 2 + (200, 100)
    assert np.linalg.norm(found.points - moved, axis=1).mean() < 0.12 * found.eye_distance


def test_no_face(engine: LandmarkEngine) -> None:
    grey = np.full((240, 320, 3), 128, np.uint8)
    assert FaceTracker(engine).update(grey) is None


def test_a_face_that_leaves_is_found_again(engine: LandmarkEngine) -> None:
    picture = next(p for _, p in read_frames(SAMPLE, 0.1))
    tracker = FaceTracker(engine)
    there = [tracker.update(p) is not None for p in (picture, np.full_like(picture, 90), picture)]
    assert there == [True, False, True]


def test_the_square_cuts_where_it_says() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:140, 200:240] = 255
    out = Square(220, 120, 160).cut(picture)
    inside = np.argwhere(out[..., 0] > 128)
    np.testing.assert_allclose(inside.mean(0), (63.5, 63.5), atol=1)
    assert 30 <= np.ptp(inside[:, 0]) <= 34
    np.testing.assert_allclose(Square(220, 120, 160).place(np.full((1, 2), 0.5, np.float32)), [[220, 120]])
    assert Square(10, 10, 400).cut(picture).shape == (128, 128, 3)


def test_the_region_is_around_the_landmarks(engine: LandmarkEngine) -> None:
    picture = next(p for _, p in read_frames(SAMPLE, 0.1))
    canvas = np.zeros((600, 800, 3), np.uint8)
    canvas[200:456, 300:556] = picture
    tracker = FaceTracker(engine)
    region = FaceRegion(tracker=tracker).update(canvas)
    points = FaceTracker(engine).update(canvas).points
    size = float(np.ptp(points, axis=0).max())
    assert region.side == pytest.approx(LANDMARK_MARGIN * size, rel=0.1)
    assert region.x < points[:, 0].min() and points[:, 0].max() < region.x + region.side


def test_a_face_reaches_above_its_landmarks() -> None:
    points = np.array([[10.0, 20.0], [40.0, 20.0], [25.0, 60.0]], np.float32)
    np.testing.assert_allclose(box_of(points), [10, 20 - 0.33 * 40, 30, 1.33 * 40], rtol=1e-5)
