"""From the payload of a block's chunk to the block, or to what is left of a damaged one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from neurocodec.entropy.bits import BitReader, ByteReader
from neurocodec.entropy.golomb import AdaptiveGolomb
from neurocodec.errors import DamagedFileError, NeurocodecError, UnsupportedError
from neurocodec.format.block import (
    KNOWN_FLAGS,
    LAYERED_FLAGS,
    MAX_AUDIO_PACKETS,
    MAX_BLOCK_REFERENCES,
    MAX_CHAIN,
    MAX_COUNT,
    MAX_FRAMES,
    MAX_NEEDED,
    MAX_REFERENCE_BYTES,
    RECENT,
    TIMING_BITS,
    Block,
    Flag,
    ReferenceFrame,
    Region,
    Run,
    SoundPacket,
    StillCodec,
)
from neurocodec.format.checksums import CHECK_BYTES, Part, check
from neurocodec.format.header import MAX_DIMENSION, MAX_PTS, MAX_TERM, Fit, Header


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
    """All of a block up to its landmark packets, which have ``size`` bytes (None: all that follow)."""

    block: Block
    size: int | None
    sound: bool


def _read_head(source: ByteReader, header: Header) -> _Head:
    """The part of a block that all others need; in a guarded block, its checksum too."""
    first, frames = source.varint(MAX_COUNT), source.varint(MAX_FRAMES)
    flags = source.byte()
    if flags & ~_known_flags(header):
        raise UnsupportedError("the file uses a feature this version does not know (block flags)")
    if flags & Flag.IRREGULAR and not frames:
        raise DamagedFileError("a block without frames has timestamps")
    lateness = _read_lateness(source, frames) if flags & Flag.IRREGULAR else [0] * frames
    guarded, sound = bool(flags & Flag.GUARDED), bool(flags & Flag.AUDIO)
    if header.layered:
        if guarded:
            check(source, 0, "head")
        entry = bool(flags & Flag.ENTRY)
        if (entry and not frames) or (frames and not first and not entry):
            raise DamagedFileError("a block without frames is an entry, or the first one is not")
        pts = _timestamps(header, first, lateness)
        return _Head(Block(first, pts, 0, (), (), b"", guarded=guarded, entry=entry), 0, sound)
    region = None
    if header.fit is Fit.REGION:
        region = Region(
            source.varint(MAX_DIMENSION), source.varint(MAX_DIMENSION), source.varint(MAX_DIMENSION)
        )
        if not region.side:
            raise DamagedFileError("the region of a block is empty")
    number = source.varint(MAX_COUNT)
    continues = bool(flags & Flag.CONTINUES)
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
        if flags & Flag.RUNS:
            last = number + len(references) - 1
            low = number - min(len(needed), RECENT)
            if low > last:
                raise DamagedFileError("a block has runs but no reference")
            runs = _read_runs(source, frames - len(references), low, last)
    if (needed and min(needed) < 0) or (continues and not needed):
        raise DamagedFileError("a block names a reference that cannot be")
    if frames and not needed and not any(r.offset == 0 for r in references) and runs is None:
        raise DamagedFileError("a block starts without a reference")
    size = source.varint() if sound or not guarded else None
    if guarded:
        check(source, 0, "head")
    block = Block(
        first, _timestamps(header, first, lateness), number, needed, references, b"", (), region,
        current, bool(flags & Flag.PAIRS), runs, bool(flags & Flag.GOLOMB), guarded,
    )  # fmt: skip
    return _Head(block, size, sound)


def _known_flags(header: Header) -> int:
    return LAYERED_FLAGS if header.layered else KNOWN_FLAGS[header.version]


def _timestamps(header: Header, first: int, lateness: list[int]) -> tuple[int, ...]:
    pts = tuple(header.regular_pts(first + i) + late for i, late in enumerate(lateness))
    if any(b <= a for a, b in pairwise(pts)) or any(abs(t) > MAX_PTS for t in pts):
        raise DamagedFileError("the timestamps of a block are impossible")
    return pts


def _read_packets(source: ByteReader, head: _Head) -> bytes:
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
    """Inverse of :func:`neurocodec.format.block_writer.write_block`; landmark packets stay bit-packed.

    Raises:
        DamagedFileError: for truncated fields, impossible values, and checksums that do not match.
        UnsupportedError: for flags or a reference codec this version does not know.
    """
    source = ByteReader(payload)
    head = _read_head(source, header)
    landmarks = b"" if header.layered else _read_packets(source, head)
    audio = _read_sound(source, head, header)
    if source.remaining:
        raise DamagedFileError("a block is longer than its contents")
    return replace(head.block, landmarks=landmarks, audio=audio)


def salvage_block(payload: bytes, header: Header) -> tuple[Block, int] | None:
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
    start = end
    if not header.layered:
        start += head.size + CHECK_BYTES
        try:
            landmarks = _read_packets(source, head)
        except DamagedFileError:
            lost.add(Part.LANDMARKS)
    try:
        audio = _read_sound(ByteReader(payload[start:]), head, header)
    except DamagedFileError:
        lost.add(Part.SOUND)
    return replace(block, landmarks=landmarks, audio=audio, lost=frozenset(lost)), end


def read_block_start(payload_start: bytes, header: Header) -> tuple[int, int] | None:
    """First frame and number of frames from a payload's first bytes; None when it cannot be a block's."""
    source = ByteReader(payload_start)
    try:
        first, frames, flags = source.varint(MAX_COUNT), source.varint(MAX_FRAMES), source.byte()
    except DamagedFileError:
        return None
    return None if flags & ~_known_flags(header) else (first, frames)
