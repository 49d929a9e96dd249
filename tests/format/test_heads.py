"""Heads of layered files: what is written comes back, and what is damage."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered_files import BLOCKS, H
from tiny_files import make

from neurocodec.entropy.bits import svarint, varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.block import Block, Region
from neurocodec.format.block_parts import BlockParts
from neurocodec.format.checksums import Part
from neurocodec.format.chunks import HEAD_CHUNK, LAYER_CHUNK
from neurocodec.format.head import MAX_HEADS, MAX_HEADS_AT_ONCE, HeadPart, read_head, write_head
from neurocodec.format.header import MAX_DIMENSION
from neurocodec.format.layer import LayerPart, LayerPicture, write_layer

SQUARE = svarint(1) + svarint(-1) + varint(30)


def start_of(start: int, frames: int, flags: int = 0, head: int = 3) -> bytes:
    return varint(0) + varint(head) + bytes([flags]) + varint(start) + varint(frames)


regions = st.builds(Region, *[st.integers(-MAX_DIMENSION, MAX_DIMENSION)] * 2, st.integers(1, MAX_DIMENSION))


@st.composite
def parts(draw: Any) -> HeadPart:
    start, frames = draw(st.integers(0, 200)), draw(st.integers(1, 200))
    offsets = draw(st.sets(st.integers(start + 1, start + frames - 1))) if frames > 1 else set()
    squares = [(start, draw(regions))]
    for offset in sorted(offsets):
        square = draw(regions)
        squares += [(offset, square)] if square != squares[-1][1] else []
    return HeadPart(
        draw(st.integers(0, 63)), start, frames, tuple(squares), draw(st.binary(max_size=30)),
        draw(st.booleans()),
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(parts(), st.integers(0, 1 << 40))
def test_any_part_comes_back(part: HeadPart, first_frame: int) -> None:
    assert read_head(write_head(part, first_frame), part.stop) == part
    with pytest.raises(DamagedFileError):
        read_head(write_head(part, first_frame), part.stop - 1)
    square = part.squares[0][1]
    for offset in range(part.start, part.stop):
        square = dict(part.squares).get(offset, square)
        assert part.square_at(offset) == square


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", "past the end"),
        (start_of(0, 1, head=64) + SQUARE + b"\0", "over the limit"),
        (start_of(0, 0) + SQUARE + b"\0", "outside its block"),
        (start_of(5, 6) + SQUARE + b"\0", "outside its block"),
        (start_of(0, 11) + SQUARE + b"\0", "over the limit"),
        (start_of(0, 9) + svarint(32769) + svarint(0) + varint(30) + b"\0", "impossible"),
        (start_of(0, 9) + svarint(0) + svarint(-32769) + varint(30) + b"\0", "impossible"),
        (start_of(0, 9) + svarint(0) * 2 + varint(0) + b"\0", "impossible"),
        (start_of(0, 9) + svarint(0) * 2 + varint(32769) + b"\0", "impossible"),
        (start_of(0, 9) + SQUARE + b"\x09" + (b"\1" + svarint(1) * 3) * 9, "over the limit"),
        (start_of(1, 9) + SQUARE + b"\1\x09" + svarint(1) * 3, "over the limit"),
        (start_of(0, 9) + SQUARE + b"\2\5" + svarint(1) * 3 + b"\4" + svarint(1) * 3, "over the limit"),
        (start_of(0, 9) + SQUARE + b"\1\0" + svarint(1) * 3, "moves by nothing"),
        (start_of(0, 9) + SQUARE + b"\1\1" + svarint(0) * 3, "moves by nothing"),
        (start_of(0, 9) + SQUARE + b"\1\1" + svarint(0) * 2 + svarint(-30), "impossible"),
        (start_of(0, 9) + SQUARE + b"\1\1" + svarint(40000) + svarint(0) * 2, "impossible"),
        (start_of(0, 9) + SQUARE + b"\1\1" + svarint(1), "past the end"),
    ],
)
def test_impossible_heads(payload: bytes, error: str) -> None:
    with pytest.raises(DamagedFileError, match=error):
        read_head(payload, 10)


@pytest.mark.parametrize("flags", [2, 0x80, 0xFF])
def test_reserved_flags_are_unsupported(flags: int) -> None:
    with pytest.raises(UnsupportedError, match="head flags"):
        read_head(start_of(0, 9, flags) + SQUARE + b"\0", 10)


@pytest.mark.parametrize(
    "squares",
    [(), ((1, Region(0, 0, 9)),), ((0, Region(0, 0, 9)), (0, Region(1, 0, 9))),
     ((0, Region(0, 0, 9)), (3, Region(1, 0, 9)), (2, Region(2, 0, 9)))],
)  # fmt: skip
def test_squares_out_of_order_are_not_written(squares: Any) -> None:
    with pytest.raises(ValueError, match="in order"):
        write_head(HeadPart(0, 0, 5, squares, b""), 0)


def plain(number: int, start: int, frames: int) -> HeadPart:
    return HeadPart(number, start, frames, ((start, Region(0, 0, 9)),), b"")


def write(*parts: HeadPart) -> None:
    """Write an entry of 50 frames with these heads."""
    layer = LayerPart((LayerPicture(0, b"k"),), (8, 8))
    block = Block(0, make.pts(H, 0, 50), 0, (), (), b"", entry=True, layer=layer, heads=parts)
    make.file(H, [block])


def test_a_head_comes_in_order_and_does_not_overlap_itself() -> None:
    write(plain(1, 0, 5), plain(2, 3, 5), plain(1, 5, 5))
    for start in (0, 4):
        with pytest.raises(ValueError, match="out of order"):
            write(plain(1, 2, 3), plain(1, start, 1))


def test_heads_in_a_frame_and_in_a_block_are_bounded() -> None:
    write(*(plain(k, 0, 9) for k in range(MAX_HEADS_AT_ONCE)), plain(40, 9, 9))
    with pytest.raises(ValueError, match="too many heads"):
        write(*(plain(k, 0, 9) for k in range(MAX_HEADS_AT_ONCE)), plain(40, 8, 9))
    many = [plain(k, k // 8, 1) for k in range(MAX_HEADS)]
    write(*many)
    with pytest.raises(ValueError, match="too many heads"):
        write(*many, plain(1, 40, 1))


def test_without_the_layer_its_heads_are_lost() -> None:
    block = BLOCKS[0]
    parts = BlockParts(replace(block, layer=None, heads=()), H)
    late = LayerPart((LayerPicture(1, b"k"),), (16, 8))
    with pytest.raises(DamagedFileError, match="key picture"):  # an entry's begins at its first frame
        parts.add(LAYER_CHUNK, write_layer(late, 0))
    parts.add(HEAD_CHUNK, write_head(block.heads[0], 0))
    assert parts.whole() == replace(block, layer=None, heads=(), lost=frozenset({Part.LAYER, Part.HEADS}))
