"""What is in the packets of a call: landmarks of frames, fragments of references, and feedback.

A landmark entry can be decoded without any packet but those it names: the reference it is relative to, and a
frame that the receiver has acknowledged, from which it is predicted (none: zeros).  Each entry is coded by
the range coder of files, with its contexts in their initial state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocodec.entropy.bits import ByteReader, varint
from neurocodec.entropy.contexts import RangeCode
from neurocodec.entropy.range_coder import RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.limits import MAX_QUANTIZATION
from neurocodec.keypoints.quantization import Symbols

LIMIT = 1 << 24
_MOST_FRAGMENTS, _MOST_ENTRIES, _MOST_NACKS = 4096, 64, 64
_COUNT = 1 << 32


@dataclass(frozen=True)
class Entry:
    """A frame's landmarks: relative to ``reference``, predicted from frame ``base`` (None: zeros)."""

    frame: int
    reference: int
    base: int | None
    quantization: int
    data: bytes


def code_symbols(symbols: Symbols, base: Symbols | None) -> bytes:
    """A frame's symbols (M,), as changes from those of another frame."""
    changes = symbols if base is None else symbols - base
    out = RangeEncoder()
    RangeCode(len(symbols), LIMIT).write(out, changes.tolist())
    return out.getvalue()


def decode_symbols(data: bytes, base: Symbols | None, count: int) -> Symbols:
    """Inverse of :func:`code_symbols`.

    Raises:
        DamagedFileError: it cannot be.
    """
    source = RangeDecoder(data)
    changes: NDArray[np.int32] = np.array(RangeCode(count, LIMIT).read(source), np.int32)
    source.finish("landmarks")
    return changes if base is None else changes + base


def pack_entries(entries: list[Entry]) -> bytes:
    """The payload of a landmark packet."""
    out = bytearray()
    for e in entries:
        back = 0 if e.base is None else e.frame - e.base
        out += varint(e.frame) + varint(e.reference) + varint(back) + varint(e.quantization)
        out += varint(len(e.data)) + e.data
    return bytes(out)


def unpack_entries(payload: bytes) -> list[Entry]:
    """Inverse of :func:`pack_entries`.

    Raises:
        DamagedFileError: a field is impossible.
    """
    source = ByteReader(payload)
    out: list[Entry] = []
    while source.remaining:
        if len(out) == _MOST_ENTRIES:
            raise DamagedFileError("a packet has too many frames")
        frame, reference, back = (source.varint(_COUNT) for _ in range(3))
        quantization = source.varint(MAX_QUANTIZATION)
        if back > frame or not quantization:
            raise DamagedFileError("a packet's prediction is impossible")
        data = source.take(source.varint(len(payload)))
        out.append(Entry(frame, reference, frame - back if back else None, quantization, data))
    return out


@dataclass(frozen=True)
class Fragment:
    """Part ``index`` of ``count`` of a reference, which shows ``frame``."""

    reference: int
    frame: int
    index: int
    count: int
    data: bytes

    def pack(self) -> bytes:
        """The payload of a reference packet."""
        numbers = (self.reference, self.frame, self.index, self.count)
        return b"".join(varint(v) for v in numbers) + self.data

    @staticmethod
    def unpack(payload: bytes) -> Fragment:
        """Inverse of :meth:`pack`.

        Raises:
            DamagedFileError: a field is impossible.
        """
        source = ByteReader(payload)
        reference, frame = source.varint(_COUNT), source.varint(_COUNT)
        index, count = source.varint(_MOST_FRAGMENTS), source.varint(_MOST_FRAGMENTS)
        if index >= count:
            raise DamagedFileError("a fragment's number is impossible")
        return Fragment(reference, frame, index, count, source.take(source.remaining))


@dataclass(frozen=True)
class Feedback:
    """What a receiver tells: all numbers are totals or the newest, so that lost feedback does no harm.

    ``expected`` and ``received`` packets, ``octets`` received, ``delay`` the queueing seen lately (seconds),
    ``reference`` and ``frame`` the newest that were decoded (None: none yet), ``refresh``: a new reference is
    asked for, ``missing`` fragments as (reference, index).
    """

    expected: int
    received: int
    octets: int
    delay: float
    reference: int | None
    frame: int | None
    refresh: bool
    missing: tuple[tuple[int, int], ...] = field(default=())

    def pack(self) -> bytes:
        """The payload of a feedback packet."""
        numbers = [self.expected, self.received, self.octets, max(0, round(1000 * self.delay))]
        numbers += [0 if v is None else v + 1 for v in (self.reference, self.frame)]
        numbers += [int(self.refresh), len(self.missing)]
        numbers += [v for pair in self.missing for v in pair]
        return b"".join(varint(v) for v in numbers)

    @staticmethod
    def unpack(payload: bytes) -> Feedback:
        """Inverse of :meth:`pack`.

        Raises:
            DamagedFileError: a field is impossible.
        """
        source = ByteReader(payload)
        expected, received, octets, delay = (source.varint() for _ in range(4))
        newest = [source.varint(_COUNT) for _ in range(2)]
        refresh = bool(source.varint(1))
        count = source.varint(_MOST_NACKS)
        missing = tuple((source.varint(_COUNT), source.varint(_MOST_FRAGMENTS)) for _ in range(count))
        reference, frame = (None if v == 0 else v - 1 for v in newest)
        return Feedback(expected, received, octets, delay / 1000, reference, frame, refresh, missing)
