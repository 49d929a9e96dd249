"""Headers that name a landmark model."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from places import ROOT

from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.header import LatentModel, read_header, write_header
from neurocodec.format.reader import NfcReader


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
