"""A layered file (version 5) of four blocks, and where its chunks lie."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import tiny_files
from tiny_files import make

from neurocodec.format.block import Block
from neurocodec.format.chunks import outline_chunk
from neurocodec.format.header import Fit
from neurocodec.format.reader import NfcReader

H = make.header(
    version=5, layered=True, fit=Fit.REGION, width=96, height=72, audio=tiny_files.SOUND,
    time_base=Fraction(1, 1000),
)  # fmt: skip
BLOCKS = make.layered(H)
WHOLE = make.file(H, BLOCKS)


def chunks_of(data: bytes) -> list[tuple[int, range]]:
    """Types and places of the chunks behind the header."""
    found, at = [], tiny_files.places(data)[0]
    while at < len(data) - 3:
        outline = outline_chunk(data[at:], layered=True)
        assert not isinstance(outline, str)
        found.append((outline[0], range(at, at + outline[2])))
        at += outline[2]
    return found


PLACES = chunks_of(WHOLE)


def without(*chunks: int) -> bytes:
    """The file without these of its chunks."""
    data = WHOLE[: PLACES[0][1].start]
    for k, (_, place) in enumerate(PLACES):
        data += b"" if k in chunks else WHOLE[place.start : place.stop]
    return data + WHOLE[-3:]


def with_bytes(place: int, change: Callable[[int], int]) -> bytes:
    """The file with one byte changed."""
    bad = bytearray(WHOLE)
    bad[place] = change(bad[place])
    return bytes(bad)


__all__ = ["BLOCKS", "PLACES", "WHOLE", "Block", "H", "NfcReader", "chunks_of", "with_bytes", "without"]
