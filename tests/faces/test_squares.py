"""Squares around heads: they hold the face, stay, move smoothly, and lie in the picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from neurocodec.faces.squares import MARGIN, squares
from neurocodec.format.block import Region


def boxes(x: NDArray[np.floating], y: NDArray[np.floating], h: NDArray[np.floating]) -> NDArray[np.float32]:
    """Faces by their middles and heights."""
    w = 0.8 * h
    return np.stack([x - w / 2, y - h / 2, w, h], 1).astype(np.float32)


def checked(found: list[Region], faces: NDArray[np.float32], width: int, height: int) -> None:
    """Even, inside the picture, and with the face in them where it can be."""
    assert len(found) == len(faces)
    for r, (x, y, w, h) in zip(found, faces, strict=True):
        assert r.x % 2 == r.y % 2 == r.side % 2 == 0
        assert 0 <= r.x <= width - r.side and 0 <= r.y <= height - r.side
        if h <= r.side:
            assert r.x <= max(x, 0) + 2 and min(x + w, width) <= r.x + r.side + 2
            assert r.y <= max(y, 0) + 2 and min(y + h, height) <= r.y + r.side + 2


def steps(found: list[Region]) -> list[int]:
    """Largest change of place from frame to frame, of any side of the square."""
    return [
        max(
            abs(a.x - b.x), abs(a.y - b.y), abs(a.x + a.side - b.x - b.side), abs(a.y + a.side - b.y - b.side)
        )
        for a, b in pairwise(found)
    ]


def test_a_face_that_moves_little_has_one_square() -> None:
    t = np.arange(500)
    faces = boxes(600 + 30 * np.sin(t / 20), 400 + 10 * np.sin(t / 9), 150 + 8 * np.sin(t / 30))
    found = squares(faces, 1280, 720)
    checked(found, faces, 1280, 720)
    assert len(set(found)) == 1
    assert found[0].side == pytest.approx(MARGIN * 150, rel=0.06)
    assert found[0].x + found[0].side / 2 == pytest.approx(600, abs=6)
    assert found[0].y < 400 - 75 - 50 and found[0].y + found[0].side > 400 + 75 + 50


def test_one_square_is_a_little_larger_rather_than_moving() -> None:
    t = np.arange(300)
    faces = boxes(600 + 62 * np.sin(t / 20), np.full(300, 400.0), np.full(300, 150.0))
    found = squares(faces, 1280, 720)
    checked(found, faces, 1280, 720)
    assert len(set(found)) == 1
    assert MARGIN * 150 + 10 < found[0].side <= 1.25 * MARGIN * 150 + 2


def test_a_face_that_goes_elsewhere_is_followed_smoothly_and_then_at_rest() -> None:
    x = 300 + 500 / (1 + np.exp(-(np.arange(400) - 200) / 12.0))
    faces = boxes(x, np.full(400, 350.0), np.full(400, 140.0))
    found = squares(faces, 1280, 720)
    checked(found, faces, 1280, 720)
    assert len({r.side for r in found}) == 1
    assert found[0].x + found[0].side / 2 == pytest.approx(300, abs=35)
    assert found[-1].x + found[-1].side / 2 == pytest.approx(800, abs=35)
    moving = [k for k, s in enumerate(steps(found)) if s]
    assert moving[0] > 100 and moving[-1] < 300
    assert max(steps(found)) <= 18


def test_small_swings_around_a_new_place_do_not_move_it() -> None:
    rng = np.random.default_rng(2)
    x = 300 + 16.0 * np.clip(np.arange(600) - 300, 0, 25)
    x += np.convolve(rng.normal(0, 20, 600), np.ones(9) / 9, "same")
    faces = boxes(x, np.full(600, 350.0), np.full(600, 140.0))
    found = squares(faces, 1280, 720)
    checked(found, faces, 1280, 720)
    assert sum(s > 0 for s in steps(found)) < 80


def test_the_side_changes_seldom_and_slowly() -> None:
    t = np.arange(500)
    height = np.where(t < 250, 120, 120 + 120 * np.clip((t - 250) / 60, 0, 1)) * (1 + 0.05 * np.sin(t / 7))
    faces = boxes(np.full(500, 640.0), np.full(500, 360.0), height)
    found = squares(faces, 1280, 720)
    checked(found, faces, 1280, 720)
    assert found[0].side == pytest.approx(MARGIN * 120, rel=0.15)
    assert found[-1].side == pytest.approx(MARGIN * 240, rel=0.15)
    assert sum(a.side != b.side for a, b in pairwise(found)) < 90
    assert max(steps(found)) <= 16


def test_moves_fall_on_the_starts_of_blocks() -> None:
    x = 300 + 0.125 * np.arange(1000)
    faces = boxes(x, np.full(1000, 350.0), np.full(1000, 70.0))
    starts = range(0, 1000, 125)
    found = squares(faces, 1280, 720, starts)
    moving = [k for k, s in enumerate(steps(found)) if s]
    assert moving and all(min(abs(k - s) for s in starts) <= 14 for k in moving)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (361, 641), (853, 481)])
def test_squares_stay_in_the_picture(width: int, height: int) -> None:
    t = np.arange(300)
    faces = boxes(width / 2 + 0.6 * width * np.sin(t / 40), np.full(300, 40.0), 60 + 0.5 * t)
    faces[:, 2:] = np.minimum(faces[:, :2] + faces[:, 2:], (width, height)) - np.maximum(faces[:, :2], 0)
    faces[:, 2:] = np.maximum(faces[:, 2:], 4)
    faces[:, :2] = np.clip(faces[:, :2], 0, (width - 4, height - 4))
    found = squares(faces, width, height)
    assert all(0 <= r.x <= width - r.side and 0 <= r.y <= height - r.side for r in found)
    assert all(r.x % 2 == r.y % 2 == r.side % 2 == 0 for r in found)
    assert max(r.side for r in found) <= min(width, height)


def test_a_face_as_large_as_the_picture_has_all_of_it() -> None:
    faces = boxes(np.full(50, 180.0), np.full(50, 180.0), np.full(50, 250.0))
    (found,) = set(squares(faces, 361, 480))
    assert (found.x, found.side) == (0, 360)


def test_few_frames_and_none() -> None:
    assert squares(np.zeros((0, 4), np.float32), 640, 360) == []
    one = boxes(np.array([300.0]), np.array([200.0]), np.array([60.0]))
    assert len(squares(one, 640, 360)) == 1
    two = boxes(np.array([100.0, 500.0]), np.array([200.0, 200.0]), np.array([60.0, 60.0]))
    assert len(squares(two, 640, 360)) == 2
