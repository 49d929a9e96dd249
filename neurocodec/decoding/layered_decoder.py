"""Turns blocks of a layered file into whole frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import groupby

import numpy as np

from neurocodec.compositing.heads import Head, LayerReferences, render_heads
from neurocodec.compositing.interpolation import Between
from neurocodec.decoding.basis import basis_of
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block, Region
from neurocodec.format.header import Header
from neurocodec.keypoints.packets import HeadSymbols, SymbolDigest, parse_head
from neurocodec.keypoints.quantization import dequantize
from neurocodec.layers.switches import Switch, block_switches
from neurocodec.layers.track import LayerTrack, Shown
from neurocodec.models.engines import engine_for
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import DecodeOptions
from neurocodec.types import Picture

_Heads = Iterator[tuple[int, Head]]
"""Offsets of frames in order, and a head in them."""


class LayeredDecoder:
    """Turns blocks of a layered file into whole frames (height,width,3).

    The model is opened when the first head comes.
    """

    def __init__(self, header: Header, options: DecodeOptions) -> None:
        self.header, self._options = header, options
        self.digest = SymbolDigest()
        self._track = LayerTrack(header.width, header.height)
        self._engine: MotionEngine | None = None
        self._references: LayerReferences | None = None

    def learn(self, block: Block) -> None:
        """Go on to the end of a block without showing it."""
        self._track.enter(block.layer)
        pictures = block.layer.pictures if block.layer else ()
        with suppress(DamagedFileError):
            self._track.skip([(p.data, block.pts[p.offset]) for p in pictures])

    def can_decode(self, block: Block) -> bool:
        """Whether there is a picture to begin with."""
        begins = block.layer is not None and block.layer.size is not None
        return begins or self._track.last is not None

    def pictures(self, block: Block, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Picture]]:
        """Timestamps and pictures (height,width,3) of those frames of a block whose offsets are wanted.

        With None, of all of them.

        Raises:
            DamagedFileError: the layer or the packets cannot be decoded.
        """
        self.digest.layered(block, self.header)
        heads = [parse_head(part, block, self.header) for part in block.heads]
        wanted = range(len(block.pts)) if wanted is None else wanted
        self._track.enter(block.layer)
        position = 0
        switches = block_switches(block.layer, self.header) if block.layer else []
        for coded, switch in zip(block.layer.pictures if block.layer else (), switches, strict=True):
            before = self._track.last
            after = self._track.decode(coded.data, block.pts[coded.offset])
            inside = [k for k in range(position, coded.offset) if k in wanted]
            yield from self._between(block, heads, inside, before, after, (position, switch))
            if coded.offset in wanted:
                yield after.pts, after.picture
            position = coded.offset + 1
        rest = [k for k in range(position, len(block.pts)) if k in wanted]
        yield from self._between(block, heads, rest, self._track.last, None)

    def _between(
        self,
        block: Block,
        parsed: list[list[HeadSymbols]],
        frames: list[int],
        before: Shown | None,
        after: Shown | None,
        switch: tuple[int, Switch | None] = (0, None),
    ) -> Iterator[tuple[int, Picture]]:
        """Frames between two pictures of the layer, or behind the last one of a block.

        ``switch``: where the stretch of frames begins, and what switches in it.
        """
        if not frames:
            return
        if before is None:
            raise DamagedFileError("the layer begins without a picture")
        way = Between(before.picture, after.picture, switch[1]) if after else None
        heads = [self._head(rows, frames, before, after) for rows in parsed]
        waiting = [next(head, None) for head in heads]
        for k in frames:
            pts = block.pts[k]
            if way and after:
                picture = way.at((pts - before.pts) / (after.pts - before.pts), k - switch[0])
            else:
                picture = before.picture.copy()
            for i, head in enumerate(heads):
                coming = waiting[i]
                if coming and coming[0] == k:
                    coming[1].lay_over(picture)
                    waiting[i] = next(head, None)
            yield pts, picture

    def _head(
        self, parsed: list[HeadSymbols], frames: list[int], before: Shown, after: Shown | None
    ) -> _Heads:
        """A head in those of the frames that have it."""
        rows = [row for row in parsed if row.offset in frames]
        for square, same in groupby(rows, key=lambda row: row.square):
            yield from self._rendered(list(same), square, before, after)

    def _rendered(
        self, rows: list[HeadSymbols], square: Region, before: Shown, after: Shown | None
    ) -> _Heads:
        engine, references = self._opened()
        used = [references.get(s.number, s.picture, square) for s in (before, after) if s]
        u = np.stack([row.symbols for row in rows if row.symbols is not None])
        values = dequantize(u, used[0].ready.coded, self.header.quantization, basis_of(self.header, engine))
        heads = render_heads(engine, used, engine.keypoints_from(values), square)
        for row, head in zip(rows, heads, strict=True):
            yield row.offset, head

    def _opened(self) -> tuple[MotionEngine, LayerReferences]:
        if self._engine is None or self._references is None:
            options = self._options
            self._engine = engine_for(self.header, options.model, options.device, options.threads)
            self._references = LayerReferences(self._engine)
        return self._engine, self._references
