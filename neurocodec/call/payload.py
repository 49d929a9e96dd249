"""What is in the packets of a call: landmarks of frames, fragments of references, and receiver reports.

A landmark entry can be decoded without any packet but those it names: the reference it is relative to, and a
frame that the receiver has acknowledged, from which it is predicted (none: zeros).  Each entry is coded by
the range coder of files, with its contexts in their initial state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from neurocodec.entropy.bits import ByteReader, varint
from neurocodec.entropy.contexts import RangeCode
from neurocodec.entropy.range_coder import RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.limits import MAX_QUANTIZATION
from neurocodec.keypoints.quantization import Symbols

LARGEST_CHANGE = 1 << 24
_MOST_FRAGMENTS, _MOST_ENTRIES, _MOST_MISSING = 4096, 64, 64
_COUNT = 1 << 32


def _varints(numbers: Iterable[int]) -> bytes:
    return b"".join(varint(n) for n in numbers)


@dataclass(frozen=True)
class FrameSymbols:
    """A frame's symbols (M,), of ``quantization`` steps per unit, relative to a reference."""

    reference: int
    quantization: int
    symbols: Symbols


@dataclass(frozen=True)
class LandmarkEntry:
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
    RangeCode(len(symbols), LARGEST_CHANGE).write(out, changes.tolist())
    return out.getvalue()


def decode_symbols(data: bytes, base: Symbols | None, count: int) -> Symbols:
    """Inverse of :func:`code_symbols`.

    Raises:
        DamagedFileError: it cannot be.
    """
    source = RangeDecoder(data)
    changes: Symbols = np.array(RangeCode(count, LARGEST_CHANGE).read(source), np.int32)
    source.finish("landmarks")
    return changes if base is None else changes + base


def pack_entries(entries: Iterable[LandmarkEntry]) -> bytes:
    """The payload of a landmark packet."""
    out = b""
    for e in entries:
        back = 0 if e.base is None else e.frame - e.base
        out += _varints((e.frame, e.reference, back, e.quantization, len(e.data))) + e.data
    return out


def unpack_entries(payload: bytes) -> list[LandmarkEntry]:
    """Inverse of :func:`pack_entries`.

    Raises:
        DamagedFileError: a field is impossible.
    """
    source = ByteReader(payload)
    out: list[LandmarkEntry] = []
    while source.remaining:
        if len(out) == _MOST_ENTRIES:
            raise DamagedFileError("a packet has too many frames")
        frame, reference, back = (source.varint(_COUNT) for _ in range(3))
        quantization = source.varint(MAX_QUANTIZATION)
        if back > frame or not quantization:
            raise DamagedFileError("a packet's prediction is impossible")
        data = source.take(source.varint(len(payload)))
        out.append(LandmarkEntry(frame, reference, frame - back if back else None, quantization, data))
    return out


@dataclass(frozen=True)
class ReferenceFragment:
    """Part ``index`` of ``count`` of a reference, which shows ``frame``."""

    reference: int
    frame: int
    index: int
    count: int
    data: bytes

    def pack(self) -> bytes:
        """The payload of a reference packet."""
        return _varints((self.reference, self.frame, self.index, self.count)) + self.data

    @staticmethod
    def unpack(payload: bytes) -> ReferenceFragment:
        """Inverse of :meth:`pack`.

        Raises:
            DamagedFileError: a field is impossible.
        """
        source = ByteReader(payload)
        reference, frame = source.varint(_COUNT), source.varint(_COUNT)
        index, count = source.varint(_MOST_FRAGMENTS), source.varint(_MOST_FRAGMENTS)
        if index >= count:
            raise DamagedFileError("a fragment's number is impossible")
        return ReferenceFragment(reference, frame, index, count, source.take(source.remaining))


@dataclass(frozen=True)
class ReceiverReport:
    """What a receiver tells: all numbers are totals or the newest, so that a lost report does no harm.

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
    missing: tuple[tuple[int, int], ...] = ()

    def pack(self) -> bytes:
        """The payload of a report packet."""
        newest = [0 if v is None else v + 1 for v in (self.reference, self.frame)]
        missing = [v for pair in self.missing for v in pair]
        return _varints(
            (
                self.expected, self.received, self.octets, max(0, round(1000 * self.delay)), *newest,
                int(self.refresh), len(self.missing), *missing,
            )
        )  # fmt: skip

    @staticmethod
    def unpack(payload: bytes) -> ReceiverReport:
        """Inverse of :meth:`pack`.

        Raises:
            DamagedFileError: a field is impossible.
        """
        source = ByteReader(payload)
        expected, received, octets, delay = (source.varint() for _ in range(4))
        reference, frame = (source.varint(_COUNT) - 1 for _ in range(2))
        refresh = bool(source.varint(1))
        count = source.varint(_MOST_MISSING)
        missing = tuple((source.varint(_COUNT), source.varint(_MOST_FRAGMENTS)) for _ in range(count))
        return ReceiverReport(
            expected, received, octets, delay / 1000, None if reference < 0 else reference,
            None if frame < 0 else frame, refresh, missing,
        )  # fmt: skip
