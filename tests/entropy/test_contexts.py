"""The code of changes on top of the range coder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.entropy.contexts import CONTEXTS, PREFIX, RangeCode
from neurocodec.entropy.golomb import MAX_MAGNITUDE
from neurocodec.entropy.initial_states import INITIAL
from neurocodec.entropy.range_coder import ONE, SLOWEST, Context, RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError

slow = settings(deadline=None, max_examples=15)
changes = st.one_of(
    st.just(0), st.integers(-3, 3), st.integers(-40, 40), st.integers(-(2**24) + 1, 2**24 - 1)
)


def test_initial_states_are_possible() -> None:
    assert len(INITIAL) == CONTEXTS
    assert all(64 <= p <= ONE - 64 and 0 <= seen <= SLOWEST for p, seen in INITIAL)


@slow
@given(st.integers(1, 50), st.data())
def test_any_changes_come_back(count: int, data: st.DataObject) -> None:
    packets = data.draw(st.lists(st.lists(changes, min_size=count, max_size=count), max_size=6))
    out, code = RangeEncoder(), RangeCode(count, MAX_MAGNITUDE)
    for packet in packets:
        code.write(out, packet)
    source, again = RangeDecoder(out.getvalue()), RangeCode(count, MAX_MAGNITUDE)
    assert [again.read(source) for _ in packets] == packets
    source.finish("changes")


@pytest.mark.parametrize("value", [1, 13, 14, 15, 16, 17, 2**16, MAX_MAGNITUDE - 1, MAX_MAGNITUDE])
def test_extreme_changes_come_back(value: int) -> None:
    packet = [0, value, 0, -value]
    out = RangeEncoder()
    RangeCode(4, MAX_MAGNITUDE).write(out, packet)
    assert RangeCode(4, MAX_MAGNITUDE).read(RangeDecoder(out.getvalue())) == packet


def test_a_change_over_the_limit_is_refused_and_writes_nothing() -> None:
    out = RangeEncoder()
    with pytest.raises(ValueError, match="limit"):
        RangeCode(2, MAX_MAGNITUDE).write(out, [0, MAX_MAGNITUDE + 1])
    assert out.getvalue() == b""


def test_a_change_over_the_limit_is_damage() -> None:
    """All prefix decisions a one: 24 of them, which no writer makes."""
    code, out = RangeCode(2, MAX_MAGNITUDE), RangeEncoder()
    table = [Context(p, seen) for p, seen in INITIAL]
    out.encode(table[0], 0)
    out.encode(table[3], 1)
    for m in range(13):
        out.encode(table[87 + min(m, 3)], 1)
    for k in range(24):
        out.encode(table[PREFIX + k], 1)
    out.encode_even(0, 24)
    with pytest.raises(DamagedFileError, match="limit"):
        code.read(RangeDecoder(out.getvalue()))
