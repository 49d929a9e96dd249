"""The range coder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.entropy.range_coder import ONE, Context, RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError

some = settings(deadline=None, max_examples=40)
slow = settings(deadline=None, max_examples=15)
decisions = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=300)


def contexts() -> list[Context]:
    return [Context(p) for p in (64, ONE // 2, ONE - 64, 1000)]


@some
@given(decisions)
def test_decisions_come_back(bits: list[tuple[int, int]]) -> None:
    out, seen = RangeEncoder(), contexts()
    for k, bit in bits:
        out.encode(seen[k], bit)
    source, again = RangeDecoder(out.getvalue()), contexts()
    assert [source.decode(again[k]) for k, _ in bits] == [bit for _, bit in bits]
    source.finish("decisions")
    assert [(c.p, c.seen) for c in seen] == [(c.p, c.seen) for c in again]


@some
@given(st.lists(st.integers(0, 24).flatmap(lambda n: st.tuples(st.integers(0, (1 << n) - 1), st.just(n)))))
def test_even_bits_come_back(fields: list[tuple[int, int]]) -> None:
    out = RangeEncoder()
    for value, bits in fields:
        out.encode_even(value, bits)
    source = RangeDecoder(out.getvalue())
    assert [source.decode_even(bits) for _, bits in fields] == [value for value, _ in fields]
    assert len(out.getvalue()) <= sum(bits for _, bits in fields) // 8 + 1


@pytest.mark.parametrize("bit", [0, 1])
def test_carries_run_through(bit: int) -> None:
    """Improbable decisions after many probable ones; then the other way round."""
    out, context = RangeEncoder(), Context()
    bits = ([bit] * 3000 + [1 - bit]) * 2 + [bit] * 500
    for b in bits:
        out.encode(context, b)
    source, again = RangeDecoder(out.getvalue()), Context()
    assert [source.decode(again) for _ in bits] == bits
    assert len(out.getvalue()) < 30


def test_probabilities_stay_inside_their_bounds() -> None:
    for bit in (0, 1):
        for p in (64, ONE // 2, ONE - 64):
            context = Context(p)
            for _ in range(2000):
                context.update(bit)
                assert 64 <= context.p <= ONE - 64


def test_nothing_takes_no_byte() -> None:
    assert RangeEncoder().getvalue() == b""
    RangeDecoder(b"").finish("nothing")


def test_asking_for_the_bytes_changes_nothing() -> None:
    out, context = RangeEncoder(), Context()
    for k in range(100):
        out.encode(context, k % 3 == 0)
        out.getvalue()
    plain, again = RangeEncoder(), Context()
    for k in range(100):
        plain.encode(again, k % 3 == 0)
    assert out.getvalue() == plain.getvalue()


@pytest.mark.parametrize("tail", [b"\0", bytes(6) + b"\1", bytes(100)])
def test_more_bytes_than_were_written_are_noticed(tail: bytes) -> None:
    out = RangeEncoder()
    out.encode_even(0x123457, 24)
    source = RangeDecoder(out.getvalue() + tail)
    source.decode_even(24)
    with pytest.raises(DamagedFileError, match="bits do not end"):
        source.finish("bits")
