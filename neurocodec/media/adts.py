"""ADTS framing of AAC (MPEG-TS, raw .aac): MP4 wants bare frames and an AudioSpecificConfig."""

from __future__ import annotations


def is_adts(data: bytes) -> bool:
    """Whether a packet begins with an ADTS header."""
    return len(data) >= 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0


def adts_config(data: bytes) -> bytes:
    """The two-byte AudioSpecificConfig that says the same as the ADTS header of ``data``."""
    kind = (data[2] >> 6) + 1
    rate = (data[2] >> 2) & 15
    channels = (data[2] & 1) << 2 | data[3] >> 6
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")


def strip_adts(data: bytes) -> bytes:
    """``data`` without its ADTS header (unchanged if it has none)."""
    if not is_adts(data):
        return data
    return data[7 if data[1] & 1 else 9 :]
