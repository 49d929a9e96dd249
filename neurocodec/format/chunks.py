"""Chunks: type, length, payload, CRC-32.  Normative text: ``docs/format.md``."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from neurocodec.entropy.bits import ByteReader, varint
from neurocodec.errors import DamagedFileError

SIGNATURE = b"NFC\x1a"
VERSION = 5
"""The newest version of the format; :data:`VERSIONS` are read."""
VERSIONS = (1, 2, 3, 4, 5)
HEADER_CHUNK, BLOCK_CHUNK, INDEX_CHUNK = 0xF1, 0xF2, 0xF3
LAYER_CHUNK, HEAD_CHUNK = 0xF4, 0xF5
"""Parts of the block before them; only in layered files."""
OPTIONAL_CHUNKS = range(0xE0, 0xF0)
DESCRIPTION_CHUNK = 0xE0
"""The optional chunk that may stand right behind the header; elsewhere it means nothing."""
MAX_CHUNK = 1 << 26
MAX_HEADER = 1 << 21
MAX_INDEX = 1 << 20
"""A longer index is left out: an empty one stands in its place."""
TRAILER_BYTES = 3
_KNOWN = (HEADER_CHUNK, BLOCK_CHUNK, INDEX_CHUNK, *OPTIONAL_CHUNKS)
SMALLEST_CHUNK = 6
LARGEST_HEAD = 10
CUT_OFF = "the file ends inside a chunk"
CORRECTABLE = 4096
"""Bytes of a header chunk in which one flipped bit is looked for (a CRC-32 tells all pairs apart there)."""
_LIMITS = {HEADER_CHUNK: MAX_HEADER, INDEX_CHUNK: MAX_INDEX}


def chunk(kind: int, payload: bytes) -> bytes:
    """Type byte, length, payload, CRC-32 (ISO 3309, as zlib's) of all three, little-endian."""
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where a block lies (optional chunks may come before it) and what it holds."""

    offset: int
    first_frame: int
    frames: int
    first_reference: int
    references: int
    pts: int


def outline_chunk(head: bytes, largest: int = MAX_CHUNK, layered: bool = False) -> tuple[int, int, int] | str:
    """Type, payload's place and total length of the chunk that may begin with ``head``, or why there is none.

    ``largest`` is the most bytes a block's or an optional chunk's payload may have.  Only
    ``layered`` files have layer and head chunks.
    """
    if len(head) < SMALLEST_CHUNK:
        return CUT_OFF
    kind = head[0]
    if kind not in _KNOWN and not (layered and kind in (LAYER_CHUNK, HEAD_CHUNK)):
        return f"byte {kind:#04x} is no chunk type"
    reader = ByteReader(head[1:])
    try:
        size = reader.varint(_LIMITS.get(kind, largest))
    except DamagedFileError as error:
        return str(error)
    return kind, 1 + reader.position, 1 + reader.position + size + 4


def with_bit_put_right(data: bytes) -> tuple[bytes, int] | None:
    """The header chunk that ``data`` begin with but for one bit, and that bit's byte; None if none or many.

    A CRC-32 has a Hamming distance of 4 up to 91607 bits (Koopman, DSN 2002): no two bits look like one.
    """
    found: list[tuple[bytes, int]] = []
    trial = bytearray(data[:CORRECTABLE])
    plain = outline_chunk(data[:LARGEST_HEAD])
    end = LARGEST_HEAD if isinstance(plain, str) else max(LARGEST_HEAD, plain[2])
    for bit in range(8 * min(end, len(trial))):
        trial[bit >> 3] ^= 1 << (bit & 7)
        shape = plain if bit >> 3 >= LARGEST_HEAD else outline_chunk(bytes(trial[:LARGEST_HEAD]))
        if not isinstance(shape, str) and shape[0] == HEADER_CHUNK and bit >> 3 < shape[2] <= len(trial):
            body, checksum = trial[: shape[2] - 4], trial[shape[2] - 4 : shape[2]]
            if zlib.crc32(body) == int.from_bytes(checksum, "little"):
                found.append((bytes(trial[: shape[2]]), bit >> 3))
        trial[bit >> 3] ^= 1 << (bit & 7)
    return found[0] if len(found) == 1 else None
