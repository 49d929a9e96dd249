"""One block of at most five seconds: timestamps, reference frames, landmark packets, audio packets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from neurocodec.bits import BitReader, BitWriter, ByteReader, svarint, varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.golomb import AdaptiveGolomb
from neurocodec.header import MAX_DIMENSION, MAX_PTS, MAX_TERM, Fit, Header

BLOCK_SECONDS = 5
MAX_FRAMES = 5000
MAX_AUDIO_PACKETS = 5000
MAX_REFERENCE_BYTES = 1 << 24
MAX_COUNT = 1 << 40
TIMING_BITS = 47
_IRREGULAR, _AUDIO, _CONTINUES, _FLAGS = 1, 2, 4, 7
MAX_NEEDED = 16
"""A block may use references at most this many places before its own first one."""


class StillCodec(IntEnum):
    """What a reference frame is coded with; the number stands in the file."""

    JPEG = 0
    HEVC = 1
    AV1 = 2


@dataclass(frozen=True)
class ReferenceFrame:
    """A refresh: at frame ``offset`` of the block this still is shown and becomes the reference."""

    offset: int
    codec: StillCodec
    data: bytes


@dataclass(frozen=True)
class SoundPacket:
    """One packet of the audio codec; pts and duration in the audio time base."""

    data: bytes
    pts: int
    duration: int


@dataclass(frozen=True)
class Region:
    """A square of the source's upright picture, in its pixels."""

    x: int
    y: int
    side: int


@dataclass(frozen=True)
class Block:
    """What one block chunk holds.

    ``needed`` are the numbers of earlier references the block uses, the last one being current when it
    starts; ``first_reference`` is the number its own first reference has (they count from 0 in the file).
    """

    first_frame: int
    pts: tuple[int, ...]
    first_reference: int
    needed: tuple[int, ...]
    references: tuple[ReferenceFrame, ...]
    landmarks: bytes
    audio: tuple[SoundPacket, ...] = ()
    region: Region | None = None

    @property
    def payload_bytes(self) -> dict[str, int]:
        """Bytes of references, landmarks and audio."""
        return {
            "references": sum(len(r.data) for r in self.references),
            "landmarks": len(self.landmarks),
            "audio": sum(len(p.data) for p in self.audio),
        }


def write_block(block: Block, header: Header) -> bytes:
    """Payload of a block chunk (``docs/format.md``, "Block")."""
    lateness = [t - header.regular_pts(block.first_frame + i) for i, t in enumerate(block.pts)]
    irregular = any(lateness)
    continues = block.needed == (block.first_reference - 1,)
    out = bytearray(varint(block.first_frame) + varint(len(block.pts)))
    out.append(_IRREGULAR * irregular | _AUDIO * bool(block.audio) | _CONTINUES * continues)
    if irregular:
        bits = BitWriter()
        AdaptiveGolomb(TIMING_BITS).write(bits, [b - a for a, b in pairwise(lateness)])
        timing = bits.getvalue()
        out += svarint(lateness[0]) + varint(len(timing)) + timing
    if header.fit is Fit.REGION:
        assert block.region is not None
        out += varint(block.region.x) + varint(block.region.y) + varint(block.region.side)
    out += varint(block.first_reference)
    if not continues:
        out += varint(len(block.needed))
        for number in block.needed:
            out += varint(block.first_reference - 1 - number)
    out += varint(len(block.references))
    position = 0
    for reference in block.references:
        out += varint(reference.offset - position)
        out += varint(len(reference.data) << 2 | reference.codec) + reference.data
        position = reference.offset + 1
    out += varint(len(block.landmarks)) + block.landmarks
    if block.audio:
        out += _audio_bytes(block.audio, header)
    return bytes(out)


def _audio_bytes(packets: tuple[SoundPacket, ...], header: Header) -> bytes:
    if header.audio is None:
        raise ValueError("a block has sound that the header does not describe")
    odd, odds, position = bytearray(), 0, 0
    expected, usual = packets[0].pts, header.audio.packet_duration
    for i, packet in enumerate(packets):
        if packet.pts != expected or packet.duration != usual:
            odd += varint(i - position) + svarint(packet.pts - expected) + varint(packet.duration)
            odds, position = odds + 1, i + 1
        expected = packet.pts + packet.duration
    bits, sizes = BitWriter(), [0, *(len(p.data) for p in packets)]
    AdaptiveGolomb().write(bits, [b - a for a, b in pairwise(sizes)])
    coded = bits.getvalue()
    return b"".join(
        [
            svarint(packets[0].pts) + varint(len(packets)) + varint(odds) + odd + varint(len(coded)) + coded,
            *(p.data for p in packets),
        ]
    )


def _read_timing(source: ByteReader, header: Header, first: int, count: int) -> list[int]:
    lateness = [source.svarint()]
    bits = BitReader(source.take(source.varint()))
    for change in AdaptiveGolomb(TIMING_BITS).read(bits, count - 1):
        lateness.append(lateness[-1] + change)
    bits.finish("timestamps")
    return [header.regular_pts(first + i) + late for i, late in enumerate(lateness)]


def _read_needed(source: ByteReader, first_reference: int) -> tuple[int, ...]:
    needed: list[int] = []
    for _ in range(source.varint(MAX_NEEDED)):
        number = first_reference - 1 - source.varint(MAX_NEEDED - 1)
        if number < 0 or number in needed:
            raise DamagedFileError("a block names a reference that cannot be")
        needed.append(number)
    return tuple(needed)


def _read_references(source: ByteReader, frames: int) -> tuple[ReferenceFrame, ...]:
    references, position = [], 0
    for _ in range(source.varint(frames)):
        offset = position + source.varint(frames)
        if offset >= frames:
            raise DamagedFileError("a refresh lies outside its block")
        size, codec = divmod(source.varint(4 * MAX_REFERENCE_BYTES + 3), 4)
        if codec not in list(StillCodec):
            raise UnsupportedError(f"reference codec {codec} is not known to this version of neurocodec")
        data = source.take(size)
        references.append(ReferenceFrame(offset, StillCodec(codec), data))
        position = offset + 1
    return tuple(references)


def _read_audio(source: ByteReader, header: Header) -> tuple[SoundPacket, ...]:
    if header.audio is None:
        raise DamagedFileError("a block has sound that the header does not describe")
    expected, count = source.svarint(), source.varint(MAX_AUDIO_PACKETS)
    odd: dict[int, tuple[int, int]] = {}
    position = 0
    for _ in range(source.varint(count)):
        position += source.varint(count)
        odd[position] = source.svarint(), source.varint(MAX_TERM)
        position += 1
    if position > count:
        raise DamagedFileError("an audio packet is described that is not there")
    bits = BitReader(source.take(source.varint()))
    changes = AdaptiveGolomb().read(bits, count)
    bits.finish("the sizes of audio packets")
    packets: list[SoundPacket] = []
    size, last = 0, -MAX_PTS
    for i, change in enumerate(changes):
        shift, duration = odd.get(i, (0, header.audio.packet_duration))
        size, pts = size + change, expected + shift
        if size < 1 or not last <= pts <= MAX_PTS:
            raise DamagedFileError("an audio packet is empty, or its timestamp impossible")
        packets.append(SoundPacket(source.take(size), pts, duration))
        expected, last = pts + duration, pts
    return tuple(packets)


def read_block(payload: bytes, header: Header) -> Block:
    """Inverse of :func:`write_block`; landmark packets stay bit-packed.

    Raises:
        DamagedFileError: for truncated fields and impossible values.
        UnsupportedError: for flags or a reference codec this version does not know.
    """
    source = ByteReader(payload)
    first, frames = source.varint(MAX_COUNT), source.varint(MAX_FRAMES)
    flags = source.byte()
    if flags > _FLAGS:
        raise UnsupportedError("the file uses a feature this version does not know (block flags)")
    if flags & _IRREGULAR and not frames:
        raise DamagedFileError("a block without frames has timestamps")
    pts = (
        _read_timing(source, header, first, frames)
        if flags & _IRREGULAR
        else [header.regular_pts(first + i) for i in range(frames)]
    )
    if any(b <= a for a, b in pairwise(pts)) or any(abs(t) > MAX_PTS for t in pts):
        raise DamagedFileError("the timestamps of a block are impossible")
    region = None
    if header.fit is Fit.REGION:
        region = Region(
            source.varint(MAX_DIMENSION), source.varint(MAX_DIMENSION), source.varint(MAX_DIMENSION)
        )
        if not region.side:
            raise DamagedFileError("the region of a block is empty")
    first_reference = source.varint(MAX_COUNT)
    if flags & _CONTINUES:
        if not first_reference:
            raise DamagedFileError("a block names a reference that cannot be")
        needed: tuple[int, ...] = (first_reference - 1,)
    else:
        needed = _read_needed(source, first_reference)
    references = _read_references(source, frames)
    landmarks = source.take(source.varint())
    audio = _read_audio(source, header) if flags & _AUDIO else ()
    if source.remaining:
        raise DamagedFileError("a block is longer than its contents")
    if frames and not needed and not (references and references[0].offset == 0):
        raise DamagedFileError("a block starts without a reference")
    return Block(first, tuple(pts), first_reference, needed, references, landmarks, audio, region)


def read_block_start(payload_start: bytes) -> tuple[int, int] | None:
    """First frame and number of frames from a payload's first bytes; None when it cannot be a block's."""
    source = ByteReader(payload_start)
    try:
        first, frames, flags = source.varint(MAX_COUNT), source.varint(MAX_FRAMES), source.byte()
    except DamagedFileError:
        return None
    return (first, frames) if flags <= _FLAGS else None
