"""What is left of a file after random damage: ``python tools/damage_table.py FILE.nfc [--guarded]``.

Damages a file in memory, again and again, reads what is left as the decoder does (blocks, landmark packets,
which references are at hand; nothing is rendered), and prints a table in Markdown.  With ``--guarded``, what
is damaged is the same file in version 4 of the format, its blocks guarded.  Seeds are fixed.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from neurocodec.errors import NeurocodecError
from neurocodec.format.block import Block
from neurocodec.format.checksums import Part
from neurocodec.format.damage import Loss
from neurocodec.format.header import Header
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packets import parse_frames
from neurocodec.references.store import ReferenceStore

Random = np.random.Generator
PIECE = 200
"""Bytes of the longer damages."""


def _flip(data: bytearray, rng: Random) -> None:
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)


def _byte(data: bytearray, rng: Random) -> None:
    data[rng.integers(len(data))] ^= rng.integers(1, 256)


def _ten(data: bytearray, rng: Random) -> None:
    for _ in range(10):
        _byte(data, rng)


def _zeros(data: bytearray, rng: Random) -> None:
    at = rng.integers(len(data) - PIECE)
    data[at : at + PIECE] = bytes(PIECE)


def _remove(data: bytearray, rng: Random) -> None:
    at = rng.integers(len(data) - PIECE)
    del data[at : at + PIECE]


def _insert(data: bytearray, rng: Random) -> None:
    at = rng.integers(len(data))
    data[at:at] = rng.bytes(PIECE)


def _cut(data: bytearray, rng: Random) -> None:
    del data[rng.integers(1, len(data)) :]


DAMAGES: dict[str, Callable[[bytearray, Random], None]] = {
    "one bit flipped": _flip,
    "one byte changed": _byte,
    "ten bytes changed": _ten,
    f"{PIECE} bytes zeroed": _zeros,
    f"{PIECE} bytes missing": _remove,
    f"{PIECE} foreign bytes": _insert,
    "cut off somewhere": _cut,
}


@dataclass(frozen=True)
class Left:
    """What can be decoded: frames as they were, frames whose landmarks are lost, packets of sound.

    ``lost_blocks`` counts those of which nothing is left.
    """

    readable: bool
    frames: int = 0
    concealed: int = 0
    sound: int = 0
    lost_blocks: int = 0
    reported: bool = False


@lru_cache(maxsize=64)
def _parsed(block: Block, header: Header) -> int:
    """How many frames a block's packets give; blocks that came whole are the same again and again."""
    return len(parse_frames(block, header))


def left_of(data: bytes, blocks: int) -> Left:
    """What is left of a file that had so many blocks."""
    try:
        reader = NfcReader(io.BytesIO(data))
        store = ReferenceStore(reader.header.model_size)
        frames = concealed = sound = there = losses = 0
        for item in reader:
            if not isinstance(item, Loss):
                block = item[0]
            else:
                losses += 1
                if item.salvaged is None:
                    continue
                block = item.salvaged
            there += 1
            sound += len(block.audio)
            usable = store.has(block.needed)
            for k, reference in enumerate(block.references):
                store.add(block.first_reference + k, reference)
            if usable and Part.LANDMARKS in block.lost:
                frames += len(block.references)
                concealed += len(block.pts) - len(block.references)
            elif usable:
                frames += _parsed(block, reader.header)
        return Left(
            True, frames, concealed, sound, blocks - there, losses > 0 or reader.corrected is not None
        )
    except NeurocodecError:
        return Left(False, lost_blocks=blocks, reported=True)


def guarded(data: bytes) -> bytes:
    """The same file in version 4."""
    reader, out = NfcReader(io.BytesIO(data)), io.BytesIO()
    writer = NfcWriter(out, replace(reader.header, version=4))
    for item in reader:
        if not isinstance(item, Loss):
            writer.write_block(replace(item[0], guarded=True))
    writer.close()
    return out.getvalue()


def tried(data: bytes, kind: str, count: int, seed: int) -> list[Left]:
    """The same damage at ``count`` places."""
    rng = np.random.default_rng(seed)
    whole = [item for item in NfcReader(io.BytesIO(data)) if not isinstance(item, Loss)]
    out = []
    for _ in range(count):
        bad = bytearray(data)
        DAMAGES[kind](bad, rng)
        out.append(left_of(bytes(bad), len(whole)))
    return out


def table(data: bytes, count: int, seed: int = 0) -> str:
    """The table in Markdown."""
    items = [item[0] for item in NfcReader(io.BytesIO(data)) if not isinstance(item, Loss)]
    frames, sound = sum(len(b.pts) for b in items), sum(len(b.audio) for b in items)
    lines = [
        f"| {count} times each | readable | frames recovered, mean | worst tenth | concealed "
        "| sound recovered |",
        "|---|---|---|---|---|---|",
    ]
    for k, kind in enumerate(DAMAGES):
        found = tried(data, kind, count, seed + k)
        shares = np.array([left.frames / frames for left in found])
        guessed = np.mean([left.concealed / frames for left in found])
        heard = np.mean([left.sound / max(sound, 1) for left in found])
        readable = np.mean([left.readable for left in found])
        lines.append(
            f"| {kind} | {100 * readable:.1f} % | {100 * shares.mean():.1f} % "
            f"| {100 * np.quantile(shares, 0.1):.0f} % | {100 * guessed:.1f} % | {100 * heard:.1f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    contents = arguments.file.read_bytes()
    print(table(guarded(contents) if arguments.guarded else contents, arguments.count))
