"""Detail of references larger than the model's pictures."""

from __future__ import annotations

import cv2
import numpy as np

from neurocodec.compositing.detail import detail_of, sharpened
from neurocodec.networks.warp import Warp


def grey(side: int) -> np.ndarray:
    """A grey picture with fine detail."""
    noise = np.random.default_rng(1).integers(60, 196, (side, side)).astype(np.uint8)
    return np.repeat(cv2.GaussianBlur(noise, (0, 0), 0.8)[..., None], 3, 2)


def still(mask: float) -> Warp:
    """A warp of one reference that moves nothing."""
    return Warp(
        np.zeros((1, 8, 8, 2), np.float32),
        np.ones((1, 4, 4), np.float32),
        np.full((32, 32), mask, np.float32),
    )


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_a_still_reference_comes_back_sharp() -> None:
    large = grey(96)
    small = cv2.resize(large, (32, 32), interpolation=cv2.INTER_AREA)
    detail = detail_of(large, 32)
    plain = cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC)
    assert error(sharpened(small, [detail], still(1.0)), large) < 1.5 < error(plain, large)


def test_where_the_mask_hides_the_reference_its_detail_is_hidden() -> None:
    large = grey(96)
    small = cv2.resize(large, (32, 32), interpolation=cv2.INTER_AREA)
    out = sharpened(small, [detail_of(large, 32)], still(0.0))
    assert np.array_equal(out, cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC))


def test_detail_moves_as_the_warp_says() -> None:
    large = grey(96)
    small = np.full((32, 32, 3), 128, np.uint8)
    shift = np.zeros((1, 8, 8, 2), np.float32)
    shift[..., 0] = 2 * 5 / 95  # five pixels to the right of where one is
    warp = Warp(shift, np.ones((1, 4, 4), np.float32), np.ones((32, 32), np.float32))
    moved = sharpened(small, [detail_of(large, 32)], warp)
    plain = sharpened(small, [detail_of(large, 32)], still(1.0))
    assert np.abs(moved[:, :-5].astype(int) - plain[:, 5:]).max() <= 1
