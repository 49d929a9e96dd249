"""Blocks: what no writer writes and no reader takes."""

import io
from dataclasses import replace
from typing import Any

import pytest
from any_files import HEADER, NEWER, SOUND, items, small_file, split, with_block

from neurocodec.entropy.bits import varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.block import Block, ReferenceFrame, Run, StillCodec
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.header import read_header, write_header
from neurocodec.format.writer import NfcWriter


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", "past the end"),
        (varint(0) + varint(5001), "over the limit"),
        (varint(0) + varint(1) + b"\0" + varint(0) * 4, "without a reference"),
        (varint(0) + varint(1) + b"\4" + varint(0) * 2, "cannot be"),
        (varint(0) + varint(1) + b"\0" + varint(1) + b"\1\1" + varint(0) * 2, "cannot be"),
        (varint(0) + varint(0) + b"\0" + varint(0) * 5, "longer"),
        (varint(0) + varint(2) + b"\1" + b"\0\x0b" + b"\xe0" + bytes(10), "impossible|belong"),
        (varint(0) + varint(0) + b"\1", "without frames"),
        (varint(0) + varint(0) + b"\2" + varint(0) * 4, "does not describe"),
        (varint(0) + varint(2) + b"\1" + b"\0\5" + b"\xff" * 5, "belong to nothing"),
        (varint(0) + varint(1) + b"\1" + varint(0) + varint(1) + b"\0", "belong to nothing"),
        (varint(0) + varint(1) + b"\0" + varint(0) + b"\0\1" + varint(1), "outside its block"),
        (varint(0) + varint(2) + b"\1" + b"\0\3" + b"\x9f\xff\xff", "impossible|too early|belong|over"),
    ],
)
def test_impossible_blocks(payload: bytes, error: str) -> None:
    with pytest.raises(DamagedFileError, match=error):
        read_block(payload, HEADER)
    found, losses = split(items(with_block(payload)))
    assert not found and len(losses) == 2


KEY = varint(1) + b"\0" + varint(8 + 2) + b"k"
"""A count of one reference: an AV1 key picture of one byte at offset 0."""


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"\4\4" + varint(0) + varint(1) * 2, "over the limit"),
        (b"\4\4" + varint(9) + varint(0) + varint(0) * 2, "cannot be"),
        (b"\4\4" + varint(9) + varint(10), "over the limit"),
        (b"\4\4" + varint(2000) + varint(1025), "over the limit"),
        (b"\4\4" + varint(9) + varint(2) + varint(2), "over the limit"),
        (b"\4\4" + varint(99) + varint(70) + varint(64), "over the limit"),
        (b"\4\0" + varint(0) * 2 + varint(0), "without a reference"),
        (b"\4\0" + varint(0) + varint(1) + b"\2" + varint(10) + b"k" + varint(0), "without a reference"),
        (b"\4\0" + varint(0) + varint(1) + b"\x08" + varint(10) + b"k", "outside its block"),
        (b"\4\0" + varint(0) + varint(1) + b"\1" + varint(10) + b"k", "outside its block"),
        (b"\4\0" + varint(0) + varint(2) + 2 * (b"\0" + varint(10) + b"k"), "where another one is"),
        (b"\4\0" + varint(0) + varint(5), "over the limit"),
        (b"\4\0" + varint(0) + varint(1) + b"\0" + varint(14) + b"k", "depends on one that is not there"),
        (b"\4\4" + varint(1) + varint(1) + b"\0" + varint(1) + b"\0" + varint(12), "depends on one"),
        (b"\4\x08" + varint(0) + KEY + varint(0), "do not cover"),
        (b"\4\x08" + varint(0) + KEY + varint(1) + varint(0) * 3, "empty, or names a reference twice"),
        (
            b"\4\x08" + varint(0) + KEY + varint(1) + varint(3) + varint(0) + varint(1),
            "names a reference twice",
        ),
        (b"\4\x08" + varint(0) + KEY + varint(1) + varint(3) + varint(1) + varint(0), "over the limit"),
        (b"\4\x08" + varint(0) + KEY + varint(1) + varint(3) + varint(0) + varint(2), "over the limit"),
        (b"\4\x08" + varint(0) + KEY + varint(1) + varint(4) + varint(0) * 2, "over the limit"),
        (b"\4\x08" + varint(0) + varint(0) + varint(1) + varint(4) + varint(0) * 2, "runs but no reference"),
        (b"\4\x18" + varint(9) + varint(0) + varint(0) * 2, "runs but no reference"),
    ],
)
def test_impossible_blocks_of_version_2(payload: bytes, error: str) -> None:
    payload = varint(0) + payload
    with pytest.raises(DamagedFileError, match=error):
        read_block(payload, NEWER)
    found, losses = split(items(with_block(payload, NEWER)))
    assert not found and len(losses) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"needed": (3,)}, {"needed": (2, 4)}, {"current": 2}, {"runs": ()}, {"runs": (Run(3, 5),)},
        {"runs": (Run(4, 5, 5),)}, {"runs": (Run(4, 6),)}, {"needed": (), "runs": (Run(4, 4),)},
    ],
)  # fmt: skip
def test_the_writer_refuses_blocks_that_say_something_else_when_read(change: dict[str, Any]) -> None:
    stills = (ReferenceFrame(2, StillCodec.AV1, b"x"),)
    pts = tuple(NEWER.regular_pts(i) for i in range(5))
    block = Block(0, pts, 5, (3, 4), stills, b"")
    assert read_block(write_block(block, NEWER), NEWER) == block
    writer = NfcWriter(io.BytesIO(), NEWER)
    writer._order._reference = 5
    with pytest.raises(ValueError, match=r"rule|needs|varint"):
        writer.write_block(replace(block, **change))


@pytest.mark.parametrize(
    "change", [{"pairs": True}, {"golomb": True}, {"runs": ()}, {"needed": (0,), "current": 1}]
)
def test_version_1_has_no_room_for_what_is_new(change: dict[str, Any]) -> None:
    pts = tuple(HEADER.regular_pts(i) for i in range(2))
    block = Block(0, pts, 2, (0, 1), (ReferenceFrame(1, StillCodec.AV1, b"x"),), b"")
    assert read_block(write_block(block, HEADER), HEADER) == block
    with pytest.raises(ValueError, match=r"version 2|current"):
        write_block(replace(block, **change), HEADER)


@pytest.mark.parametrize("flag", [0x08, 0x10, 0x20, 0x40])
def test_flags_of_version_2_are_refused_in_version_1(flag: int) -> None:
    payload = varint(0) * 2 + bytes([flag]) + varint(0) * 4
    with pytest.raises(UnsupportedError, match="flags"):
        read_block(payload, HEADER)


def test_every_run_is_of_usable_references() -> None:
    """Of those before the block, the last 64."""
    pts = tuple(NEWER.regular_pts(i) for i in range(3))
    for number, fits in ((36, True), (35, False)):
        block = Block(0, pts, 100, tuple(range(20, 100)), (), b"", runs=(Run(3, number),))
        if fits:
            assert read_block(write_block(block, NEWER), NEWER) == block
        else:
            with pytest.raises(DamagedFileError, match="over the limit"):
                read_block(write_block(block, NEWER), NEWER)


def test_features_of_the_future_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="flags"):
        items(with_block(varint(0) + varint(0) + b"\x08"))
    with pytest.raises(UnsupportedError, match="reference codec 3"):
        items(with_block(varint(0) + varint(1) + b"\0" + varint(0) * 2 + varint(1) + b"\0\3"))
    good = bytearray(write_header(HEADER))
    with pytest.raises(UnsupportedError, match="flags"):
        read_header(bytes([good[0] | 0x80, *good[1:]]))
    with pytest.raises(UnsupportedError, match="landmark code 9"):
        read_header(bytes([*good[:-1], 9]))


def test_the_writer_refuses_wrong_blocks() -> None:
    blocks = small_file()[1]
    writer = NfcWriter(io.BytesIO(), replace(HEADER, audio=SOUND))
    with pytest.raises(ValueError, match="follow"):
        writer.write_block(blocks[1])
    with pytest.raises(ValueError, match="without a reference"):
        writer.write_block(replace(blocks[0], references=()))
    with pytest.raises(ValueError, match="impossible"):
        writer.write_block(replace(blocks[0], pts=blocks[0].pts[::-1]))
    writer.write_block(blocks[0])
    with pytest.raises(ValueError, match="follow"):
        writer.write_block(blocks[0])
