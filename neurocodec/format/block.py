"""One block of at most five seconds: timestamps, reference frames, landmark packets, audio packets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

from neurocodec.entropy.bits import BitReader, BitWriter, ByteReader, svarint, varint
from neurocodec.entropy.golomb import AdaptiveGolomb
from neurocodec.errors import DamagedFileError, NeurocodecError, UnsupportedError
from neurocodec.format.checksums import CHECK_BYTES, Part, check, crc16
from neurocodec.format.header import MAX_DIMENSION, MAX_PTS, MAX_TERM, Fit, Header

BLOCK_SECONDS = 5
MAX_FRAMES = 5000
MAX_AUDIO_PACKETS = 5000
MAX_REFERENCE_BYTES = 1 << 24
MAX_COUNT = 1 << 40
TIMING_BITS = 47
MAX_NEEDED = 16
"""A version 1 block may use references at most this many places before its own first one."""
MAX_CHAIN = 1024
"""A version 2 block may need at most this many references before its own first one to be decoded."""
MAX_BLOCK_REFERENCES = 256
"""References in a version 2 block."""
MAX_KEPT_BYTES = 1 << 28
"""Bytes of a block's references and those it needs: what a reader has to remember."""
RECENT = 64
"""Decoded references from before a version 2 block that its frames may use."""


class _Flag(IntEnum):
    IRREGULAR = 1
    AUDIO = 2
    CONTINUES = 4
    RUNS = 8
    PAIRS = 16
    GOLOMB = 32
    GUARDED = 64


_KNOWN_FLAGS = {1: 0x07, 2: 0x3F, 3: 0x3F, 4: 0x7F}


class StillCodec(IntEnum):
    """What a reference frame is coded with; the number stands in the file."""

    JPEG = 0
    HEVC = 1
    AV1 = 2


@dataclass(frozen=True)
class ReferenceFrame:
    """A refresh: at frame ``offset`` of the block this still is shown; other frames refer to it.

    A ``dependent`` one (version 2, AV1) is an inter picture, to be decoded after the reference before it.
    """

    offset: int
    codec: StillCodec
    data: bytes
    dependent: bool = False


@dataclass(frozen=True)
class Run:
    """``frames`` consecutive landmark frames that use the same one or two references, named by number."""

    frames: int
    first: int
    second: int | None = None


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

    ``first_reference`` is the number its own first reference has (they count from 0 in the file).
    ``needed`` are the numbers of earlier references without which it cannot be decoded, ``current`` the
    one of them in use when it starts (None: the last of them).  ``runs`` say which references the landmark
    frames use; without them that is the one shown last before the frame and, with ``pairs``, also the next
    one to be shown.  With ``golomb`` its packets are in that code, whatever the header says.
    """

    first_frame: int
    pts: tuple[int, ...]
    first_reference: int
    needed: tuple[int, ...]
    references: tuple[ReferenceFrame, ...]
    landmarks: bytes
    audio: tuple[SoundPacket, ...] = ()
    region: Region | None = None
    current: int | None = None
    pairs: bool = False
    runs: tuple[Run, ...] | None = None
    golomb: bool = False
    guarded: bool = False
    lost: frozenset[Part] = frozenset()

    @property
    def payload_bytes(self) -> dict[str, int]:
        """Bytes of references, landmarks and audio."""
        return {
            "references": sum(len(r.data) for r in self.references),
            "landmarks": len(self.landmarks),
            "audio": sum(len(p.data) for p in self.audio),
        }


def frame_runs(block: Block) -> list[Run]:
    """All landmark frames of a block in runs, as stored or by the default rule."""
    if block.runs is not None:
        return list(block.runs)
    shown = sorted((r.offset, block.first_reference + k) for k, r in enumerate(block.references))
    stops = [*shown, (len(block.pts), None)]
    runs, position = [], 0
    current = block.needed[-1] if block.current is None and block.needed else block.current
    for offset, number in stops:
        if offset > position:
            assert current is not None
            runs.append(Run(offset - position, current, number if block.pairs else None))
        position, current = offset + 1, number
    return runs


def write_block(block: Block, header: Header) -> bytes:
    """Payload of a block chunk (``docs/format.md``, "Block").

    Raises:
        ValueError: the block has what the header's version of the format lacks, or lost a part.
    """
    if block.lost:
        raise ValueError("a block that lost a part cannot be written")
    if block.guarded and header.version < 4:
        raise ValueError("guarded blocks need version 4 of the format")
    lateness = [t - header.regular_pts(block.first_frame + i) for i, t in enumerate(block.pts)]
    irregular = any(lateness)
    if header.version == 1:
        continues = block.needed == (block.first_reference - 1,)
    else:
        continues = bool(block.needed)
    out = bytearray(varint(block.first_frame) + varint(len(block.pts)))
    flags = _Flag.IRREGULAR * irregular | _Flag.AUDIO * bool(block.audio) | _Flag.CONTINUES * continues
    out.append(
        flags
        | _Flag.RUNS * (block.runs is not None)
        | _Flag.PAIRS * block.pairs
        | _Flag.GOLOMB * block.golomb
        | _Flag.GUARDED * block.guarded
    )
    if irregular:
        bits = BitWriter()
        AdaptiveGolomb(TIMING_BITS).write(bits, [b - a for a, b in pairwise(lateness)])
        timing = bits.getvalue()
        out += svarint(lateness[0]) + varint(len(timing)) + timing
    if header.fit is Fit.REGION:
        assert block.region is not None
        out += varint(block.region.x) + varint(block.region.y) + varint(block.region.side)
    out += varint(block.first_reference)
    out += _references_v1(block, continues) if header.version == 1 else _references_v2(block)
    sound = _audio_bytes(block.audio, header) if block.audio else b""
    if sound or not block.guarded:
        out += varint(len(block.landmarks))
    if not block.guarded:
        return bytes(out + block.landmarks + sound)
    out += crc16(bytes(out)) + block.landmarks
    if sound:
        out += crc16(block.landmarks) + sound + crc16(sound)
    return bytes(out)


def _references_v1(block: Block, continues: bool) -> bytes:
    if block.pairs or block.golomb or block.runs is not None or any(r.dependent for r in block.references):
        raise ValueError("pairs, runs and dependent references need version 2 of the format")
    if block.current not in (None, *block.needed[-1:]):
        raise ValueError("the current reference has to be the last one of those needed")
    out = bytearray()
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
    return bytes(out)


def _references_v2(block: Block) -> bytes:
    out = bytearray()
    if block.needed != tuple(range(block.first_reference - len(block.needed), block.first_reference)):
        raise ValueError("the references a block needs have to be those right before its own")
    if block.needed:
        current = block.needed[-1] if block.current is None else block.current
        out += varint(len(block.needed)) + varint(block.first_reference - 1 - current)
    out += varint(len(block.references))
    position = 0
    for reference in block.references:
        out += svarint(reference.offset - position)
        out += varint(len(reference.data) << 3 | reference.dependent << 2 | reference.codec)
        out += reference.data
        position = reference.offset
    if block.runs is not None:
        last = block.first_reference + len(block.references) - 1
        out += varint(len(block.runs))
        for run in block.runs:
            out += varint(run.frames) + varint(last - run.first)
            out += varint(0 if run.second is None else last - run.second + 1)
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


def _read_lateness(source: ByteReader, count: int) -> list[int]:
    lateness = [source.svarint()]
    bits = BitReader(source.take(source.varint()))
    for change in AdaptiveGolomb(TIMING_BITS).read(bits, count - 1):
        lateness.append(lateness[-1] + change)
    bits.finish("timestamps")
    return lateness


def _read_needed(source: ByteReader, first_reference: int) -> tuple[int, ...]:
    needed: list[int] = []
    for _ in range(source.varint(MAX_NEEDED)):
        number = first_reference - 1 - source.varint(MAX_NEEDED - 1)
        if number < 0 or number in needed:
            raise DamagedFileError("a block names a reference that cannot be")
        needed.append(number)
    return tuple(needed)


def _codec(number: int) -> StillCodec:
    if number not in list(StillCodec):
        raise UnsupportedError(f"reference codec {number} is not known to this version of neurocodec")
    return StillCodec(number)


def _read_references_v1(source: ByteReader, frames: int) -> tuple[ReferenceFrame, ...]:
    references, position = [], 0
    for _ in range(source.varint(frames)):
        offset = position + source.varint(frames)
        if offset >= frames:
            raise DamagedFileError("a refresh lies outside its block")
        size, codec = divmod(source.varint(4 * MAX_REFERENCE_BYTES + 3), 4)
        references.append(ReferenceFrame(offset, _codec(codec), source.take(size)))
        position = offset + 1
    return tuple(references)


def _read_references_v2(source: ByteReader, frames: int, continues: bool) -> tuple[ReferenceFrame, ...]:
    references: list[ReferenceFrame] = []
    position, taken = 0, set()
    for _ in range(source.varint(min(frames, MAX_BLOCK_REFERENCES))):
        position += source.svarint(frames)
        if not 0 <= position < frames or position in taken:
            raise DamagedFileError("a refresh lies outside its block, or where another one is")
        taken.add(position)
        size, kind = divmod(source.varint(8 * MAX_REFERENCE_BYTES + 7), 8)
        codec, dependent = _codec(kind & 3), bool(kind & 4)
        before = references[-1].codec if references else (codec if continues else None)
        if dependent and (codec is not StillCodec.AV1 or before is not codec):
            raise DamagedFileError("a reference depends on one that is not there")
        references.append(ReferenceFrame(position, codec, source.take(size), dependent))
    return tuple(references)


def _read_runs(source: ByteReader, frames: int, low: int, last: int) -> tuple[Run, ...]:
    """Runs over ``frames`` landmark frames, of references ``low`` to ``last``."""
    runs: list[Run] = []
    left = frames
    for _ in range(source.varint(frames)):
        count = source.varint(left)
        first, second = last - source.varint(last - low), last - source.varint(last - low + 1) + 1
        if not count or second == first:
            raise DamagedFileError("a run of frames is empty, or names a reference twice")
        runs.append(Run(count, first, None if second > last else second))
        left -= count
    if left:
        raise DamagedFileError("the runs do not cover the block")
    return tuple(runs)


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


@dataclass(frozen=True)
class _Head:
    """All of a block up to its landmarks, which have ``size`` bytes (None: all that follow)."""

    block: Block
    size: int | None
    sound: bool


def _read_head(source: ByteReader, header: Header) -> _Head:
    """The part of a block that all others need; in a guarded block, its checksum too."""
    first, frames = source.varint(MAX_COUNT), source.varint(MAX_FRAMES)
    flags = source.byte()
    if flags & ~_KNOWN_FLAGS[header.version]:
        raise UnsupportedError("the file uses a feature this version does not know (block flags)")
    if flags & _Flag.IRREGULAR and not frames:
        raise DamagedFileError("a block without frames has timestamps")
    lateness = _read_lateness(source, frames) if flags & _Flag.IRREGULAR else [0] * frames
    region = None
    if header.fit is Fit.REGION:
        region = Region(
            source.varint(MAX_DIMENSION), source.varint(MAX_DIMENSION), source.varint(MAX_DIMENSION)
        )
        if not region.side:
            raise DamagedFileError("the region of a block is empty")
    number = source.varint(MAX_COUNT)
    continues = bool(flags & _Flag.CONTINUES)
    current, runs = None, None
    if header.version == 1:
        needed = (number - 1,) if continues else _read_needed(source, number)
        references = _read_references_v1(source, frames)
    else:
        needed = ()
        if continues:
            chain = source.varint(min(MAX_CHAIN, number))
            needed = tuple(range(number - chain, number))
            back = source.varint(min(chain, RECENT) - 1) if chain else 0
            current = number - 1 - back if back else None
        references = _read_references_v2(source, frames, continues)
        if flags & _Flag.RUNS:
            last = number + len(references) - 1
            low = number - min(len(needed), RECENT)
            if low > last:
                raise DamagedFileError("a block has runs but no reference")
            runs = _read_runs(source, frames - len(references), low, last)
    if (needed and min(needed) < 0) or (continues and not needed):
        raise DamagedFileError("a block names a reference that cannot be")
    if frames and not needed and not any(r.offset == 0 for r in references) and runs is None:
        raise DamagedFileError("a block starts without a reference")
    guarded, sound = bool(flags & _Flag.GUARDED), bool(flags & _Flag.AUDIO)
    size = source.varint() if sound or not guarded else None
    if guarded:
        check(source, 0, "head")
    pts = [header.regular_pts(first + i) + late for i, late in enumerate(lateness)]
    if any(b <= a for a, b in pairwise(pts)) or any(abs(t) > MAX_PTS for t in pts):
        raise DamagedFileError("the timestamps of a block are impossible")
    block = Block(
        first, tuple(pts), number, needed, references, b"", (), region,
        current, bool(flags & _Flag.PAIRS), runs, bool(flags & _Flag.GOLOMB), guarded,
    )  # fmt: skip
    return _Head(block, size, sound)


def _read_landmarks(source: ByteReader, head: _Head) -> bytes:
    start = source.position
    data = source.take(source.remaining if head.size is None else head.size)
    if head.block.guarded and head.sound:
        check(source, start, Part.LANDMARKS.value)
    return data


def _read_sound(source: ByteReader, head: _Head, header: Header) -> tuple[SoundPacket, ...]:
    if not head.sound:
        return ()
    start = source.position
    packets = _read_audio(source, header)
    if head.block.guarded:
        check(source, start, Part.SOUND.value)
    return packets


def read_block(payload: bytes, header: Header) -> Block:
    """Inverse of :func:`write_block`; landmark packets stay bit-packed.

    Raises:
        DamagedFileError: for truncated fields, impossible values, and checksums that do not match.
        UnsupportedError: for flags or a reference codec this version does not know.
    """
    source = ByteReader(payload)
    head = _read_head(source, header)
    landmarks, audio = _read_landmarks(source, head), _read_sound(source, head, header)
    if source.remaining:
        raise DamagedFileError("a block is longer than its contents")
    return replace(head.block, landmarks=landmarks, audio=audio)


def read_left(payload: bytes, header: Header) -> tuple[Block, int] | None:
    """What is left of a guarded block of which something is damaged, and how many bytes its head has.

    ``payload`` is what there is of it; parts whose checksum does not match are ``lost``.  None if the head
    is damaged, or if the block is not guarded.
    """
    source = ByteReader(payload)
    try:
        head = _read_head(source, header)
    except NeurocodecError:
        return None
    block, end = head.block, source.position
    if not block.guarded:
        return None
    lost: set[Part] = set()
    landmarks, audio = b"", tuple[SoundPacket, ...]()
    if head.size is None:  # then nothing tells that they are whole
        if len(block.pts) > len(block.references):
            lost.add(Part.LANDMARKS)
        return replace(block, lost=frozenset(lost)), end
    try:
        landmarks = _read_landmarks(source, head)
    except DamagedFileError:
        lost.add(Part.LANDMARKS)
    try:
        audio = _read_sound(ByteReader(payload[end + head.size + CHECK_BYTES :]), head, header)
    except DamagedFileError:
        lost.add(Part.SOUND)
    return replace(block, landmarks=landmarks, audio=audio, lost=frozenset(lost)), end


def read_block_start(payload_start: bytes, version: int) -> tuple[int, int] | None:
    """First frame and number of frames from a payload's first bytes; None when it cannot be a block's."""
    source = ByteReader(payload_start)
    try:
        first, frames, flags = source.varint(MAX_COUNT), source.varint(MAX_FRAMES), source.byte()
    except DamagedFileError:
        return None
    return None if flags & ~_KNOWN_FLAGS[version] else (first, frames)
