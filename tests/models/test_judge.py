"""The judge weighs the worst places, and eyes and mouth."""

from __future__ import annotations

import numpy as np
import pytest

from neurocodec.models.distance import DistanceEngine
from neurocodec.models.judge import GRID, Judge, judged
from neurocodec.models.model_files import find


def keypoints() -> np.ndarray:
    """Mouth below, eyes above, the rest in the middle: (1,30,2)."""
    points = np.zeros((1, 30, 2), np.float32)
    points[0, 0:5], points[0, 5:9], points[0, 10:14] = (0, 0.4), (-0.3, -0.2), (0.3, -0.2)
    return points


def at(row: int, column: int) -> np.ndarray:
    """A distance of 1 that lies in a single place (1,15,15)."""
    places = np.zeros((1, GRID, GRID))
    places[0, row, column] = 1
    return places


def test_a_spoilt_place_is_worse_than_the_same_everywhere() -> None:
    even = np.full((1, GRID, GRID), 1 / GRID**2)
    assert float(judged(at(0, 0))[0]) > 2 * float(judged(even)[0])


def test_the_mouth_counts_more_than_the_corner() -> None:
    points = keypoints()
    mouth, eye, corner = (float(judged(p, points)[0]) for p in (at(10, 7), at(5, 5), at(0, 14)))
    assert mouth > 1.5 * corner and eye > 1.5 * corner


def test_it_grows_with_the_distance_and_is_about_as_large() -> None:
    rng = np.random.default_rng(0)
    places = rng.gamma(2, 0.1 / (2 * GRID**2), (20, GRID, GRID))
    points = np.repeat(keypoints(), 20, 0)
    for some in (None, points):
        found = judged(places, some)
        assert np.allclose(judged(3 * places, some), 3 * found)
        assert 0.6 < found.mean() / places.sum((1, 2)).mean() < 1.3


@pytest.mark.parametrize("side", [256, 128])
def test_places_add_up_and_lie_where_the_pictures_differ(side: int) -> None:
    engine = DistanceEngine(find("perceptual", "feedback"), "cpu")
    rng = np.random.default_rng(1)
    original = np.repeat(np.repeat(rng.integers(60, 200, (side // 8, side // 8, 3), np.uint8), 8, 0), 8, 1)
    picture = original.copy()
    picture[: side // 4, -side // 4 :] = 128
    places = engine.places(picture[None], [original], GRID)
    assert places.shape == (1, GRID, GRID)
    assert places.sum() == pytest.approx(float(engine(picture[None], [original])[0]), rel=2e-2)
    assert places[0, : GRID // 4, -GRID // 4 :].sum() > 0.7 * places.sum()
    judge = Judge(engine)
    assert float(judge(original[None], [original])[0]) == pytest.approx(0, abs=1e-6)
    assert float(judge(picture[None], [original])[0]) > places.sum()
