"""What is whole of a layered file, as blocks that follow each other.

The file begins with the first entry whose layer is whole; before it, only sound is kept.  Where pictures of
the layer are lost, those that depend on them are dropped, up to the next key: the last one stays.  A head is
dropped from a block where references are lost that it needs.  Frames and references of heads are numbered
anew.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block
from neurocodec.format.checksums import Part
from neurocodec.format.head import HeadPart, head_header
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart
from neurocodec.format.writer import NfcWriter
from neurocodec.inspect.reference_numbers import ReferenceNumbers
from neurocodec.inspect.repair_report import RepairReport
from neurocodec.keypoints.packets import parse_frames


class _Head:
    """What has been written of a head."""

    def __init__(self) -> None:
        self.frames = 0
        self.numbers = ReferenceNumbers()


class LayeredSalvage:
    """Writes the blocks of a layered file that are left."""

    def __init__(self, header: Header, writer: NfcWriter, report: RepairReport) -> None:
        self._header, self._writer, self._report = header, writer, report
        self._inner = head_header(header)
        self._heads: dict[int, _Head] = {}
        self._frame = self._expected = 0
        self._layer_goes_on = False

    def take(self, block: Block) -> None:
        """Write what is of use of a block."""
        gap = block.first_frame != self._expected
        self._expected = block.first_frame + len(block.pts)
        if Part.LAYER in block.lost or gap:
            self._layer_goes_on = False
        starts = block.entry and Part.LAYER not in block.lost
        if block.pts and not self._frame and not starts:
            self._report.drop(block, len(block.pts), "nothing is there to begin with")
            block = Block(block.first_frame, (), 0, (), (), b"", block.audio, guarded=block.guarded)
        self._write(replace(block, lost=frozenset(), layer=self._layer_of(block), entry=starts))

    def _layer_of(self, block: Block) -> LayerPart | None:
        layer = block.layer
        if layer is None:
            return None
        self._layer_goes_on = self._layer_goes_on or layer.size is not None
        if not self._layer_goes_on and layer.pictures:
            self._report.say(f"the layer of the block at frame {block.first_frame} is dropped")
        return layer if self._layer_goes_on else None

    def _write(self, block: Block) -> None:
        if not block.pts and not block.audio:
            return
        heads = deepcopy(self._heads)
        parts: list[HeadPart] = []
        for part in block.heads:
            fresh = block.entry and all(p.head != part.head for p in parts)
            kept = self._kept(part, block, heads, fresh)
            parts += [kept] if kept else []
        try:
            self._writer.write_block(replace(block, first_frame=self._frame, heads=tuple(parts)))
        except ValueError as error:
            self._report.drop(block, len(block.pts), str(error))
            return
        self._heads = heads
        self._frame += len(block.pts)
        self._report.blocks += 1
        self._report.frames += len(block.pts)

    def _kept(self, part: HeadPart, block: Block, heads: dict[int, _Head], fresh: bool) -> HeadPart | None:
        """A part of a head with new numbers, noted in ``heads``; None if it cannot be decoded.

        Where the head begins anew (``fresh``), its numbers may stay as they are.
        """
        head, inner = heads.setdefault(part.head, _Head()), part.block
        reason = "" if head.numbers.complete(inner.needed, self._header.version) else "a reference is lost"
        try:
            parse_frames(inner, self._inner)
        except DamagedFileError as error:
            reason = str(error)
        if reason:
            where = f"of the block at frame {block.first_frame}"
            self._report.say(f"head {part.head} {where} is dropped: {reason}")
            return None
        if fresh:
            head.frames, head.numbers.next = inner.first_frame, inner.first_reference
        renumbered = head.numbers.renumbered(inner, self._header.version)
        frames = range(head.frames, head.frames + len(inner.pts))
        for k, reference in enumerate(inner.references):
            head.numbers.add(inner.first_reference + k, reference)
        head.frames = frames.stop
        return replace(part, block=replace(renumbered, first_frame=frames.start, pts=tuple(frames)))
