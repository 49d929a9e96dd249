"""Bits, and integers of as many bytes as they need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurocodec.entropy.bits import BitReader, BitWriter, ByteReader, svarint, unzigzag, varint, zigzag
from neurocodec.errors import DamagedFileError


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0)).map(lambda t: (t[1] % (1 << t[0]), t[0]))))
def test_bits_come_back(fields: list[tuple[int, int]]) -> None:
    out = BitWriter()
    for value, width in fields:
        out.write(value, width)
    source = BitReader(out.getvalue())
    assert [source.read(width) for _, width in fields] == [value for value, _ in fields]
    assert source.remaining < 8


@given(st.integers(0, (1 << 63) - 1), st.integers(-(1 << 61), 1 << 61))
def test_varints_come_back(unsigned: int, signed: int) -> None:
    source = ByteReader(varint(unsigned) + svarint(signed))
    assert source.varint() == unsigned
    assert source.svarint() == signed
    assert source.remaining == 0
    assert unzigzag(zigzag(signed)) == signed


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        BitWriter().write(4, 2)
    with pytest.raises(ValueError, match="varint"):
        varint(-1)
    with pytest.raises(DamagedFileError):
        ByteReader(b"\xff" * 20).varint()
    with pytest.raises(DamagedFileError):
        BitReader(b"").read(1)
