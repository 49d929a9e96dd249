"""The bit stream: everything a header and a block can hold comes back, and no file breaks the reader."""

import io
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocodec.entropy.bits import varint
from neurocodec.errors import DamagedFileError, InputError, NeurocodecError, UnsupportedError
from neurocodec.format.block import (
    MAX_CHAIN,
    MAX_NEEDED,
    RECENT,
    Block,
    ReferenceFrame,
    Region,
    Run,
    SoundPacket,
    StillCodec,
)
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
from neurocodec.format.header import (
    AudioTrack,
    Colour,
    Fit,
    Header,
    LandmarkCode,
    Rectangle,
    read_header,
    write_header,
)
from neurocodec.format.losses import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packet_code import LandmarkEncoder
from neurocodec.keypoints.packets import parse_frames

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEADER = Header(
    width=256, height=256, sar=Fraction(1), rotation=0, fit=Fit.LETTERBOX, time_base=Fraction(1, 12800),
    fps=Fraction(25), start=0, colour=Colour(), model="talk256", model_hash=bytes(range(8)), model_size=256,
    keypoints=15, quantization=100, landmark_code=LandmarkCode.GOLOMB,
)  # fmt: skip
NEWER = replace(HEADER, version=2, landmark_code=LandmarkCode.RANGE, transformed=True)
SOUND = AudioTrack("opus", 48000, 2, Fraction(1, 48000), 312, 960, b"OpusHead")


class Pipe(io.RawIOBase):
    """Can be read or written front to back only, a few bytes at a time."""

    def __init__(self, data: bytes = b"", piece: int = 1 << 20) -> None:
        self.data, self.piece = bytearray(data), piece

    def seekable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None and size >= 0
        out = bytes(self.data[: min(size, self.piece)])
        del self.data[: len(out)]
        return out


# Strategies

fractions = st.builds(Fraction, st.integers(1, (1 << 31) - 1), st.integers(1, (1 << 31) - 1))
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
bytestrings = st.binary(max_size=40)
rates = st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(1, 60), Fraction(1000)])
time_bases = st.sampled_from(
    [Fraction(1, 12800), Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 10**6)]
)
tracks = st.builds(
    AudioTrack, names, st.integers(1, 192000), st.integers(1, 255), fractions,
    st.integers(0, 5000), st.sampled_from([0, 1024]), bytestrings,
)  # fmt: skip
newer_headers = st.builds(
    Header,
    st.integers(1, 32768), st.integers(1, 32768), st.one_of(st.just(Fraction(1)), fractions),
    st.sampled_from([0, 90, 180, 270]), st.sampled_from(Fit), time_bases, rates,
    st.integers(-(1 << 40), 1 << 40),
    st.builds(Colour, st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.booleans()),
    names, st.binary(min_size=8, max_size=8), st.integers(1, 4096), st.integers(1, 1024),
    st.integers(1, 65535), st.sampled_from(LandmarkCode), st.none() | tracks,
    st.lists(st.tuples(st.integers(0, 1000), bytestrings), max_size=3).map(tuple),
    st.sampled_from([2, 4]), st.booleans(),
)  # fmt: skip
old_headers = newer_headers.filter(lambda h: h.landmark_code is not LandmarkCode.RANGE).map(
    lambda h: replace(h, version=1, transformed=False)
)
headers = old_headers | newer_headers


@st.composite
def newer_parts(draw: st.DrawFn, count: int, number: int) -> dict[str, Any]:
    """What version 2 alone can say of a block of ``count`` frames whose first reference has ``number``."""
    chain = draw(st.integers(0, min(number, MAX_CHAIN)))
    needed = tuple(range(number - chain, number))
    offsets = draw(st.lists(st.integers(0, count - 1), unique=True, max_size=5)) if count else []
    parts: dict[str, Any] = {"needed": needed, "golomb": draw(st.booleans())}
    usable = [*needed[-RECENT:], *range(number, number + len(offsets))]
    left = count - len(offsets)
    if usable and draw(st.booleans()):
        runs = []
        while left:
            frames = draw(st.integers(1, left))
            first, *second = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=2, unique=True))
            runs.append(Run(frames, first, *second))
            left -= frames
        parts["runs"] = tuple(runs)
    else:
        if count and not needed and 0 not in offsets:
            offsets.append(0)
        parts["pairs"] = draw(st.booleans())
    stills: list[ReferenceFrame] = []
    before = StillCodec.AV1 if needed else None
    for offset in offsets:
        codec = draw(st.sampled_from(StillCodec))
        dependent = codec is before is StillCodec.AV1 and draw(st.booleans())
        stills.append(ReferenceFrame(offset, codec, draw(bytestrings), dependent))
        before = codec
    if chain > 1:
        current = draw(st.sampled_from(needed[-RECENT:]))
        parts["current"] = None if current == needed[-1] else current
    return {**parts, "references": tuple(stills)}


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, list[Block]]:
    """A header and blocks that follow each other."""
    header = draw(headers)
    frame = reference = 0
    last = draw(st.integers(-1000, 1000))
    blocks = []
    for _ in range(draw(st.integers(0, 4))):
        count = draw(st.integers(0, 12))
        regular = [header.regular_pts(frame + i) for i in range(count)]
        increasing = all(a < b for a, b in zip([last, *regular], regular, strict=False))
        if count and (not increasing or draw(st.booleans())):
            gaps = draw(st.lists(st.integers(1, 1 << 30), min_size=count, max_size=count))
            regular = np.cumsum([last + gaps[0], *gaps[1:]]).tolist()
        last = regular[-1] if regular else last
        offsets = sorted(draw(st.sets(st.integers(0, count - 1), max_size=4))) if count else []
        stills = [ReferenceFrame(o, draw(st.sampled_from(StillCodec)), draw(bytestrings)) for o in offsets]
        earlier = range(max(0, reference - MAX_NEEDED), reference)
        needed = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        if count and not needed and 0 not in offsets:
            stills.insert(0, ReferenceFrame(0, StillCodec.JPEG, b"still"))
        audio = []
        if header.audio:
            pts = 0
            for step, odd in draw(st.lists(st.tuples(st.integers(0, 9999), st.booleans()), max_size=4)):
                duration = step if odd else header.audio.packet_duration
                audio.append(SoundPacket(draw(st.binary(min_size=1, max_size=9)), pts - 5000, duration))
                pts += step if odd else header.audio.packet_duration
        region = draw(st.builds(Region, st.integers(0, 999), st.integers(0, 999), st.integers(1, 999)))
        block = Block(
            frame, tuple(regular), reference, tuple(needed), tuple(stills), draw(bytestrings),
            tuple(audio), region if header.fit is Fit.REGION else None,
        )  # fmt: skip
        if header.version >= 2:
            block = replace(block, **draw(newer_parts(count, reference)))
            block = replace(block, guarded=header.version == 4 and draw(st.booleans()))
        blocks.append(block)
        frame, reference = frame + count, reference + len(block.references)
    return header, blocks


def written(header: Header, blocks: list[Block]) -> bytes:
    file = Pipe()
    writer = NfcWriter(file, header)  # type: ignore[arg-type]
    sizes = [writer.write_block(block) for block in blocks]
    writer.close()
    total = writer.bytes_by_kind
    assert total["total"] == len(file.data) == sum(n for kind, n in total.items() if kind != "total")
    assert sum(sizes) < total["total"]
    return bytes(file.data)


def ending(index: bytes) -> bytes:
    """Index chunk with that payload, and trailer."""
    whole = chunk(INDEX_CHUNK, index)
    return whole + len(whole).to_bytes(3, "little")


def items(data: bytes) -> list[tuple[Block, int] | Loss]:
    return list(NfcReader(io.BytesIO(data)))


def split(found: list[tuple[Block, int] | Loss]) -> tuple[list[Block], list[Loss]]:
    return [i[0] for i in found if not isinstance(i, Loss)], [i for i in found if isinstance(i, Loss)]


# Round trips


@quick
@given(headers)
def test_header_round_trip(header: Header) -> None:
    assert read_header(write_header(header), header.version) == header


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


def test_content_rectangles() -> None:
    wide = replace(HEADER, width=1920, height=1080)
    assert wide.content() == Rectangle(0, 56, 256, 144)
    assert replace(wide, sar=Fraction(1, 2)).content() == Rectangle(14, 0, 228, 256)
    assert replace(wide, fit=Fit.SQUASH).content() == Rectangle(0, 0, 256, 256)
    assert replace(HEADER, width=32768, height=1).content() == Rectangle(0, 127, 256, 1)


def test_regular_timestamps_round_half_up() -> None:
    header = replace(HEADER, time_base=Fraction(1, 1000), fps=Fraction(30000, 1001), start=-7)
    assert [header.regular_pts(i) + 7 for i in range(5)] == [0, 33, 67, 100, 133]
    assert [replace(HEADER, fps=Fraction(25600)).regular_pts(i) for i in range(4)] == [0, 1, 1, 2]


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


def small_file(optional: bytes = b"") -> tuple[bytes, list[Block], list[int]]:
    """A file of three blocks; where each chunk begins, and where the file ends."""
    header = replace(HEADER, audio=SOUND)
    landmarks = LandmarkEncoder(LandmarkCode.GOLOMB, 30)
    for _ in range(4):
        landmarks.write(np.arange(30, dtype=np.int32))
    blocks = []
    for i in range(3):
        pts = tuple(header.regular_pts(5 * i + k) for k in range(5))
        stills = (ReferenceFrame(0, StillCodec.AV1, b"\xf2\xf3still\xf2"),)
        audio = (SoundPacket(b"sound", 9600 * i, 960), SoundPacket(b"odd", 9600 * i + 960, 5))
        blocks.append(Block(5 * i, pts, i, (), stills, landmarks.getvalue(), audio))
    data = written(header, blocks)
    reader = NfcReader(io.BytesIO(data))
    entries = reader.index()
    assert entries is not None
    places = [e.offset for e in entries] + [len(data) - 3 - int.from_bytes(data[-3:], "little"), len(data)]
    return data, blocks, places


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


def with_block(payload: bytes, header: Header = HEADER) -> bytes:
    file = io.BytesIO()
    NfcWriter(file, header)
    return file.getvalue() + chunk(BLOCK_CHUNK, payload)


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


@pytest.mark.parametrize("audio", [b"\0\1\0\1\0", b"\0\2\1\1\x87\x20\0\1\x90ab", b"\0\1\1\1\0\0"])
def test_impossible_audio(audio: bytes) -> None:
    with pytest.raises(DamagedFileError, match="audio packet"):
        read_block(varint(0) + varint(0) + b"\2" + bytes(4) + audio, replace(HEADER, audio=SOUND))


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


@pytest.mark.parametrize(
    "change",
    [
        {"model": "caf\xe9"}, {"model": ""}, {"model_hash": b"short"}, {"width": 0}, {"rotation": 45},
        {"fps": Fraction(1, 1 << 40)}, {"extensions": ((1, b""),) * 65}, {"quantization": 65536},
    ],
)  # fmt: skip
def test_the_writer_refuses_what_no_reader_would_take(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        NfcWriter(io.BytesIO(), replace(HEADER, **change))


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


# Hostile files


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


@pytest.mark.parametrize(
    "pattern",
    [b"\xf2", b"\xf2\0\0\0", b"\xf2\x80\x80\x80\x08\0\1\0", b"\xf3\x80\x80\x20", b"\xf2\x00\x00\x00\x00\x00"],
)
def test_searching_for_blocks_takes_bounded_time(pattern: bytes) -> None:
    """Each of these repeats makes a chunk seem to begin every few bytes, up to 16 MB long."""
    size = 20_000_000 if len(pattern) > 7 else 1_000_000
    began = time.perf_counter()
    reader = NfcReader(Pipe(with_block(b"")[:-6] + pattern * (size // len(pattern)), 1 << 16))  # type: ignore[arg-type]
    found, losses = split(list(reader))
    assert not found and len(losses) == 1
    assert time.perf_counter() - began < 30


def test_a_damaged_stretch_full_of_starts_is_survived() -> None:
    data, blocks, places = small_file()
    noise = b"\xf2\x80\x80\x80\x08\0\1\0" * 1000
    found, losses = split(items(data[: places[1]] + noise + data[places[2] :]))
    assert found == [blocks[0], blocks[2]]
    assert len(losses) == 1
