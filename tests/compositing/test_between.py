"""Pictures between two others."""

from __future__ import annotations

import cv2
import numpy as np

from neurocodec.compositing.interpolation import Between
from neurocodec.layers.switches import Switch
from neurocodec.types import Picture


def texture(shift: int) -> Picture:
    """A smooth picture (120,160,3), moved to the right."""
    noise = np.random.default_rng(0).integers(0, 256, (140, 240, 3)).astype(np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    wide = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    return np.ascontiguousarray(wide[10:130, 40 - shift : 200 - shift])


def error(a: Picture, b: Picture) -> float:
    """Mean difference away from the edges."""
    return float(np.abs(a[16:-16, 16:-16].astype(int) - b[16:-16, 16:-16]).mean())


def test_what_moves_is_on_its_way() -> None:
    before, after, middle = texture(0), texture(8), texture(4)
    found = Between(before, after).at(0.5)
    blended = cv2.addWeighted(before, 0.5, after, 0.5, 0)
    assert error(found, middle) < 0.35 * error(blended, middle)


def test_ends_are_the_pictures_themselves() -> None:
    before, after = texture(0), texture(6)
    way = Between(before, after)
    assert error(way.at(0.0), before) < 1
    assert error(way.at(1.0), after) < 1


def test_what_stands_still_is_blended() -> None:
    before = texture(0)
    brighter = np.clip(before.astype(int) + 6, 0, 255).astype(np.uint8)
    assert error(Between(before, brighter).at(0.5), np.clip(before.astype(int) + 3, 0, 255)) < 1.5


def test_a_switch_of_the_whole_picture_shows_one_of_both() -> None:
    before, after = texture(0), texture(8)
    way = Between(before, after, Switch(2))
    for number, shown in enumerate((before, before, after, after)):
        assert np.array_equal(way.at(number / 4, number), shown)


def test_places_that_switch_are_held_and_the_rest_moves() -> None:
    before, after, middle = texture(0), texture(8), texture(4)
    places = np.zeros((18, 24), np.bool_)
    places[:, :12] = True
    way = Between(before, after, Switch(1, places))
    for number, held in enumerate((before, after)):
        found = way.at(0.5, number)
        assert np.array_equal(found[:, :80], held[:, :80])
        assert error(found[:, 85:], middle[:, 85:]) < 2
    assert np.array_equal(
        Between(before, after, Switch(1, ~places & places)).at(0.5), Between(before, after).at(0.5)
    )


def test_luma_alone_is_interpolated_as_well() -> None:
    before, after = (cv2.cvtColor(texture(k), cv2.COLOR_RGB2GRAY) for k in (0, 8))
    assert error(Between(before, after).at(0.5), cv2.cvtColor(texture(4), cv2.COLOR_RGB2GRAY)) < 3
