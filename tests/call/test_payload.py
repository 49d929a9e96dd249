"""Packets of a call, and what is in them."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.call.payload import (
    LandmarkEntry,
    ReceiverReport,
    ReferenceFragment,
    code_symbols,
    decode_symbols,
    pack_entries,
    unpack_entries,
)
from neurocodec.call.rtp import LANDMARKS, PacketCounter, RtpPacket
from neurocodec.errors import DamagedFileError


def test_rtp_packets() -> None:
    packet = RtpPacket(LANDMARKS, 65535, 123456, 7, b"abc")
    assert RtpPacket.unpack(packet.pack()) == packet
    assert packet.pack()[:4] == bytes([0x80, 96, 255, 255])
    for data in (b"", b"\x80", b"\x40" + bytes(11), b"\x80\xe0" + bytes(10)):
        with pytest.raises(DamagedFileError):
            RtpPacket.unpack(data)
    counter = PacketCounter()
    assert [counter.extended(n) for n in (65534, 65535, 1, 0, 2)] == [65534, 65535, 65537, 65536, 65538]


@given(st.lists(st.integers(-3000, 3000), min_size=60, max_size=60), st.booleans())
@settings(max_examples=30, deadline=None)
def test_symbols_survive(values: list[int], predicted: bool) -> None:
    symbols = np.array(values, np.int32)
    base = symbols[::-1].copy() if predicted else None
    assert (decode_symbols(code_symbols(symbols, base), base, 60) == symbols).all()


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (unpack_entries, ReferenceFragment.unpack, ReceiverReport.unpack, RtpPacket.unpack):
        with suppress(DamagedFileError):
            read(data)


def test_payloads_survive() -> None:
    entries = [LandmarkEntry(9, 1, 7, 100, b"xy"), LandmarkEntry(8, 1, None, 60, b"")]
    assert unpack_entries(pack_entries(entries)) == entries
    fragment = ReferenceFragment(3, 70, 1, 4, b"data")
    assert ReferenceFragment.unpack(fragment.pack()) == fragment
    report = ReceiverReport(10, 9, 1234, 0.05, 2, None, True, ((2, 1), (3, 0)))
    assert ReceiverReport.unpack(report.pack()) == report
