"""Files that nobody wrote: only errors of ours, in bounded time and memory."""

import io
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace

import pytest
from any_files import HEADER, NEWER, SOUND, Pipe, ending, files, items, small_file, split, with_block
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocodec.entropy.bits import varint
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.chunks import (
    BLOCK_CHUNK,
    HEADER_CHUNK,
    INDEX_CHUNK,
    MAX_CHUNK,
    SIGNATURE,
    VERSION,
    chunk,
)
from neurocodec.format.header import Fit, read_header, write_header
from neurocodec.format.reader import NfcReader
from neurocodec.keypoints.packets import parse_frames

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(data: bytes) -> None:
    """Read in every way; only errors of the package may come out."""
    try:
        reader = NfcReader(io.BytesIO(data))
        list(reader)
        for entry in reader.index() or []:
            with suppress(DamagedFileError):
                reader.block_at(entry)
    except NeurocodecError:
        pass


@quick
@given(st.binary(max_size=300), st.sampled_from(range(6)))
def test_random_bytes_raise_only_our_errors(data: bytes, kind: int) -> None:
    start = SIGNATURE + bytes([VERSION])
    if kind == 0:
        outcome(start + data)
    elif kind == 1:
        outcome(start + chunk(HEADER_CHUNK, data))
    else:
        header = replace(HEADER, fit=Fit.REGION, audio=SOUND) if kind % 2 else HEADER
        header = NEWER if kind == 4 else replace(header, version=2) if kind == 5 else header
        outcome(with_block(data, header))
        outcome(with_block(b"", header)[:-6] + ending(data))


@quick
@given(st.data())
def test_changed_bytes_under_a_good_checksum(data: st.DataObject) -> None:
    header, blocks = data.draw(files())
    payload = bytearray(write_header(header))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        changed = read_header(bytes(payload), header.version)
        changed.content()
    except NeurocodecError:
        changed = header
    for block in blocks:
        payload = bytearray(write_block(block, header))
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
        with suppress(NeurocodecError):
            parse_frames(read_block(bytes(payload), changed), replace(changed, keypoints=2))


def test_lengths_are_not_believed() -> None:
    start = SIGNATURE + bytes([VERSION])
    good = with_block(b"")[:-6]
    lies = [
        start + bytes([HEADER_CHUNK]) + varint(60_000_000) + bytes(9),
        start + bytes([HEADER_CHUNK]) + varint(MAX_CHUNK + 1) + bytes(9),
        good + bytes([BLOCK_CHUNK]) + varint(60_000_000) + bytes(9),
        with_block(varint(0) + varint(1) + b"\0\0\0\1\0" + varint(60_000_000)),
        with_block(varint(0) + varint(1) + b"\1\0" + varint(1 << 60)),
        with_block(varint(0) + varint(5000) + b"\0" + varint(0) * 2 + varint(5000)),
        with_block(varint(0) + varint(5000) + b"\x0c" + varint(2000) + varint(1024) + varint(63), NEWER),
        with_block(varint(0) + varint(5000) + b"\4" + varint(1) + varint(1) + varint(0) * 3, NEWER),
        good + chunk(INDEX_CHUNK, varint(1 << 60) * 3) + b"\xff\xff\xff",
    ]
    tracemalloc.start()
    for data in lies:
        outcome(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [b"\xf2", b"\xf2\0\0\0", b"\xf2\x80\x80\x80\x08\0\1\0", b"\xf3\x80\x80\x20", b"\xf2\x00\x00\x00\x00\x00"],
)
def test_searching_for_blocks_takes_bounded_time(pattern: bytes) -> None:
    """Each of these repeats makes a chunk seem to begin every few bytes, up to 16 MB long."""
    size = 20_000_000 if len(pattern) > 7 else 1_000_000
    began = time.process_time()
    reader = NfcReader(Pipe(with_block(b"")[:-6] + pattern * (size // len(pattern)), 1 << 16))  # type: ignore[arg-type]
    found, losses = split(list(reader))
    assert not found and len(losses) == 1
    assert time.process_time() - began < 30


def test_a_damaged_stretch_full_of_starts_is_survived() -> None:
    data, blocks, places = small_file()
    noise = b"\xf2\x80\x80\x80\x08\0\1\0" * 1000
    found, losses = split(items(data[: places[1]] + noise + data[places[2] :]))
    assert found == [blocks[0], blocks[2]]
    assert len(losses) == 1
