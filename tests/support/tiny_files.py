"""Small files for tests: rendered by the conformance model, so that they do not depend on shipped weights."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

import make
import tiny_model

from neurocodec.format.block import Block, SoundPacket
from neurocodec.format.header import AudioTrack, Header
from neurocodec.format.reader import NfcReader

write_model = tiny_model.write
FRAMES, BLOCKS = 10, 6
SOUND = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960, make.HEAD)


def tone(count: int) -> list[bytes]:
    """Opus packets of 20 ms of a tone, mono."""
    import av

    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "mono", "flt"  # type: ignore[attr-defined]
    encoder.bit_rate = 16000
    packets: list[bytes] = []
    for k in range(count + 2):
        samples = 0.3 * np.sin(np.arange(960 * k, 960 * k + 960) * 0.06)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.sample_rate, frame.pts = 48000, 960 * k
        packets += [bytes(p) for p in encoder.encode(frame)]  # type: ignore[attr-defined]
    return packets[:count]


def header(**changes: object) -> Header:
    return make.header(audio=SOUND, **changes)


def long_blocks(h: Header) -> list[Block]:
    """Six blocks of a second each: two chains of three blocks, sound all along."""
    links, sound = make.chain(3), tone(50 * BLOCKS)
    blocks = []
    for k in range(BLOCKS):
        rows = make.walk(FRAMES - 1, k)
        first = k % 3 == 0
        stills = make.linked([0], [links[k % 3]], first)
        packets = tuple(SoundPacket(sound[n], 960 * n - 312, 960) for n in range(50 * k, 50 * k + 50))
        blocks.append(
            Block(FRAMES * k, make.pts(h, FRAMES * k, FRAMES), k, () if first else tuple(range(k - k % 3, k)),
                  stills, make.coded([rows], h.landmark_code), packets)
        )  # fmt: skip
    return blocks


def long_file() -> bytes:
    """60 frames, 10 a second, in six blocks; references 0-2 and 3-5 are chains."""
    h = header()
    return make.file(h, long_blocks(h))


def places(data: bytes) -> list[int]:
    """Where each block begins."""
    entries = NfcReader(io.BytesIO(data)).index()
    assert entries is not None
    return [entry.offset for entry in entries]


def damaged(data: bytes, *numbers: int) -> bytes:
    """A bit flipped in each of these blocks."""
    bad, starts = bytearray(data), places(data)
    for k in numbers:
        bad[starts[k] + 30] ^= 4
    return bytes(bad)


def without(data: bytes, *numbers: int) -> bytes:
    """These blocks taken out cleanly."""
    starts = places(data)
    ends = [*starts[1:], len(data) - 3 - int.from_bytes(data[-3:], "little")]
    for k in sorted(numbers, reverse=True):
        data = data[: starts[k]] + data[ends[k] :]
    return data


__all__ = ["Header", "damaged", "header", "long_blocks", "long_file", "make", "places", "replace", "without"]
