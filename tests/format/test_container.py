"""The bit stream: everything a header and a block can hold comes back, and no file breaks the reader."""

import io
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from any_files import HEADER, SOUND, Pipe, ending, files, items, small_file, split, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocodec.entropy.bits import varint
from neurocodec.errors import DamagedFileError, InputError, NeurocodecError, UnsupportedError
from neurocodec.format.block import Block, ReferenceFrame, SoundPacket, StillCodec
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.chunks import SIGNATURE, VERSION, chunk
from neurocodec.format.header import Header
from neurocodec.format.reader import NfcReader

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(files(), st.integers(1, 100))
def test_file_round_trip_through_a_pipe(file: tuple[Header, list[Block]], piece: int) -> None:
    header, blocks = file
    for block in blocks:
        assert read_block(write_block(block, header), header) == block
    data = written(header, blocks)
    reader = NfcReader(Pipe(data, piece))  # type: ignore[arg-type]
    assert reader.header == header
    assert split(list(reader)) == (blocks, [])
    assert reader.index() is None


@quick
@given(files())
def test_index_tells_what_linear_reading_finds(file: tuple[Header, list[Block]]) -> None:
    header, blocks = file
    reader = NfcReader(io.BytesIO(written(header, blocks)))
    entries = reader.index()
    assert entries is not None
    offset = reader.header_bytes
    for entry, (block, size) in zip(entries, reader, strict=True):  # type: ignore[misc]
        assert (entry.offset, entry.first_frame, entry.frames) == (offset, block.first_frame, len(block.pts))
        assert (entry.first_reference, entry.references) == (block.first_reference, len(block.references))
        assert not block.pts or entry.pts == block.pts[0]
        offset += size
    for entry, block in reversed(list(zip(entries, blocks, strict=True))):
        assert reader.block_at(entry) == block


def test_a_long_pause_among_irregular_frames() -> None:
    header = replace(HEADER, time_base=Fraction(1, 10**6), fps=Fraction(11, 600))
    block = Block(0, tuple(range(0, 400_000, 40_000)), 0, (), (ReferenceFrame(0, StillCodec.AV1, b"x"),), b"")
    assert read_block(write_block(block, header), header) == block


# What a file of the usual kind costs


def talking_head(seconds: int, references: int, fps: Fraction, time_base: Fraction, version: int) -> bytes:
    """``seconds`` of video at 3 kbit/s, in round numbers."""
    header = replace(HEADER, fps=fps, time_base=time_base, version=version)
    frames = round(seconds * fps)
    middle = frames // 2
    places = [round(k * frames / references) for k in range(references)]
    still = bytes(600)
    share = (375 * seconds - 106 - len(still) * references) // 2
    blocks: list[Block] = []
    for first, last in ((0, middle), (middle, frames)):
        number = sum(len(b.references) for b in blocks)
        stills = tuple(ReferenceFrame(p - first, StillCodec.AV1, still) for p in places if first <= p < last)
        needed = (number - 1,) if number and middle not in places else ()
        pts = tuple(header.regular_pts(i) for i in range(first, last))
        blocks.append(Block(first, pts, number, needed, stills, bytes(share), guarded=version > 3))
    return written(header, blocks)


@pytest.mark.parametrize("references", [1, 2, 3])
@pytest.mark.parametrize(("fps", "base"), [(Fraction(25), 12800), (Fraction(30000, 1001), 30000)])
@pytest.mark.parametrize("version", [1, 4])
def test_overhead_of_ten_seconds_is_at_most_three_percent(
    references: int, fps: Fraction, base: int, version: int
) -> None:
    data = talking_head(10, references, fps, Fraction(1, base), version)
    blocks, _ = split(items(data))
    payload = sum(sum(b.payload_bytes.values()) for b in blocks)
    assert 3740 <= len(data) <= 3760
    assert round((len(data) - payload) / len(data), 3) <= 0.03


def test_sound_packets_cost_less_than_a_byte_each() -> None:
    sizes = np.random.default_rng(0).integers(80, 101, 84).tolist()
    audio = [SoundPacket(bytes(n), 960 * i - 312, 960) for i, n in enumerate(sizes)]
    header = replace(HEADER, audio=SOUND)
    silent = Block(0, (), 0, (), (), b"")
    last = replace(silent, audio=(*audio, SoundPacket(b"x", 960 * 84 - 312, 500)))
    cost = len(write_block(last, header)) - len(write_block(silent, header)) - sum(sizes) - 1
    assert cost < 80


# Files that are not what they should be


def test_unknown_optional_chunks_are_skipped() -> None:
    data, blocks, places = small_file()
    extra = chunk(0xE5, b"of the future") + chunk(0xEF, b"")
    inserted = data[: places[1]] + extra + data[places[1] :]
    assert split(items(inserted)) == (blocks, [])
    assert NfcReader(io.BytesIO(inserted)).index() is None
    index = b""
    for i in range(3):
        size = places[i + 1] - places[i] + (len(extra) if i == 1 else 0)
        index += varint(size) + varint(5) + varint(1) + varint(0)
    reader = NfcReader(io.BytesIO(inserted[: places[3] + len(extra)] + ending(index)))
    entries = reader.index()
    assert entries is not None
    assert [reader.block_at(e) for e in entries] == blocks


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\0" * 100, b"NFC\x1b\x01", b"N\0"])
def test_what_is_no_nfc_file(data: bytes) -> None:
    with pytest.raises(InputError):
        NfcReader(io.BytesIO(data))


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_other_versions_are_refused(version: int) -> None:
    data = small_file()[0]
    with pytest.raises(UnsupportedError, match=f"version {version}"):
        NfcReader(io.BytesIO(SIGNATURE + bytes([version]) + data[5:]))


def test_every_truncation_leaves_whole_blocks() -> None:
    data, blocks, places = small_file()
    for end in range(len(data)):
        if end < places[0]:
            with pytest.raises(InputError if end == 0 else DamagedFileError):
                NfcReader(io.BytesIO(data[:end]))
            continue
        reader = NfcReader(io.BytesIO(data[:end]))
        assert reader.index() is None
        found, losses = split(list(reader))
        assert found == blocks[: sum(p <= end for p in places[1:4])]
        assert [loss.truncated for loss in losses] == [True]
        assert losses[0].offset <= end


@pytest.mark.parametrize("flip", [0xFF, 0x01, 0x80])
def test_a_corrupt_byte_loses_no_more_than_its_block(flip: int) -> None:
    data, blocks, places = small_file()
    for position in range(len(data)):
        bad = bytearray(data)
        bad[position] ^= flip
        try:
            reader = NfcReader(io.BytesIO(bad))
        except NeurocodecError:
            assert position < (places[0] if flip == 0xFF else 5)
            continue
        found, losses = split(list(reader))
        if position < places[0]:  # one flipped bit of the header is put right
            assert (found, losses) == (blocks, []) and reader.corrected and str(position) in reader.corrected
            continue
        assert reader.corrected is None
        hit = sum(p <= position for p in places[:4]) - 1
        assert found == [b for i, b in enumerate(blocks) if i != hit]
        assert bool(losses) == (position < len(data) - 3)
        entries = reader.index()
        assert entries is None or hit < 3
        for i, entry in enumerate(entries or []):
            if i == hit:
                with pytest.raises(DamagedFileError):
                    reader.block_at(entry)
            else:
                assert reader.block_at(entry) == blocks[i]


def test_blocks_out_of_order_are_not_given_out() -> None:
    data, blocks, places = small_file()
    first, second = data[places[0] : places[1]], data[places[1] : places[2]]
    found, losses = split(items(data[: places[0]] + second + first + second + data[places[2] :]))
    assert found == [blocks[1], blocks[2]]
    assert [loss.reason for loss in losses] == ["a block is out of order"] * 2


def test_a_second_header_is_damage() -> None:
    data, blocks, places = small_file()
    found, losses = split(items(data[: places[1]] + data[5 : places[1]] + data[places[1] :]))
    assert found == blocks
    assert len(losses) == 2


def test_an_index_that_lies_is_not_believed() -> None:
    data, blocks, places = small_file()
    whole = varint(places[3] - places[0])
    for payload in (b"", whole + b"\6\1\0", whole + b"\5\2\0", bytes(200), b"\xff" * 9):
        reader = NfcReader(io.BytesIO(data[: places[3]] + ending(payload)))
        for entry in reader.index() or []:
            with pytest.raises(DamagedFileError):
                reader.block_at(entry)
        reader.seek(reader.header_bytes)
        assert split(list(reader)) == (blocks, [])
