"""Where a rendered head is shown."""

from __future__ import annotations

import numpy as np

from neurocodec.compositing.features import features_weight
from neurocodec.compositing.seam import blend
from neurocodec.format.block import Region
from neurocodec.networks.swift import PARTS


def face(turn: float = 0.0) -> np.ndarray:
    """Keypoints of a face: a mouth .3 wide below, eyes .2 wide above."""
    points = np.full((20, 2), 5.0, np.float32)
    middles = ((0.0, 0.3, 0.15, 0.05), (-0.25, -0.1, 0.1, 0.03), (0.25, -0.1, 0.1, 0.03))
    for part, (x, y, along, up) in zip(PARTS, middles, strict=True):
        for k, (dx, dy) in zip(part, ((-along, 0), (along, 0), (0, -up), (0, up)), strict=True):
            points[k] = x + dx, y + dy
    c, s = np.cos(turn), np.sin(turn)
    points[points[:, 0] < 4] @= np.array([[c, s], [-s, c]], np.float32)
    return points


def at(weight: np.ndarray, x: float, y: float) -> float:
    side = len(weight)
    return float(weight[int((y + 1) / 2 * side), int((x + 1) / 2 * side)])


def test_eyes_and_mouth_are_shown_and_nothing_else() -> None:
    weight = features_weight(face(), PARTS, 256)
    assert weight.shape == (256, 256) and weight.min() == 0 and weight.max() <= 1
    for x, y in ((0, 0.3), (-0.25, -0.1), (0.25, -0.1), (-0.14, 0.3)):
        assert at(weight, x, y) > 0.99
    for x, y in ((0, -0.6), (-0.9, 0), (0.9, 0.9), (0, 0.75)):
        assert at(weight, x, y) == 0


def test_edges_are_soft() -> None:
    weight = features_weight(face(), PARTS, 512)
    assert max(np.abs(np.diff(weight, axis=axis)).max() for axis in (0, 1)) < 0.08


def test_ellipses_turn_with_the_face() -> None:
    turn = 0.6
    weight = features_weight(face(turn), PARTS, 256)
    x, y = np.array([-0.25, -0.1]) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    assert at(weight, x, y) > 0.99 and at(weight, 0, 0.7) == 0


def test_an_open_mouth_is_shown_higher() -> None:
    wide = face()
    wide[PARTS[0][3], 1] += 0.3
    assert at(features_weight(wide, PARTS, 256), 0, 0.68) > at(features_weight(face(), PARTS, 256), 0, 0.68)


def test_points_in_one_place_are_no_failure() -> None:
    weight = features_weight(np.zeros((20, 2), np.float32), PARTS, 64)
    assert np.isfinite(weight).all()


def test_only_what_is_shown_is_laid_over_the_picture() -> None:
    picture, head = np.zeros((100, 120, 3), np.uint8), np.full((64, 64, 3), 200, np.uint8)
    shown = np.zeros((64, 64), np.float32)
    shown[20:40, 20:40] = 1
    blend(picture, head, Region(20, 10, 64), shown)
    assert picture[40, 50].tolist() == [200] * 3
    picture[30:50, 40:60] = 0
    assert not picture.any()


def test_nothing_shown_changes_nothing() -> None:
    picture = np.full((100, 120, 3), 7, np.uint8)
    blend(picture, np.full((64, 64, 3), 200, np.uint8), Region(20, 10, 64), np.zeros((64, 64), np.float32))
    assert (picture == 7).all()


def test_a_part_outside_the_picture_is_left_away() -> None:
    shown = np.zeros((64, 64), np.float32)
    shown[5:60, 5:60] = 1
    whole, part = np.zeros((164, 164, 3), np.uint8), np.zeros((100, 100, 3), np.uint8)
    head = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    blend(whole, head, Region(50, 50, 64), shown)
    blend(part, head, Region(-14, 50, 64), shown)
    inside = np.s_[60:95, 8:45]
    assert np.array_equal(whole[:, 64:][inside], part[inside])
