"""The parts of a guarded block, each under a checksum of its own (``docs/format.md``, section 4.6).

A block's chunk has one CRC-32.  In version 4 of the format its parts have a CRC-16 each as well, so that
damage to one of them leaves the others: of a block whose CRC-32 is wrong, it can be told what is right.
"""

from __future__ import annotations

import binascii
from enum import Enum

from neurocodec.entropy.bits import ByteReader
from neurocodec.errors import DamagedFileError

CHECK_BYTES = 2


class Part(Enum):
    """What of a block can be lost without its head.

    Of a guarded block: landmarks and sound.  Of a block of a layered file: its layer, some or all of its
    heads, and, if it is guarded, its sound.
    """

    LANDMARKS = "landmarks"
    SOUND = "sound"
    LAYER = "layer"
    HEADS = "heads"


def crc16(data: bytes) -> bytes:
    """CRC-16/IBM-3740 (polynomial 0x1021, from 0xFFFF, not reflected), least significant byte first."""
    return binascii.crc_hqx(data, 0xFFFF).to_bytes(CHECK_BYTES, "little")


def check(source: ByteReader, start: int, part: str) -> None:
    """Read the checksum of all that was read since the place ``start``.

    Raises:
        DamagedFileError: it does not match; ``part`` names what is damaged.
    """
    expected = crc16(source.since(start))
    if source.take(CHECK_BYTES) != expected:
        raise DamagedFileError(f"the checksum of a block's {part} does not match")
