"""Headers."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from any_files import HEADER, SOUND, headers
from hypothesis import HealthCheck, given, settings
from places import ROOT

from neurocodec.entropy.bits import varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.block_reader import read_block
from neurocodec.format.header import Fit, Header, LatentModel, Rectangle, read_header, write_header
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter


def test_headers_with_latents() -> None:
    reader = NfcReader(io.BytesIO(header_example()))
    header = replace(reader.header, version=3, transformed=False, latent=LatentModel("f", bytes(8), 32))
    assert read_header(write_header(header), 3) == header
    assert header.coordinates == 32
    with pytest.raises(UnsupportedError):
        read_header(write_header(header), 2)
    odd = replace(header, latent=LatentModel("f", bytes(8), 31))
    with pytest.raises(DamagedFileError, match="odd"):
        read_header(write_header(odd), 3)
    both = bytearray(write_header(header))
    both[both.index(0x42)] = 0xC2
    with pytest.raises(UnsupportedError):
        read_header(bytes(both), 3)


def header_example() -> bytes:
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    return bytes.fromhex(text.split("```hex\n")[2].split("```")[0])


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(headers)
def test_header_round_trip(header: Header) -> None:
    assert read_header(write_header(header), header.version) == header


def test_content_rectangles() -> None:
    wide = replace(HEADER, width=1920, height=1080)
    assert wide.content() == Rectangle(0, 56, 256, 144)
    assert replace(wide, sar=Fraction(1, 2)).content() == Rectangle(14, 0, 228, 256)
    assert replace(wide, fit=Fit.SQUASH).content() == Rectangle(0, 0, 256, 256)
    assert replace(HEADER, width=32768, height=1).content() == Rectangle(0, 127, 256, 1)


def test_regular_timestamps_round_half_up() -> None:
    header = replace(HEADER, time_base=Fraction(1, 1000), fps=Fraction(30000, 1001), start=-7)
    assert [header.regular_pts(i) + 7 for i in range(5)] == [0, 33, 67, 100, 133]
    assert [replace(HEADER, fps=Fraction(25600)).regular_pts(i) for i in range(4)] == [0, 1, 1, 2]


@pytest.mark.parametrize("audio", [b"\0\1\0\1\0", b"\0\2\1\1\x87\x20\0\1\x90ab", b"\0\1\1\1\0\0"])
def test_impossible_audio(audio: bytes) -> None:
    with pytest.raises(DamagedFileError, match="audio packet"):
        read_block(varint(0) + varint(0) + b"\2" + bytes(4) + audio, replace(HEADER, audio=SOUND))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "caf\xe9"}, {"model": ""}, {"model_hash": b"short"}, {"width": 0}, {"rotation": 45},
        {"fps": Fraction(1, 1 << 40)}, {"extensions": ((1, b""),) * 65}, {"quantization": 65536},
    ],
)  # fmt: skip
def test_the_writer_refuses_what_no_reader_would_take(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        NfcWriter(io.BytesIO(), replace(HEADER, **change))
