"""Which frames a layer shows."""

from __future__ import annotations

import numpy as np
import pytest

from neurocodec.encoding.picture_choice import Changes, choose_pictures


def changes(levels: list[int]) -> Changes:
    """Flat pictures of these levels."""
    return Changes(np.stack([np.full((6, 8, 3), v, np.uint8) for v in levels]), [])


def test_all_frames_at_a_spacing_of_one() -> None:
    assert choose_pictures(changes([3] * 7), 1, set()) == list(range(7))


def test_even_change_gives_even_spacing() -> None:
    chosen = choose_pictures(changes(list(range(0, 240, 2))), 6, set())
    assert chosen[0] == 0
    assert abs(len(chosen) - 20) <= 2
    assert np.ptp(np.diff(chosen)[:-1]) <= 1


def test_what_stands_still_is_shown_rarely_but_shown() -> None:
    gaps = np.diff(choose_pictures(changes([9] * 60), 4, set()))
    assert gaps.max() <= 10


@pytest.mark.parametrize("spacing", [4, 8])
def test_both_sides_of_a_sudden_change(spacing: int) -> None:
    levels = [10 + k // 4 for k in range(31)] + [200 + k // 4 for k in range(29)]
    chosen = choose_pictures(changes(levels), spacing, set())
    assert {30, 31} <= set(chosen)


def test_forced_frames_are_chosen() -> None:
    assert {7, 22} <= set(choose_pictures(changes(list(range(30))), 5, {7, 22}))


def test_a_change_in_a_face_counts() -> None:
    still = np.zeros((40, 6, 8, 3), np.uint8)
    faces = np.zeros((40, 48, 48), np.uint8)
    faces[20:24, 12:18, 12:24] = 200  # a blink
    chosen = choose_pictures(Changes(still, [(0, 40, faces)]), 8, set())
    assert any(20 <= k < 24 for k in chosen)
