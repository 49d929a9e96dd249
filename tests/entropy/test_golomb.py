"""Golomb codes: the original's and the adaptive one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurocodec.entropy.bits import BitReader, BitWriter
from neurocodec.entropy.golomb import MAX_MAGNITUDE, AdaptiveGolomb, read_original, write_original

PUBLISHED = {0: "110", 1: "111", -1: "010", 2: "0110", -2: "0111", 3: "0010", -3: "00110"}


def bits_of(out: BitWriter) -> str:
    return "".join(f"{b:08b}" for b in out.getvalue())[: len(out)]


@pytest.mark.parametrize(("value", "word"), PUBLISHED.items())
def test_published_examples(value: int, word: str) -> None:
    out = BitWriter()
    write_original(out, value)
    assert bits_of(out) == word


small = st.one_of(st.just(0), st.integers(-3, 3), st.integers(-300, 300))
any_value = st.one_of(small, st.integers(-MAX_MAGNITUDE, MAX_MAGNITUDE))


@given(st.lists(st.one_of(small, st.integers(-5000, 5000)), max_size=60))
def test_original_code_round_trip(values: list[int]) -> None:
    out = BitWriter()
    for v in values:
        write_original(out, v)
    source = BitReader(out.getvalue())
    assert [read_original(source) for _ in values] == values


@given(st.lists(st.lists(any_value, min_size=1, max_size=80), max_size=12))
def test_adaptive_code_round_trip(frames: list[list[int]]) -> None:
    out, coder = BitWriter(), AdaptiveGolomb()
    for frame in frames:
        coder.write(out, frame)
    source, reader = BitReader(out.getvalue()), AdaptiveGolomb()
    assert [reader.read(source, len(frame)) for frame in frames] == frames
    assert source.position == len(out)
