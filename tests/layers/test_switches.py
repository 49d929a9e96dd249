"""Switches between pictures of a layer: they come back as they were, and nonsense is damage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.errors import DamagedFileError
from neurocodec.layers.switches import (
    PLACES_A_BYTE,
    Switch,
    grid_of,
    read_switches,
    stretches,
    write_switches,
)


@pytest.mark.parametrize(
    ("size", "grid"),
    [((1280, 720), (14, 24)), ((360, 640), (24, 14)), ((64, 64), (24, 24)), ((4000, 10), (1, 24))],
)
def test_places_are_about_square(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert grid_of(*size) == grid


def test_stretches_are_the_frames_in_front_of_pictures() -> None:
    assert stretches([0, 3, 4, 6]) == [range(0), range(1, 3), range(4, 4), range(5, 6)]
    assert stretches([2]) == [range(2)]
    assert stretches([]) == []


def same(a: Switch | None, b: Switch | None) -> bool:
    if a is None or b is None or a.places is None or b.places is None:
        return (a is None) == (b is None) and (a is None or b is None or a == b)
    return a.kept == b.kept and bool((a.places == b.places).all())


@st.composite
def rows(draw: Any) -> tuple[list[Switch | None], list[int], tuple[int, int]]:
    grid = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    frames = draw(st.lists(st.integers(0, 9), max_size=6))
    found: list[Switch | None] = []
    for count in frames:
        if not count or not draw(st.booleans()):
            found.append(None)
            continue
        seed, likely = draw(st.integers(0, 99)), draw(st.sampled_from((0.0, 0.1, 0.5, 1.0)))
        places = np.random.default_rng(seed).random(grid) < likely
        found.append(Switch(draw(st.integers(0, count)), None if draw(st.booleans()) else places))
    return found, frames, grid


@settings(max_examples=200, deadline=None)
@given(rows())
def test_they_come_back(case: tuple[list[Switch | None], list[int], tuple[int, int]]) -> None:
    switches, frames, grid = case
    data = write_switches(switches, frames, grid)
    assert (data is None) == (not any(switches))  # so few are never too many
    found = read_switches(data, frames, grid)
    assert len(found) == len(switches)
    assert all(same(a, b) for a, b in zip(switches, found, strict=True))


def test_a_caption_takes_few_bytes() -> None:
    places = np.zeros((14, 24), np.bool_)
    places[11:13, 6:18] = True
    data = write_switches([Switch(3, places)] * 5 + [None] * 5, [5] * 10, (14, 24))
    assert data is not None and len(data) < 90
    assert len(write_switches([None] * 9 + [Switch(2)], [5] * 10, (14, 24)) or b"") < 6


def test_what_cannot_be_written() -> None:
    for switch, count in ((Switch(0), 0), (Switch(4), 3), (Switch(-1), 3)):
        with pytest.raises(ValueError, match="not in its stretch"):
            write_switches([switch], [count], (2, 2))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_switches_or_damage(data: bytes) -> None:
    try:
        found = read_switches(data, [3, 0, 5, 1], (4, 6))
    except DamagedFileError:
        return
    assert [s is None or 0 <= s.kept <= n for s, n in zip(found, [3, 0, 5, 1], strict=True)] == [True] * 4


def test_too_many_places_and_what_is_left_over() -> None:
    places = np.zeros((24, 24), np.bool_)
    few = write_switches([Switch(1, places[:2, :2])], [1], (2, 2))
    assert few is not None
    with pytest.raises(DamagedFileError, match="too many places"):
        read_switches(few, [1], (PLACES_A_BYTE, len(few) + 5))
    assert write_switches([Switch(1, places)] * 400, [1] * 400, (24, 24)) is None
    some = write_switches([Switch(1, places)], [1], (24, 24))
    assert some is not None
    with pytest.raises(DamagedFileError, match="do not end"):
        read_switches(some + b"\1" * 9, [1], (24, 24))
