"""A head of a block of a layered file: a face in a square that moves (``docs/format.md``, 4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from neurocodec.entropy.bits import BitReader, BitWriter, ByteReader, svarint, varint
from neurocodec.entropy.golomb import AdaptiveGolomb
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import MAX_COUNT, MAX_FRAMES, Block, Flag, Region
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.header import MAX_DIMENSION, Fit, Header

MAX_HEADS = 64
"""Head chunks in a block; heads have numbers below it."""
MIN_REFERENCE_SIZE, MAX_REFERENCE_SIZE, REFERENCE_STEP = 64, 1024, 8
"""Pixels of a side of a head's coded references."""
_COARSE = 1000


@dataclass(frozen=True)
class HeadPart:
    """Some frames of a head in a block.

    ``head`` is its number, ``start`` the place in the block of its first frame, ``reference_size`` the side
    of its coded references in pixels.  ``squares`` has one square for each frame, in pixels of the upright
    picture; it may reach outside it, so that x and y may be negative.  ``block`` holds references and
    landmarks; its frames are those of the head, counted from 0 in the file, and its pts are their numbers.
    """

    head: int
    start: int
    reference_size: int
    squares: tuple[Region, ...]
    block: Block


def head_header(header: Header) -> Header:
    """The header by which :attr:`HeadPart.block` is written and read."""
    return replace(
        header, layered=False, fit=Fit.LETTERBOX, width=header.model_size, height=header.model_size,
        sar=Fraction(1), audio=None, start=0, fps=Fraction(_COARSE), time_base=Fraction(1, _COARSE),
        extensions=(),
    )  # fmt: skip


def write_head(part: HeadPart, header: Header, first_frame: int) -> bytes:
    """Payload of the chunk of a head of the block that begins with frame ``first_frame``.

    Raises:
        ValueError: squares and frames differ in number, or the block cannot be written.
    """
    if len(part.squares) != len(part.block.pts) or not part.squares:
        raise ValueError("a head needs one square for each frame, and a frame")
    first = part.squares[0]
    moves = _moves(part.squares)
    return b"".join(
        [
            varint(first_frame) + varint(part.head) + varint(part.start) + varint(part.reference_size),
            svarint(first.x) + svarint(first.y) + varint(first.side),
            varint(len(moves)) + moves,
            write_block(part.block, head_header(header)),
        ]
    )


def _moves(squares: Sequence[Region]) -> bytes:
    """Changes from square to square; nothing if there are none."""
    changes: list[int] = []
    for a, b in pairwise(squares):
        changes += (b.x - a.x, b.y - a.y, b.side - a.side)
    if not any(changes):
        return b""
    bits = BitWriter()
    AdaptiveGolomb().write(bits, changes)
    return bits.getvalue()


def _read_squares(first: Region, moves: bytes, count: int) -> tuple[Region, ...]:
    if not moves:
        return (first,) * count
    bits = BitReader(moves)
    changes = iter(AdaptiveGolomb().read(bits, 3 * (count - 1)))
    bits.finish("the squares of a head")
    squares = [first]
    for dx, dy, more in zip(changes, changes, changes, strict=True):
        if not (dx or dy or more):
            squares.append(squares[-1])
            continue
        square = Region(squares[-1].x + dx, squares[-1].y + dy, squares[-1].side + more)
        if max(abs(square.x), abs(square.y), square.side) > MAX_DIMENSION or square.side < 1:
            raise DamagedFileError("the square of a head is impossible")
        squares.append(square)
    return tuple(squares)


def read_head(payload: bytes, header: Header, frames: int = MAX_FRAMES) -> HeadPart:
    """Inverse of :func:`write_head`, for a block of so many ``frames``.

    Raises:
        DamagedFileError: for truncated fields and impossible values.
        UnsupportedError: for flags or a reference codec this version does not know.
    """
    source = ByteReader(payload)
    source.varint(MAX_COUNT)
    head, start = source.varint(MAX_HEADS - 1), source.varint(frames)
    size = source.varint(MAX_REFERENCE_SIZE)
    if size < MIN_REFERENCE_SIZE or size % REFERENCE_STEP:
        raise DamagedFileError("the size of a head's references is impossible")
    first = Region(source.svarint(MAX_DIMENSION), source.svarint(MAX_DIMENSION), source.varint(MAX_DIMENSION))
    if not first.side:
        raise DamagedFileError("the square of a head is empty")
    moves = source.take(source.varint())
    rest = source.take(source.remaining)
    outline = ByteReader(rest)
    outline.varint(MAX_COUNT)
    count = outline.varint(MAX_FRAMES)
    if not count or start + count > frames:
        raise DamagedFileError("the frames of a head lie outside its block")
    if outline.byte() & Flag.IRREGULAR:
        raise DamagedFileError("the frames of a head have times of their own")
    block = read_block(rest, head_header(header))
    return HeadPart(head, start, size, _read_squares(first, moves, count), block)
