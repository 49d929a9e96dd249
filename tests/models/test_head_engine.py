"""The head finder that comes along finds the sample's face in any size, and one box of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from places import SAMPLES

from neurocodec.faces.detector import find_faces
from neurocodec.media.frames import read_frames
from neurocodec.models.head_engine import HeadEngine, agreed, open_head_engine, overlaps, suppressed
from neurocodec.types import Picture


@pytest.fixture(scope="module")
def engine() -> HeadEngine:
    return open_head_engine(device="cpu")


@pytest.fixture(scope="module")
def head() -> Picture:
    return next(p for _, p in read_frames(SAMPLES / "astronaut.mp4", 0.1))


def on_wall(head: Picture, width: int, height: int, x: int, y: int, side: int) -> Picture:
    """A head of ``side`` pixels on a plain wall with a little noise."""
    rng = np.random.default_rng(4)
    out = np.clip(rng.normal(150, 3, (height, width, 3)), 0, 255).astype(np.uint8)
    method = cv2.INTER_AREA if side < head.shape[0] else cv2.INTER_CUBIC
    out[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=method)
    return out


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (500, 500)])
@pytest.mark.parametrize("share", [0.35, 0.6, 0.95])
def test_the_face_is_found_in_any_size(
    engine: HeadEngine, head: Picture, width: int, height: int, share: float
) -> None:
    side = int(share * min(width, height))
    x, y = (width - side) // 3, (height - side) // 2
    found = engine.find(on_wall(head, width, height, x, y, side))
    assert len(found) == 1
    alone = engine.find(head)[0, :4] * side / head.shape[0] + (x, y, 0, 0)
    assert overlaps(alone, found)[0][0] > 0.6


def test_two_heads_are_two(engine: HeadEngine, head: Picture) -> None:
    picture = on_wall(head, 1280, 720, 60, 200, 400)
    picture[200:600, 800:1200] = cv2.resize(head, (400, 400))[:, ::-1]
    assert len(engine.find(picture)) == 2
    assert len(find_faces(picture)) == 2


def test_nothing_where_there_is_nothing(engine: HeadEngine) -> None:
    rng = np.random.default_rng(2)
    for picture in (
        np.full((360, 640, 3), 90, np.uint8),
        np.broadcast_to(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (360, 640, 3)).copy(),
        rng.integers(0, 256, (360, 640, 3), np.uint8),
        np.full((1, 1, 3), 90, np.uint8),
    ):
        assert engine.find(picture).shape == (0, 5)


def test_boxes_of_one_face_become_their_mean() -> None:
    boxes = np.array([[10, 10, 40, 50], [14, 10, 40, 50], [200, 10, 40, 50], [15, 20, 20, 20]], np.float32)
    found = suppressed(boxes, np.array([0.9, 0.45, 0.5, 0.6], np.float32))
    np.testing.assert_allclose(found[:, 4], [0.9, 0.5])
    np.testing.assert_allclose(found[0, :4], [10 + 4 / 3, 10, 40, 50], rtol=1e-5)
    assert suppressed(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)).shape == (0, 5)


def test_overlaps() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [0, 0, 5, 5], [50, 50, 5, 5]], np.float32)
    union, share = overlaps(boxes[0], boxes)
    np.testing.assert_allclose(union, [1, 1 / 3, 1 / 4, 0], rtol=1e-5)
    np.testing.assert_allclose(share, [1, 1 / 2, 1, 0], rtol=1e-5)


def test_what_one_look_sees_counts_half() -> None:
    first = np.array([[10, 10, 40, 50, 0.8], [200, 10, 40, 50, 0.9]], np.float32)
    second = np.array([[12, 10, 40, 50, 0.6]], np.float32)
    found = agreed([first, second])
    np.testing.assert_allclose(found[:, 4], [0.7, 0.45], rtol=1e-5)
    assert 10 < found[0, 0] < 12
    assert agreed([first[:0], second[:0]]).shape == (0, 5)
