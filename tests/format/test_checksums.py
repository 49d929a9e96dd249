"""Version 4: damage to one part of a block leaves the others."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import tiny_files
from guarded_files import BLOCKS, SILENT, SILENT_HEADER, WHOLE, H, flipped, left_of, parts_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_files import make

from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format.block import Block, ReferenceFrame, StillCodec
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.checksums import Part, crc16
from neurocodec.format.chunks import BLOCK_CHUNK
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.check import check_whole
from neurocodec.keypoints.packets import parse_frames

START = tiny_files.places(WHOLE)[0]
quick = settings(max_examples=50, deadline=None)


def test_the_checksum() -> None:
    assert crc16(b"123456789") == bytes.fromhex("b129")


def test_a_guarded_block_costs_nothing_without_sound_and_six_bytes_with() -> None:
    for k in range(6):
        plain, silent = replace(BLOCKS[k], guarded=False), replace(BLOCKS[k], audio=())
        assert len(write_block(BLOCKS[k], H)) == len(write_block(plain, H)) + 6
        old = write_block(replace(silent, guarded=False), H)
        assert len(write_block(silent, H)) - len(old) in (0, 1)
        assert read_block(write_block(silent, H), H) == silent


def test_older_versions_have_no_guarded_blocks() -> None:
    with pytest.raises(ValueError, match="version 4"):
        write_block(BLOCKS[0], tiny_files.header(version=2))
    with pytest.raises(ValueError, match="lost a part"):
        write_block(replace(BLOCKS[0], lost=frozenset([Part.SOUND])), H)
    with pytest.raises(NeurocodecError, match="block flags"):
        read_block(write_block(BLOCKS[0], H), tiny_files.header(version=3))


@pytest.mark.parametrize("part", ["head", "landmarks", "sound"])
def test_a_wrong_checksum_of_a_part_is_damage_of_the_block_even_if_that_of_the_chunk_is_right(
    part: str,
) -> None:
    payload = bytearray(write_block(BLOCKS[1], H))
    place = parts_of(WHOLE, 1)[part].stop - 1 - parts_of(WHOLE, 1)["head"].start
    payload[place] ^= 1
    with pytest.raises(DamagedFileError, match=f"checksum of a block's {part}"):
        read_block(bytes(payload), H)


@quick
@given(st.integers(0, 5), st.data())
def test_a_flipped_bit_in_landmarks_leaves_references_and_sound(k: int, data: st.DataObject) -> None:
    for whole, sounds in ((WHOLE, True), (SILENT, False)):
        blocks = [b if sounds else replace(b, audio=()) for b in BLOCKS]
        place = parts_of(whole, k, blocks)["landmarks"]
        bad = flipped(whole, data.draw(st.integers(8 * place.start, 8 * place.stop - 1)))
        found, losses = left_of(bad)
        assert found == [
            replace(b, landmarks=b"", lost=frozenset([Part.LANDMARKS])) if i == k else b
            for i, b in enumerate(blocks)
        ]
        assert [loss.reason for loss in losses] == ["the landmarks of a block"]
        with pytest.raises(DamagedFileError):
            parse_frames(found[k], H)
        with pytest.raises(DamagedFileError):
            check_whole(NfcReader(io.BytesIO(bad)))


@quick
@given(st.integers(0, 5), st.data())
def test_a_flipped_bit_in_sound_leaves_pictures(k: int, data: st.DataObject) -> None:
    place = parts_of(WHOLE, k)["sound"]
    found, losses = left_of(flipped(WHOLE, data.draw(st.integers(8 * place.start, 8 * place.stop - 1))))
    lost = frozenset([Part.SOUND])
    assert found == [replace(b, audio=(), lost=lost) if i == k else b for i, b in enumerate(BLOCKS)]
    assert [loss.reason for loss in losses] == ["the sound of a block"]


@quick
@given(st.integers(0, 5), st.data())
def test_a_flipped_bit_in_the_head_costs_the_block(k: int, data: st.DataObject) -> None:
    place = parts_of(WHOLE, k)["head"]
    found, losses = left_of(flipped(WHOLE, data.draw(st.integers(8 * place.start, 8 * place.stop - 1))))
    assert found == BLOCKS[:k] + BLOCKS[k + 1 :]
    assert [loss.salvaged for loss in losses] == [None]


@pytest.mark.parametrize("k", range(5))
def test_a_damaged_block_may_end_like_one_that_begins(k: int) -> None:
    """With the byte before it for its type, the next block would have the same head at the same place."""
    bad = bytearray(flipped(WHOLE, 8 * parts_of(WHOLE, k)["head"].start))
    bad[tiny_files.places(WHOLE)[k + 1] - 1] = BLOCK_CHUNK
    found, losses = left_of(bytes(bad))
    assert found == BLOCKS[:k] + BLOCKS[k + 1 :]
    assert [loss.salvaged for loss in losses] == [None]


@quick
@given(st.integers(0, 5), st.integers(0, 31))
def test_a_flipped_bit_in_the_checksum_of_the_chunk(k: int, bit: int) -> None:
    """With sound, all parts are known to be right."""
    place = 8 * parts_of(WHOLE, k)["sound"].stop + bit
    found, losses = left_of(flipped(WHOLE, place))
    assert (found, [loss.reason for loss in losses]) == (BLOCKS, ["the checksum of a block"])
    with pytest.raises(DamagedFileError):
        check_whole(NfcReader(io.BytesIO(flipped(WHOLE, place))))


@quick
@given(st.lists(st.integers(8 * START, 8 * len(WHOLE) - 1), min_size=1, max_size=12))
def test_what_is_given_out_is_never_wrong(bits: list[int]) -> None:
    """Any damage: the parts that are given out are those that were written."""
    bad = WHOLE
    for bit in bits:
        bad = flipped(bad, bit)
    for block in left_of(bad)[0]:
        (good,) = [b for b in BLOCKS if b.first_frame == block.first_frame]
        expected = replace(
            good, lost=block.lost,
            landmarks=b"" if Part.LANDMARKS in block.lost else good.landmarks,
            audio=() if Part.SOUND in block.lost else good.audio,
        )  # fmt: skip
        assert block == expected


@pytest.mark.parametrize("change", ["cut", "insert", "zero"])
def test_longer_damage_within_a_part(change: str) -> None:
    """Bytes that are missing or too many move what follows; the next block is found all the same."""
    parts = parts_of(WHOLE, 2)
    at = parts["sound"].start + 30
    bad = bytearray(WHOLE)
    if change == "cut":
        del bad[at : at + 200]
    elif change == "insert":
        bad[at:at] = bytes(range(200))
    else:
        bad[at : at + 200] = bytes(200)
    found, losses = left_of(bytes(bad))
    lost = replace(BLOCKS[2], audio=(), lost=frozenset([Part.SOUND]))
    assert found == [*BLOCKS[:2], lost, *BLOCKS[3:]]
    assert len(losses) == 1


def test_a_file_that_is_cut_off_within_a_block_gives_what_has_come() -> None:
    parts = parts_of(WHOLE, 3)
    for end, lost in (
        (parts["sound"].start + 1, {Part.SOUND}),
        (parts["landmarks"].start + 1, {Part.LANDMARKS, Part.SOUND}),
        (parts["head"].stop - 1, None),
    ):
        found, losses = left_of(WHOLE[:end])
        assert found[:3] == BLOCKS[:3] and losses[-1].truncated
        assert [b.lost for b in found[3:]] == ([] if lost is None else [lost])


def test_damage_in_two_neighbours() -> None:
    """The second block is found by its head where the first one's says nothing any more."""
    bad = bytearray(WHOLE)
    bad[tiny_files.places(WHOLE)[1]] = 0
    bad[parts_of(WHOLE, 2)["landmarks"].start] ^= 1
    found, losses = left_of(bytes(bad))
    assert [b.first_frame for b in found] == [0, 20, 30, 40, 50]
    assert [bool(loss.salvaged) for loss in losses] == [False, True]


def test_a_search_among_false_heads_is_bounded() -> None:
    """Beginnings of guarded blocks, each of which has to be read to its checksum: a thousand at most."""
    import time

    key = (ReferenceFrame(0, StillCodec.AV1, b"k"),)
    body = write_block(
        Block(0, make.pts(SILENT_HEADER, 0, 5000), 0, (), key, b"", guarded=True), SILENT_HEADER
    )
    false = b"\xf2\x40" + body[:-2]
    data = SILENT[: tiny_files.places(SILENT)[0]] + 20_000 * false
    began = time.process_time()
    list(NfcReader(io.BytesIO(data)))
    assert time.process_time() - began < 20
