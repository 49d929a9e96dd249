"""Headers and blocks of any kind, for hypothesis and by hand, and what is read of a file."""

import io
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

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
from neurocodec.format.chunks import BLOCK_CHUNK, INDEX_CHUNK, chunk
from neurocodec.format.damage import Loss
from neurocodec.format.header import AudioTrack, Colour, Fit, Header, LandmarkCode
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packet_code import PacketEncoder

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
    st.sampled_from([2, 4, 5]), st.booleans(),
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
            block = replace(block, guarded=header.version >= 4 and draw(st.booleans()))
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


def with_block(payload: bytes, header: Header = HEADER) -> bytes:
    file = io.BytesIO()
    NfcWriter(file, header)
    return file.getvalue() + chunk(BLOCK_CHUNK, payload)


def small_file(optional: bytes = b"") -> tuple[bytes, list[Block], list[int]]:
    """A file of three blocks; where each chunk begins, and where the file ends."""
    header = replace(HEADER, audio=SOUND)
    landmarks = PacketEncoder(LandmarkCode.GOLOMB, 30)
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
