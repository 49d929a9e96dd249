"""Pictures between two others."""

from __future__ import annotations

import cv2
import numpy as np

from neurocodec.compositing.interpolation import Between
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
