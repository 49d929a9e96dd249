"""A file of version 4, whose blocks have a checksum for each part, and damage to it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import tiny_files
from tiny_files import make

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.format.block import Block
from neurocodec.format.block_writer import write_block
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.options import DecodeOptions

H = tiny_files.header(version=4)
BLOCKS = [replace(block, guarded=True) for block in tiny_files.long_blocks(H)]
WHOLE = make.file(H, BLOCKS)
SILENT_HEADER = make.header(version=4)
SILENT = make.file(SILENT_HEADER, [replace(block, audio=()) for block in BLOCKS])


def parts_of(data: bytes, k: int, blocks: list[Block] = BLOCKS) -> dict[str, range]:
    """Where the parts of block ``k`` lie in a file; the checksum of a part is of it."""
    start = tiny_files.places(data)[k]
    block = blocks[k]
    sound = sum(len(p.data) for p in block.audio)
    at = data.index(block.landmarks, start)
    head = range(data.index(write_block(block, H)[:8], start), at)
    landmarks = range(at, at + len(block.landmarks) + (2 if sound else 0))
    end = (
        tiny_files.places(data)[k + 1]
        if k + 1 < len(blocks)
        else len(data) - 3 - int.from_bytes(data[-3:], "little")
    )
    return {"head": head, "landmarks": landmarks, "sound": range(landmarks.stop, end - 4)}


def flipped(data: bytes, bit: int) -> bytes:
    bad = bytearray(data)
    bad[bit >> 3] ^= 1 << (bit & 7)
    return bytes(bad)


def left_of(data: bytes) -> tuple[list[Block], list[Loss]]:
    """All blocks that are there, whole or not, and the losses."""
    found = list(NfcReader(io.BytesIO(data)))
    blocks = [i.salvaged if isinstance(i, Loss) else i[0] for i in found]
    return [b for b in blocks if b is not None], [i for i in found if isinstance(i, Loss)]


def items(data: bytes, model: str, **options: Any) -> tuple[list[Any], DecodeReport]:
    report = DecodeReport()
    reader = NfcReader(io.BytesIO(data))
    return list(decode_pictures(reader, DecodeOptions(model=model, **options), report)), report
