"""Heads blended into pictures."""

from __future__ import annotations

import numpy as np
import pytest

from neurocodec.compositing.seam import blend
from neurocodec.format.block import Region


def white(side: int) -> np.ndarray:
    return np.full((side, side, 3), 255, np.uint8)


def test_the_middle_is_the_head_and_the_edge_the_picture() -> None:
    picture = np.zeros((100, 120, 3), np.uint8)
    blend(picture, white(64), Region(20, 10, 64))
    assert picture[42, 52].tolist() == [255] * 3
    assert picture[10, 20].max() < 3 and picture[73, 83].max() < 3
    assert picture[9].max() == picture[:, 19].max() == picture[:, 84].max() == 0
    ramp = picture[42, 20:29, 0].astype(int)
    assert (np.diff(ramp) >= 0).all() and np.diff(ramp).max() < 60


@pytest.mark.parametrize("square", [Region(-10, -10, 40), Region(0, 0, 40)])
def test_an_edge_on_or_outside_the_border_has_no_ramp(square: Region) -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    blend(picture, white(40), square)
    assert picture[0, 0].tolist() == [255] * 3


def test_a_square_outside_changes_nothing() -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    blend(picture, white(40), Region(70, 5, 40))
    assert not picture.any()
