"""Small layered files whose pictures are no pictures: for what reads integers only."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from any_files import NEWER, SOUND

from neurocodec.format.block import Block, Region, SoundPacket
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Fit, Header
from neurocodec.format.layer import LayerPart, LayerPicture
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packets import outline_head, pack_head

HEADER = replace(NEWER, version=5, layered=True, fit=Fit.REGION, width=96, height=72, audio=SOUND)


def pts(first: int, count: int, header: Header = HEADER) -> tuple[int, ...]:
    return tuple(header.regular_pts(first + k) for k in range(count))


def layer(*offsets: int, size: tuple[int, int] | None = None) -> LayerPart:
    return LayerPart(tuple(LayerPicture(o, b"picture %d" % o) for o in offsets), size)


def head(
    number: int, start: int, frames: int, shown: LayerPart | None, *moves: tuple[int, Region],
    header: Header = HEADER, size: float = 3,
) -> HeadPart:  # fmt: skip
    """Some frames of a head over a layer, with symbols that wander."""
    squares = ((start, Region(3, -2, 30)), *moves)
    part = HeadPart(number, start, frames, squares, b"")
    offsets = {picture.offset for picture in shown.pictures} if shown else set()
    rng = np.random.default_rng(100 * number + start)
    symbols = [
        (f.fresh, np.rint(rng.normal(0, size, header.coordinates)).astype(np.int32))
        for f in outline_head(part, offsets)
        if f.offset not in offsets
    ]
    landmarks, golomb = pack_head(symbols, header)
    return replace(part, landmarks=landmarks, golomb=golomb)


def blocks(header: Header = HEADER) -> list[Block]:
    """An entry with two heads, a block that goes on from it, an entry without a head."""
    first, second = layer(0, 4, 5, size=(16, 8)), layer(2)
    heads = (
        head(0, 0, 8, first, (2, Region(4, -2, 30)), (5, Region(9, 0, 28)), header=header),
        head(7, 1, 2, first, header=header),
        head(7, 4, 2, first, header=header),
    )
    sound = tuple(SoundPacket(b"sound %d" % k, 960 * k - 312, 960) for k in range(3))
    start = Block(0, pts(0, 8, header), 0, (), (), b"", sound, guarded=True, entry=True, layer=first,
                  heads=heads)  # fmt: skip
    goes_on = Block(8, pts(8, 5, header), 0, (), (), b"", guarded=True, layer=second,
                    heads=(head(0, 0, 5, second, header=header),))  # fmt: skip
    last = Block(13, pts(13, 3, header), 0, (), (), b"", guarded=True, entry=True,
                 layer=layer(0, size=(16, 8)))  # fmt: skip
    return [start, goes_on, last]


def file(header: Header, parts: list[Block]) -> bytes:
    out = io.BytesIO()
    writer = NfcWriter(out, header)
    for block in parts:
        writer.write_block(block)
    writer.close()
    return out.getvalue()
