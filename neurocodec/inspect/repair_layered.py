"""What is whole of a layered file, as blocks that follow each other.

The file begins with the first entry whose layer is whole; before it, only sound is kept.  Where pictures of
the layer are lost, those that depend on them are dropped, up to the next key: the last one stays.  Heads are
dropped where the picture of the layer before them is.
"""

from __future__ import annotations

from dataclasses import replace

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block
from neurocodec.format.checksums import Part
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Header
from neurocodec.format.writer import NfcWriter
from neurocodec.inspect.repair_report import RepairReport
from neurocodec.keypoints.packets import parse_head


class LayeredSalvage:
    """Writes the blocks of a layered file that are left."""

    def __init__(self, header: Header, writer: NfcWriter, report: RepairReport) -> None:
        self._header, self._writer, self._report = header, writer, report
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
        self._write(replace(self._with_its_layer(block), lost=frozenset(), entry=starts))

    def _with_its_layer(self, block: Block) -> Block:
        """The block without pictures that cannot be decoded, and without heads that need lost ones."""
        first = 0 if self._layer_goes_on else len(block.pts)
        if block.layer and block.layer.size and not self._layer_goes_on:
            self._layer_goes_on, first = True, block.layer.pictures[0].offset
        if block.layer and block.layer.pictures and not self._layer_goes_on:
            self._report.say(f"the layer of the block at frame {block.first_frame} is dropped")
        heads = tuple(part for part in block.heads if self._is_of_use(part, block, first))
        return replace(block, layer=block.layer if self._layer_goes_on else None, heads=heads)

    def _is_of_use(self, part: HeadPart, block: Block, first: int) -> bool:
        """Whether a head has its pictures, which are there from the offset ``first`` on, and can be read."""
        reason = "a picture of the layer is lost" if part.start < first else ""
        try:
            parse_head(part, block, self._header)
        except DamagedFileError as error:
            reason = str(error)
        if reason:
            where = f"of the block at frame {block.first_frame}"
            self._report.say(f"head {part.head} {where} is dropped: {reason}")
        return not reason

    def _write(self, block: Block) -> None:
        if not block.pts and not block.audio:
            return
        try:
            self._writer.write_block(replace(block, first_frame=self._frame))
        except ValueError as error:
            self._report.drop(block, len(block.pts), str(error))
            return
        self._frame += len(block.pts)
        self._report.blocks += 1
        self._report.frames += len(block.pts)
