"""From a block to the payload of its chunk."""

from __future__ import annotations

from itertools import pairwise

from neurocodec.entropy.bits import BitWriter, svarint, varint
from neurocodec.entropy.golomb import AdaptiveGolomb
from neurocodec.format.block import TIMING_BITS, Block, Flag, SoundPacket
from neurocodec.format.checksums import crc16
from neurocodec.format.header import Fit, Header


def write_block(block: Block, header: Header) -> bytes:
    """Payload of a block chunk (``docs/format.md``, "Block"); layer and heads have chunks of their own.

    Raises:
        ValueError: the block has what the header's version of the format lacks, or lost a part.
    """
    if block.lost:
        raise ValueError("a block that lost a part cannot be written")
    if block.guarded and header.version < 4:
        raise ValueError("guarded blocks need version 4 of the format")
    if header.layered:
        _check_layered(block)
    elif block.layer is not None or block.heads or block.entry:
        raise ValueError("a layer and heads need a layered file")
    lateness = [t - header.regular_pts(block.first_frame + i) for i, t in enumerate(block.pts)]
    irregular = any(lateness)
    if header.version == 1:
        continues = block.needed == (block.first_reference - 1,)
    else:
        continues = bool(block.needed)
    out = bytearray(varint(block.first_frame) + varint(len(block.pts)))
    flags = Flag.IRREGULAR * irregular | Flag.AUDIO * bool(block.audio) | Flag.CONTINUES * continues
    out.append(
        flags
        | Flag.RUNS * (block.runs is not None)
        | Flag.PAIRS * block.pairs
        | Flag.GOLOMB * block.golomb
        | Flag.GUARDED * block.guarded
        | Flag.ENTRY * block.entry
    )
    if irregular:
        bits = BitWriter()
        AdaptiveGolomb(TIMING_BITS).write(bits, [b - a for a, b in pairwise(lateness)])
        timing = bits.getvalue()
        out += svarint(lateness[0]) + varint(len(timing)) + timing
    if header.layered:
        return bytes(out) + _layered_rest(block, header, bytes(out))
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


def _check_layered(block: Block) -> None:
    """Refuse what the block of a layered file has no place for."""
    plain = Block(
        block.first_frame, block.pts, 0, (), (), b"", block.audio,
        guarded=block.guarded, layer=block.layer, heads=block.heads, entry=block.entry,
    )  # fmt: skip
    if block != plain:
        raise ValueError("a block of a layered file has landmarks in its heads alone, and no references")


def _layered_rest(block: Block, header: Header, head: bytes) -> bytes:
    """What follows the head of a block of a layered file: checksums and sound."""
    sound = _audio_bytes(block.audio, header) if block.audio else b""
    if not block.guarded:
        return sound
    return crc16(head) + sound + (crc16(sound) if sound else b"")


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
