"""A head of a block of a layered file: a face in a square that moves (``docs/format.md``, 4.9)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from neurocodec.entropy.bits import ByteReader, svarint, varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.block import MAX_COUNT, MAX_FRAMES, Region
from neurocodec.format.header import MAX_DIMENSION

MAX_HEADS = 64
"""Head chunks in a block; heads have numbers below it."""
MAX_HEADS_AT_ONCE = 16
"""Heads in a frame."""
_GOLOMB = 1


@dataclass(frozen=True)
class HeadPart:
    """Some frames of a head in a block.

    ``head`` is its number, ``start`` the offset in the block of its first frame.  ``squares`` are pairs: the
    offset in the block from which on it is in a square, and that square, in pixels of the upright picture; it
    may reach outside, so that x and y may be negative.  The first offset is ``start``.  ``landmarks`` are
    packets of those frames that show no picture of the layer; with ``golomb`` they are in that code, whatever
    the header says.
    """

    head: int
    start: int
    frames: int
    squares: tuple[tuple[int, Region], ...]
    landmarks: bytes
    golomb: bool = False

    @property
    def stop(self) -> int:
        """The offset in the block behind its last frame."""
        return self.start + self.frames

    def square_at(self, offset: int) -> Region:
        """The square at an offset in the block."""
        return self.squares[bisect_right(self.squares, offset, key=lambda pair: pair[0]) - 1][1]


def write_head(part: HeadPart, first_frame: int) -> bytes:
    """Payload of the chunk of a head of the block that begins with frame ``first_frame``.

    Raises:
        ValueError: the first square is not that of the first frame, or they are not in order.
    """
    offsets = [offset for offset, _ in part.squares]
    if offsets[:1] != [part.start] or any(b <= a for a, b in pairwise(offsets)):
        raise ValueError("the squares of a head are not in order, from its first frame on")
    first = part.squares[0][1]
    out = bytearray(varint(first_frame) + varint(part.head))
    out.append(_GOLOMB if part.golomb else 0)
    out += varint(part.start) + varint(part.frames)
    out += svarint(first.x) + svarint(first.y) + varint(first.side)
    out += varint(len(part.squares) - 1)
    for (before, a), (offset, b) in pairwise(part.squares):
        out += varint(offset - before) + svarint(b.x - a.x) + svarint(b.y - a.y) + svarint(b.side - a.side)
    return bytes(out) + part.landmarks


def _checked(square: Region) -> Region:
    if max(abs(square.x), abs(square.y), square.side) > MAX_DIMENSION or square.side < 1:
        raise DamagedFileError("the square of a head is impossible")
    return square


def _read_squares(source: ByteReader, start: int, frames: int) -> tuple[tuple[int, Region], ...]:
    square = _checked(Region(source.svarint(), source.svarint(), source.varint()))
    squares, offset = [(start, square)], start
    for _ in range(source.varint(frames - 1)):
        delta = source.varint(start + frames - 1 - offset)
        x, y, side = source.svarint(), source.svarint(), source.svarint()
        if not delta or not (x or y or side):
            raise DamagedFileError("the square of a head moves by nothing, or twice at once")
        offset += delta
        square = _checked(Region(square.x + x, square.y + y, square.side + side))
        squares.append((offset, square))
    return tuple(squares)


def read_head(payload: bytes, frames: int = MAX_FRAMES) -> HeadPart:
    """Inverse of :func:`write_head`, for a block of so many ``frames``; packets stay bit-packed.

    Raises:
        DamagedFileError: for truncated fields and impossible values.
        UnsupportedError: for flags this version does not know.
    """
    source = ByteReader(payload)
    source.varint(MAX_COUNT)
    head, flags = source.varint(MAX_HEADS - 1), source.byte()
    if flags & ~_GOLOMB:
        raise UnsupportedError("the file uses a feature this version does not know (head flags)")
    start, count = source.varint(frames), source.varint(frames)
    if not count or start + count > frames:
        raise DamagedFileError("the frames of a head lie outside its block")
    squares = _read_squares(source, start, count)
    return HeadPart(head, start, count, squares, source.take(source.remaining), bool(flags))
