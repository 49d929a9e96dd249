"""Mutations that know the format: chunks are cut apart, changed, mostly with a checksum that fits again."""

from __future__ import annotations

import random
import zlib

MOST = 1 << 16
"""Bytes of an input."""
_NUMBERS = (0, 1, 127, 128, 255, 5000, 5001, 1 << 14, 1 << 24, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """A few changes that know nothing: bits, bytes, pieces doubled, dropped, swapped, odd numbers put in."""
    out = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(out) + 1)
        kind, size = rng.randrange(7), rng.choice((1, 1, 2, 4, 16, 64))
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = rng.randrange(256)
        elif kind == 2:
            del out[at : at + size]
        elif kind == 3:
            out[at:at] = out[at : at + size]
        elif kind == 4:
            out[at:at] = rng.randbytes(size)
        elif kind == 5:
            out[at : at + rng.randrange(3)] = varint(rng.choice(_NUMBERS))
        else:
            other = rng.randrange(len(out) + 1)
            out[at : at + size] = out[other : other + size]
        out = out or bytearray(b"\0")
    return bytes(out[:MOST])


def chunks_of(data: bytes) -> list[tuple[int, bytes]]:
    """Types and payloads of the chunks after signature and version, as far as they are whole."""
    found, at = [], 5
    while at + 6 <= len(data):
        size = shift = 0
        place = at + 1
        while place < len(data) and shift < 35:
            size |= (data[place] & 127) << shift
            shift += 7
            place += 1
            if data[place - 1] < 128:
                break
        if place + size + 4 > len(data):
            break
        found.append((data[at], data[place : place + size]))
        at = place + size + 4
    return found


def chunk(kind: int, payload: bytes) -> bytes:
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def file_changed(data: bytes, rng: random.Random) -> bytes:
    """A file with chunks changed, doubled, dropped, swapped; mostly checksums and the index's place fit."""
    parts = [(kind, payload, chunk(kind, payload)[-4:]) for kind, payload in chunks_of(data)]
    damaged = rng.random() < 0.3
    if not parts or rng.random() < 0.15:
        return bytes_changed(data, rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        k = rng.randrange(len(parts))
        kind, payload, checksum = parts[k]
        choice = rng.randrange(8)
        if choice < 5:
            payload = bytes_changed(payload, rng)
            parts[k] = kind, payload, checksum if damaged else chunk(kind, payload)[-4:]
        elif choice == 5:
            parts.insert(k, parts[rng.randrange(len(parts))])
        elif choice == 6 and len(parts) > 1:
            del parts[k]
        else:
            kind = rng.choice((0xF1, 0xF2, 0xF3, 0xE0, 0xEF, 0xF4, 0xF5, 0))
            parts[k] = kind, payload, chunk(kind, payload)[-4:]
    written = [chunk(kind, payload)[:-4] + checksum for kind, payload, checksum in parts]
    tail = len(written[-1]).to_bytes(3, "little") if rng.random() < 0.9 else rng.randbytes(3)
    return (data[:5] + b"".join(written) + tail)[:MOST]


def changed(target: str, data: bytes, rng: random.Random) -> bytes:
    """An input for a target, made of one of its seeds."""
    return (file_changed if target in ("container", "frames") else bytes_changed)(data, rng)
