"""The judge weighs the worst places."""

from __future__ import annotations

import numpy as np
import pytest

from neurocodec.models.distance import DistanceEngine
from neurocodec.models.judge import GRID, Judge, judged
from neurocodec.models.model_files import find


def at(row: int, column: int) -> np.ndarray:
    """A distance of 1 that lies in a single place (1,15,15)."""
    places = np.zeros((1, GRID, GRID))
    places[0, row, column] = 1
    return places


def test_a_spoilt_place_is_worse_than_the_same_everywhere() -> None:
    even = np.full((1, GRID, GRID), 1 / GRID**2)
    assert float(judged(at(0, 0))[0]) > 2 * float(judged(even)[0])


def test_it_grows_with_the_distance() -> None:
    places = np.random.default_rng(0).gamma(2, 0.1 / (2 * GRID**2), (20, GRID, GRID))
    assert np.allclose(judged(3 * places), 3 * judged(places))
    assert 0.7 < (judged(places) / places.sum((1, 2))).mean() < 1.3


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
