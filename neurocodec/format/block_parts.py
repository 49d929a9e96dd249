"""Puts a block of a layered file together: what its own chunk says, its layer and its heads."""

from __future__ import annotations

from dataclasses import replace

from neurocodec.entropy.bits import ByteReader
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import MAX_COUNT, Block
from neurocodec.format.checksums import Part
from neurocodec.format.chunks import HEAD_CHUNK, LAYER_CHUNK, MAX_CHUNK
from neurocodec.format.head import MAX_HEADS, MAX_HEADS_AT_ONCE, HeadPart, read_head, write_head
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart, read_layer, write_layer

PART_CHUNKS = (LAYER_CHUNK, HEAD_CHUNK)


def frame_of_part(payload_start: bytes) -> int | None:
    """The first frame of the block that a layer or head chunk belongs to, from its payload's first bytes."""
    try:
        return ByteReader(payload_start).varint(MAX_COUNT)
    except DamagedFileError:
        return None


def write_parts(block: Block) -> list[tuple[int, bytes]]:
    """Types and payloads of the chunks that follow that of a block.

    Raises:
        ValueError: a head cannot be written.
    """
    chunks = []
    if block.layer is not None:
        chunks.append((LAYER_CHUNK, write_layer(block.layer, block.first_frame)))
    return chunks + [(HEAD_CHUNK, write_head(part, block.first_frame)) for part in block.heads]


class BlockParts:
    """A block that gets its layer and heads chunk by chunk.

    Args:
        block: what its own chunk holds.
        header: of the file.
        room: bytes that the payloads of all further chunks may have.
    """

    def __init__(self, block: Block, header: Header, room: int = MAX_CHUNK) -> None:
        self._block, self._header, self._room = block, header, room
        self._layer: LayerPart | None = None
        self._heads: list[HeadPart] = []
        self._shown = bytearray(len(block.pts))
        self._lost: set[Part] = set()
        self._layer_passed = self._layer_in_doubt = False

    @property
    def first_frame(self) -> int:
        """By this number chunks say that they belong to the block."""
        return self._block.first_frame

    def add(self, kind: int, payload: bytes) -> None:
        """Take the layer or a head.

        Raises:
            DamagedFileError: it is impossible; then it is lost.
            UnsupportedError: it has a feature that this version does not know.
        """
        try:
            self._room -= len(payload)
            if self._room < 0:
                raise DamagedFileError("the layer and heads of a block are too large")
            if kind == LAYER_CHUNK:
                self._add_layer(payload)
            else:
                self._add_head(payload)
        except DamagedFileError:
            self._lost.add(Part.LAYER if kind == LAYER_CHUNK else Part.HEADS)
            raise
        finally:
            self._layer_passed = True

    def _add_layer(self, payload: bytes) -> None:
        if self._layer_passed:
            raise DamagedFileError("a layer is out of place")
        layer = read_layer(payload, self._header, len(self._block.pts))
        if self._block.entry and (not layer.size or layer.pictures[0].offset):
            raise DamagedFileError("an entry does not begin with a key picture")
        self._layer = layer

    def _add_head(self, payload: bytes) -> None:
        part = read_head(payload, len(self._block.pts))
        shown = self._shown[part.start : part.stop]
        if len(self._heads) == MAX_HEADS or max(shown) == MAX_HEADS_AT_ONCE:
            raise DamagedFileError("a block has too many heads")
        if any(part.head == before.head and part.start < before.stop for before in self._heads):
            raise DamagedFileError("a head is out of order")
        self._shown[part.start : part.stop] = bytes(n + 1 for n in shown)
        self._heads.append(part)

    def lose(self, kind: int | None = None) -> None:
        """A chunk is damaged that was of this type; None: nobody knows how many, and of what types."""
        if kind == LAYER_CHUNK and not self._layer_passed:
            self._lost.add(Part.LAYER)
            self._layer_passed = True
            return
        self._lost.add(Part.HEADS)
        if kind is None:
            self._layer_in_doubt |= not self._layer_passed
        else:
            self._layer_passed = True

    def whole(self) -> Block:
        """The block with all that came, and what is lost of it; without the layer, heads are lost too."""
        lost = self._block.lost | self._lost
        if self._layer is None and (self._layer_in_doubt or self._block.entry):
            lost |= {Part.LAYER}
        if Part.LAYER not in lost:
            return replace(self._block, layer=self._layer, heads=tuple(self._heads), lost=frozenset(lost))
        return replace(self._block, lost=frozenset(lost | {Part.HEADS} if self._heads else lost))
