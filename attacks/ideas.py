"""Ideas against the format, one function each: it returns the bytes of a hostile file.

``python attacks/ideas.py FOLDER`` writes them all.  What each is answered with is fixed here (exit code and
words) and tested by ``tests/attacks/test_attacks.py``; what the idea is stands in ``README.md``.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "conformance")]

import make
import numpy as np

from neurocodec.entropy.bits import svarint, varint
from neurocodec.format.block import Block, ReferenceFrame, Region, SoundPacket, StillCodec
from neurocodec.format.block_writer import write_block
from neurocodec.format.checksums import crc16
from neurocodec.format.chunks import (
    BLOCK_CHUNK,
    HEAD_CHUNK,
    HEADER_CHUNK,
    INDEX_CHUNK,
    LAYER_CHUNK,
    SIGNATURE,
    chunk,
)
from neurocodec.format.head import HeadPart, write_head
from neurocodec.format.header import AudioTrack, Header, write_header
from neurocodec.format.layer import LayerPart, LayerPicture, write_layer
from neurocodec.format.reader import NfcReader
from neurocodec.layers import switches

Bytes = Callable[[], bytes]


@dataclass(frozen=True)
class Attack:
    """A file, the command it is given to, and the answer: exit code and words of the one line."""

    name: str
    build: Bytes
    command: str
    code: int
    words: str
    suffix: str


ATTACKS: list[Attack] = []


def attack(command: str, code: int, words: str, suffix: str = ".nfc") -> Callable[[Bytes], Bytes]:
    """Register an idea; its name is the function's."""

    def register(build: Bytes) -> Bytes:
        ATTACKS.append(Attack(build.__name__, build, command, code, words, suffix))
        return build

    return register


# Material


def start(h: Header) -> bytes:
    return SIGNATURE + bytes([h.version]) + chunk(HEADER_CHUNK, write_header(h))


def end(stretches: bytes) -> bytes:
    index = chunk(INDEX_CHUNK, stretches)
    return index + len(index).to_bytes(3, "little")


def with_blocks(h: Header, blocks: list[Block], count: int = 1) -> bytes:
    """A file that nobody checked: no rule but those of the syntax."""
    return start(h) + count * b"".join(chunk(BLOCK_CHUNK, write_block(b, h)) for b in blocks) + end(b"")


def plain(frames: int = 5, data: bytes | None = None, codec: StillCodec = StillCodec.AV1) -> Block:
    """A key picture and frames that do not move."""
    h = make.header()
    still = make.still(0, 0).data if data is None else data
    packets = make.coded([[make.np.zeros(make.COUNT, make.np.int32)] * (frames - 1)], h.landmark_code)
    return Block(0, make.pts(h, 0, frames), 0, (), (ReferenceFrame(0, codec, still),), packets)


def good() -> bytes:
    return make.file(make.header(), [plain()])


# Lengths that lie


@attack("info", 4, "header .* is damaged")
def header_longer_than_the_file() -> bytes:
    return SIGNATURE + b"\2" + bytes([HEADER_CHUNK]) + varint(2_000_000) + bytes(40)


@attack("info", 7, "ends inside a chunk")
def block_longer_than_the_file() -> bytes:
    return start(make.header()) + bytes([BLOCK_CHUNK]) + varint(60_000_000) + bytes(40)


@attack("info", 7, "past the end of its chunk")
def reference_longer_than_its_block() -> bytes:
    payload = varint(0) + varint(1) + b"\0" + varint(0) + varint(1) + b"\0" + varint(8 * (1 << 24) + 2)
    return start(make.header()) + chunk(BLOCK_CHUNK, payload) + end(b"")


@attack("info", 7, "over the limit")
def more_frames_than_a_block_may_have() -> bytes:
    return start(make.header()) + chunk(BLOCK_CHUNK, varint(0) + varint(1 << 40) + bytes(9)) + end(b"")


@attack("info", 4, "too long|over the limit|damaged")
def endless_varint() -> bytes:
    return SIGNATURE + b"\2" + chunk(HEADER_CHUNK, b"\1" + b"\x80" * 4000)


@attack("info", 7, "audio packet|too early|past the end")
def sound_packets_of_sizes_that_lie() -> bytes:
    audio = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 0, 960, make.HEAD)
    h = make.header(audio=audio)
    payload = write_block(replace(plain(), audio=(SoundPacket(b"x", 0, 960),) * 50), h)
    return start(h) + chunk(BLOCK_CHUNK, payload[:-40]) + end(b"")


# An index that lies


@attack("decode --start 0.2 --duration 0.2", 0, "")
def index_with_overlapping_stretches() -> bytes:
    """Two entries for one block; it is not believed, the file is read in order."""
    data = good()
    size = NfcReader(io.BytesIO(data)).index()[0]  # type: ignore[index]
    body = data[: size.offset + (len(data) - 3 - int.from_bytes(data[-3:], "little") - size.offset)]
    return body + end((varint(len(body) - size.offset) + varint(5) + varint(1) + svarint(0)) * 2)


@attack("decode --start 0.2 --duration 0.2", 4, "damaged")
def index_with_other_numbers() -> bytes:
    data = good()
    entry = NfcReader(io.BytesIO(data)).index()[0]  # type: ignore[index]
    body = data[: len(data) - 3 - int.from_bytes(data[-3:], "little")]
    return body + end(varint(len(body) - entry.offset) + varint(9) + varint(3) + svarint(0))


@attack("decode --start 0.2 --duration 0.2", 0, "")
def index_beyond_the_file() -> bytes:
    return good()[:-3] + b"\xff\xff\xff"


@attack("info", 7, "lost in time")
def index_that_promises_a_trillion_frames() -> bytes:
    data = good()
    body = data[: len(data) - 3 - int.from_bytes(data[-3:], "little")]
    return body + end((varint(6) + varint(5000) + varint(0) + svarint(0)) * 200_000)


# Checksums that are correct over nonsense


@attack("decode", 4, "header|zero|damaged")
def header_of_zeros() -> bytes:
    return SIGNATURE + b"\2" + chunk(HEADER_CHUNK, bytes(60))


@attack("decode", 4, "nothing of .* can be decoded")
def block_of_noise() -> bytes:
    noise = b"".join(zlib.crc32(bytes([k])).to_bytes(4, "big") for k in range(200))
    return start(make.header()) + chunk(BLOCK_CHUNK, b"\0\5\0" + noise) + end(b"")


@attack("decode", 4, "nothing of .* can be decoded: frames from 0.00 s on are lost")
def packets_of_noise() -> bytes:
    return with_blocks(make.header(), [replace(plain(), landmarks=b"\xff" * 500)])


@attack("decode", 4, "a reference frame cannot be decoded")
def picture_of_noise() -> bytes:
    return with_blocks(make.header(), [plain(data=bytes(range(1, 200)))])


@attack("decode", 4, "a reference frame cannot be decoded")
def picture_of_another_size() -> bytes:
    from neurocodec.references.still import encode_still

    large = make.np.zeros((1024, 1024, 3), make.np.uint8)
    return with_blocks(make.header(), [plain(data=encode_still(large, StillCodec.AV1, 10))])


@attack("decode", 4, "a reference frame cannot be decoded")
def jpeg_that_claims_65535_squared() -> bytes:
    from neurocodec.references.still import encode_still

    data = bytearray(encode_still(make.picture(0), StillCodec.JPEG, 90))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\xff\xff\xff\xff"
    return with_blocks(make.header(), [plain(data=bytes(data), codec=StillCodec.JPEG)])


@attack("decode", 0, "")
def symbols_as_wild_as_can_be() -> bytes:
    """Keypoints 80,000 pictures away: rendered, as anything."""
    rows = [make.np.full(make.COUNT, (-1) ** k * (2**23 - 1), make.np.int32) for k in range(4)]
    h = make.header(quantization=1)
    return with_blocks(h, [replace(plain(), landmarks=make.coded([rows], h.landmark_code))])


@attack("decode", 7, "out of order")
def the_same_block_again() -> bytes:
    return with_blocks(make.header(), [plain()], count=3)


@attack("decode", 7, "their reference is|are missing|lost")
def block_that_needs_what_never_came() -> bytes:
    h = make.header()
    needed = tuple(range(1, 9))
    later = replace(plain(), first_frame=5, pts=make.pts(h, 5, 5), first_reference=9, needed=needed)
    return with_blocks(h, [plain(), later])


@attack("decode", 5, "block flags")
def feature_of_the_future() -> bytes:
    return start(make.header()) + chunk(BLOCK_CHUNK, b"\0\1\x80" + bytes(9)) + end(b"")


@attack("decode", 5, "format version 9")
def version_of_the_future() -> bytes:
    return SIGNATURE + b"\x09" + good()[5:]


# Checksums of parts (version 4)


def guarded_payload(size: int | None = None) -> tuple[Header, bytes]:
    """A guarded block with sound; ``size`` is what its head says of its landmarks, under a right checksum."""
    h = make.header(version=4, audio=AudioTrack("opus", 48000, 1, Fraction(1, 48000), 0, 960, make.HEAD))
    moving = make.coded([make.walk(4, 1)], h.landmark_code)
    block = replace(plain(), landmarks=moving, audio=(SoundPacket(b"x" * 40, 0, 960),) * 5, guarded=True)
    payload = write_block(block, h)
    at = payload.index(block.landmarks)
    if size is None:
        return h, payload
    head = payload[: at - 2 - len(varint(len(block.landmarks)))] + varint(size)
    return h, head + crc16(head) + payload[at:]


@attack("info", 7, "the checksum of a block's sound does not match")
def part_with_a_wrong_checksum() -> bytes:
    """Under one of the chunk that is right: no accident, so that none of the block is believed."""
    h, payload = guarded_payload()
    return start(h) + chunk(BLOCK_CHUNK, payload[:-1] + bytes([payload[-1] ^ 1])) + end(b"")


@attack("decode", 7, "landmarks and sound of a block")
def landmarks_longer_than_their_damaged_block() -> bytes:
    h, payload = guarded_payload(size=(1 << 62))
    whole = bytearray(chunk(BLOCK_CHUNK, payload))
    whole[-1] ^= 1
    return start(h) + bytes(whole) + end(b"")


@attack("info", 7, "byte|checksum")
def nothing_but_heads_of_blocks() -> bytes:
    """Each of them would be read to its checksum, five thousand frames and all; the search has a budget."""
    h = make.header(version=4, fps=Fraction(1000))
    key = ReferenceFrame(0, StillCodec.AV1, b"k")
    payload = write_block(Block(0, make.pts(h, 0, 5000), 0, (), (key,), b"", guarded=True), h)
    return start(h) + (bytes([BLOCK_CHUNK]) + varint(1000) + payload[:-1] + b"\0") * 30_000


# Layers and heads (version 5)


def layered_start(frames: int, fps: int = 1000) -> tuple[Header, bytes]:
    """A header, and the file up to the chunk of a block that is an entry."""
    h = make.header(version=5, layered=True, fit=make.Fit.REGION, fps=Fraction(fps))
    return h, start(h) + chunk(BLOCK_CHUNK, write_block(entry(h, 0, frames), h))


def entry(h: Header, first: int, frames: int) -> Block:
    return Block(first, make.pts(h, first, frames), 0, (), (), b"", guarded=True, entry=True)


@attack("info", 7, "the layer of a block")
def layer_larger_than_the_picture() -> bytes:
    _, data = layered_start(5)
    layer = LayerPart((LayerPicture(0, b"k"),), (32768, 32768))
    return data + chunk(LAYER_CHUNK, write_layer(layer, 0)) + end(b"")


@attack("info", 7, "the layer of a block")
def pictures_of_a_layer_longer_than_it() -> bytes:
    _, data = layered_start(5)
    sizes = b"".join(varint(0) + varint(1 << 24) for _ in range(5))
    return data + chunk(LAYER_CHUNK, b"\0\1" + varint(64) * 2 + varint(5) + sizes) + end(b"")


@attack("decode", 4, "nothing of .* can be decoded")
def places_of_a_layer_that_cost_nothing() -> bytes:
    """In front of each of 2000 pictures is a frame all of whose places are decided, in some hundred bytes."""
    _, data = layered_start(4001)
    pictures = tuple(LayerPicture(2 * k, b"k") for k in range(2001))
    frames, grid = [0] + [1] * 2000, (24, 24)
    with patch.object(switches, "PLACES_A_BYTE", 1 << 20):
        coded = switches.write_switches(
            [None, *[switches.Switch(1, np.zeros(grid, np.bool_))] * 1800, *[None] * 200], frames, grid
        )
    layer = LayerPart(pictures, (64, 64), coded)
    return data + chunk(LAYER_CHUNK, write_layer(layer, 0)) + end(b"")


@attack("info", 7, "out of place")
def heads_without_a_block() -> bytes:
    _, data = layered_start(5)
    part = HeadPart(0, 0, 5, ((0, Region(0, 0, 9)),), b"")
    return data + chunk(HEAD_CHUNK, write_head(part, 4)) * 200 + end(b"")


def still_heads(blocks: int, heads: int, keypoints: int = 5) -> bytes:
    """A file of so many heads of 5000 frames, which stay where they are, in each of its blocks."""
    h = replace(layered_start(1)[0], keypoints=keypoints)
    layer = LayerPart((LayerPicture(0, b"k"),), (64, 64))
    data = start(h)
    for k in range(blocks):
        data += chunk(BLOCK_CHUNK, write_block(entry(h, 5000 * k, 5000), h))
        data += chunk(LAYER_CHUNK, write_layer(layer, 5000 * k))
        for head in range(heads):
            part = HeadPart(head, 0, 5000, ((0, Region(0, 0, 9)),), b"")
            data += chunk(HEAD_CHUNK, write_head(part, 5000 * k))
    return data + end(b"")


@attack("info", 7, "the heads of a block")
def more_heads_than_a_frame_may_have() -> bytes:
    return still_heads(10, 64)


@attack("info --packets", 5, "too many packets")
def heads_that_cost_nothing() -> bytes:
    """Sixteen in every frame, whose packets have no bytes at all."""
    return still_heads(1, 16, 1024)


@attack("info", 7, "the heads of a block")
def squares_that_run_away() -> bytes:
    """Each is larger than the one before, by far."""
    _, data = layered_start(5)
    key = write_layer(LayerPart((LayerPicture(0, b"k"),), (64, 64)), 0)
    squares = tuple((k, Region(0, 0, 1 + (k << 60))) for k in range(5))
    part = HeadPart(0, 0, 5, squares, b"")
    return data + chunk(LAYER_CHUNK, key) + chunk(HEAD_CHUNK, write_head(part, 0)) + end(b"")


@attack("info", 7, "byte|chunk|heads")
def nothing_but_beginnings_of_heads() -> bytes:
    """As with blocks, each would be checksummed; the search has a budget."""
    _, data = layered_start(5)
    return data + b"\xf5\x80\x80\x80\x08\0\1\0" * 30_000


@attack("info", 7, "the layer of a block")
def optional_chunks_without_end() -> bytes:
    """Between a block and its layer; they are held for ``repair``, but not all."""
    _, data = layered_start(5)
    return data + chunk(0xE1, b"") * 200_000 + end(b"")


# Descriptions


def described(payload: bytes) -> bytes:
    """A good file with this description."""
    return make.file(make.header(), [plain()], words=payload)


def deflated(fields: bytes) -> bytes:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"\1" + squeezer.compress(fields) + squeezer.flush()


@attack("decode", 0, "")
def description_of_terminal_escapes() -> bytes:
    """A title that would clear the screen: the description is left out, the video is not."""
    title = b"\x1b[2J\x07"
    return described(b"\0\1" + varint(len(title)) + title)


@attack("info", 7, "control characters")
def description_that_turns_the_writing_about() -> bytes:
    """Overrides of direction, so that a title reads as another one."""
    title = "safe\u202egnp.exe".encode()
    return described(b"\0\1" + varint(len(title)) + title)


@attack("info", 7, "too long")
def description_that_unpacks_a_thousandfold() -> bytes:
    return described(deflated(b"\x7f" + varint(15_000_000) + bytes(15_000_000)))


@attack("info", 7, "out of order, or too many")
def chapters_without_end() -> bytes:
    """5000 chapters of a millisecond, a few bytes once they are packed."""
    chapters = b"\0\1\0" * 5000
    return described(deflated(b"\x09" + varint(len(chapters)) + chapters))


# Little that becomes much


@attack("decode", 5, "--size-limit")
def tiny_file_of_huge_pictures() -> bytes:
    h = make.header(width=8192, height=4320)
    return with_blocks(h, [plain(2)])


@attack("info --frame-limit 100000", 5, "--frame-limit")
def frames_that_cost_nothing() -> bytes:
    """Frames that do not move: 5000 in twenty bytes, so that ten kilobytes would last twelve hours."""
    h = make.header(fps=Fraction(1000))
    blocks = []
    packets = make.coded([[make.np.zeros(make.COUNT, make.np.int32)] * 4999], h.landmark_code)
    key = ReferenceFrame(0, StillCodec.AV1, b"k")
    for k in range(25):
        block = Block(5000 * k, make.pts(h, 5000 * k, 5000), k, (), (key,), packets)
        blocks.append(chunk(BLOCK_CHUNK, write_block(block, h)))
    return start(h) + b"".join(blocks) + end(b"")


@attack("info --packets", 5, "too many packets to list")
def packets_that_list_a_thousandfold() -> bytes:
    h = make.header(keypoints=1024)
    from neurocodec.keypoints.packet_code import PacketEncoder

    writer = PacketEncoder(h.landmark_code, 2048)
    for _ in range(4999):
        writer.write(make.np.zeros(2048, make.np.int32))
    key = ReferenceFrame(0, StillCodec.AV1, b"k")
    block = Block(0, make.pts(h, 0, 5000), 0, (), (key,), writer.getvalue())
    second = replace(block, first_frame=5000, pts=make.pts(h, 5000, 5000), first_reference=1)
    return with_blocks(h, [block, second])


@attack("info", 5, "too many to list")
def references_of_no_bytes() -> bytes:
    h = make.header(version=1, landmark_code=make.LandmarkCode.GOLOMB, fps=Fraction(1000))
    nothing = tuple(ReferenceFrame(k, StillCodec.AV1, b"") for k in range(5000))
    blocks = (Block(5000 * k, make.pts(h, 5000 * k, 5000), 5000 * k, (), nothing, b"") for k in range(50))
    return start(h) + b"".join(chunk(BLOCK_CHUNK, write_block(b, h)) for b in blocks) + end(b"")


@attack("decode", 4, "a reference frame cannot be decoded")
def av1_still_of_many_pictures() -> bytes:
    """20,000 key frames one after the other: a decoder would hold them all, here 400 MB, at most 90 GB."""
    return with_blocks(make.header(), [plain(data=20_000 * make.still(0, 0).data)])


@attack("decode", 4, "a reference frame cannot be decoded")
def hevc_still_of_many_pictures() -> bytes:
    data = make.still(0, 0, StillCodec.HEVC).data
    return with_blocks(make.header(), [plain(data=20_000 * data, codec=StillCodec.HEVC)])


@attack("decode", 4, "a reference frame cannot be decoded")
def progressive_jpeg() -> bytes:
    """Any number of scans, each a pass over the picture: only sequential JPEGs are read."""
    import cv2

    ok, data = cv2.imencode(".jpg", make.picture(0), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert ok
    return with_blocks(make.header(), [plain(data=data.tobytes(), codec=StillCodec.JPEG)])


@attack("info", 7, "byte|chunk")
def nothing_but_beginnings_of_chunks() -> bytes:
    """Each of them would be checksummed; the search has a budget."""
    return start(make.header()) + b"\xf2\x80\x80\x80\x08\0\1\0" * 30_000


@attack("info", 7, "and 93 more")
def losses_without_end() -> bytes:
    return with_blocks(make.header(), [plain()], count=300)


@attack("info", 7, "lost in time")
def gap_of_a_trillion_frames() -> bytes:
    """Blocks that are far apart; ``decode`` holds so many pictures, then the last one just stays."""
    h = make.header()
    later = replace(plain(), first_frame=1 << 40, pts=make.pts(h, 1 << 40, 5), first_reference=1)
    return with_blocks(h, [plain(), later])


# Texts and names


@attack("decode", 5, "not installed")
def model_by_a_path() -> bytes:
    return with_blocks(make.header(model="../../../../etc/passwd", model_hash=b"x" * 8), [plain()])


@attack("decode", 5, "not installed")
def model_named_like_a_terminal_escape() -> bytes:
    """A text holds printable ASCII only, so the nearest thing is a name that looks like one."""
    return with_blocks(make.header(model="\\x1b[2J%n%s{0}", model_hash=b"x" * 8), [plain()])


@attack("info", 4, "not valid text")
def model_named_by_control_characters() -> bytes:
    raw = write_header(make.header())
    raw = raw.replace(b"conformance64", b"\x1b[2Jmance64\r\n")
    return SIGNATURE + b"\2" + chunk(HEADER_CHUNK, raw) + end(b"")


# Models to import


def safetensors(description: Any, tensors: dict[str, Any] | None = None, claim: int | None = None) -> bytes:
    """A safetensors file with any description; ``claim`` is the length its header says it has."""
    text = json.dumps({"__metadata__": {"neurocodec": json.dumps(description)}, **(tensors or {})}).encode()
    return struct.pack("<Q", len(text) if claim is None else claim) + text


DESCRIPTION = {
    "name": "m", "kind": "motion", "architecture": "talk", "size": 64, "keypoints": 5,
    "config": {"size": 64, "num_tps": 1}, "hash": "0" * 64,
}  # fmt: skip


@attack("models import", 3, "not a neurocodec model", ".safetensors")
def model_name_that_climbs() -> bytes:
    return safetensors(DESCRIPTION | {"name": "../../evil"})


@attack("models import --name ../../evil", 3, "hash differs", ".safetensors")
def model_that_is_not_what_its_hash_says() -> bytes:
    return safetensors(DESCRIPTION)


@attack("models import", 3, "not a neurocodec model", ".safetensors")
def safetensors_header_of_an_exabyte() -> bytes:
    return safetensors(DESCRIPTION, claim=1 << 60)


@attack("models import", 3, "cannot be read|not a neurocodec model", ".safetensors")
def tensors_that_overlap() -> bytes:
    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return safetensors(DESCRIPTION, {"a": one, "b": one}) + bytes(16)


class _Runs:
    def __reduce__(self) -> Any:
        return print, ("pickled code has run",)


def archive(data: bytes) -> bytes:
    """What torch.save writes around a pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/version", b"3\n")
    return out.getvalue()


@attack("models import", 5, "refused, because it holds more than tensors", ".pth")
def pickle_that_runs_code() -> bytes:
    return archive(pickle.dumps({"kp_detector": _Runs()}, protocol=2))


@attack("models import", 5, "nests too deep", ".pth")
def pickle_of_nested_tuples() -> bytes:
    """(t, t) sixty times over: 2^60 steps to hash it as a key, in two hundred bytes."""
    doubled = b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(60))
    return archive(b"\x80\x02}" + b")" + doubled + b"K\x01s.")


@attack("models import", 5, "refused|compressed", ".pth")
def checkpoint_that_unpacks_a_thousandfold() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"\x80\x02}.")
        file.writestr("archive/data/0", bytes(50_000_000))
    return out.getvalue()


@attack("models import", 5, "refused, because it holds more than tensors", ".pth")
def pickle_of_a_huge_bytearray() -> bytes:
    """bytearray(2^40): allowed to PyTorch's restricted reader, not to ours."""
    return archive(b"\x80\x02c__builtin__\nbytearray\n\x8a\x06" + (1 << 40).to_bytes(6, "little") + b"\x85R.")


@attack("models import", 3, "checkpoint", ".tar")
def checkpoint_of_noise() -> bytes:
    return bytes(zlib.crc32(bytes([k & 255, k >> 8])) & 255 for k in range(5000))


def main(folder: Path) -> None:
    """Write all files."""
    folder.mkdir(parents=True, exist_ok=True)
    for idea in ATTACKS:
        (folder / f"{idea.name}{idea.suffix}").write_bytes(idea.build())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
