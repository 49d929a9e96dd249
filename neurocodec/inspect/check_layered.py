"""Are the layer and the heads of a layered file whole: is all there that they need, are they pictures?"""

from __future__ import annotations

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import MAX_CHAIN, Block, ReferenceFrame, StillCodec
from neurocodec.format.head import HeadPart
from neurocodec.format.layer import LayerPart
from neurocodec.format.limits import Limits
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.references.chain import ChainDecoder
from neurocodec.references.picture_count import is_one_picture
from neurocodec.references.still import decode_still


class LayeredCheck:
    """Follows the layer and the heads from block to block; decodes pictures and references, one at a time."""

    def __init__(self, limits: Limits, name: str) -> None:
        self._limits, self._name = limits, name
        self._layer: LayerDecoder | None = None
        self._heads: dict[int, _HeadCheck] = {}

    def check(self, block: Block) -> None:
        """Look at the next block.

        Raises:
            DamagedFileError: something is missing, or is no picture.
            UnsupportedError: the layer's pictures are too large.
        """
        if block.layer is not None:
            self._check_layer(block.layer)
        for part in block.heads:
            self._heads.setdefault(part.head, _HeadCheck()).check(part, block.entry)

    def _check_layer(self, layer: LayerPart) -> None:
        if layer.size:
            self._limits.check_picture(*layer.size, self._name)
            self._layer = LayerDecoder(layer.size)
        for picture in layer.pictures:
            if self._layer is None:
                raise DamagedFileError("the layer begins without a key picture")
            self._layer.decode(picture.data)


class _HeadCheck:
    """The frames and references of a head."""

    def __init__(self) -> None:
        self._frame = self._next = self._first = 0
        self._independent: set[int] = set()
        self._chain: ChainDecoder | None = None

    def check(self, part: HeadPart, entry: bool) -> None:
        """Decode the references of a chunk; pictures are dropped at once."""
        block = part.block
        if block.first_reference != self._next:
            self._first = block.first_reference
        there = not block.needed or (block.needed[0] >= self._first and block.needed[0] in self._independent)
        if not there or (not entry and block.first_frame != self._frame):
            raise DamagedFileError(f"a part of head {part.head} is missing")
        for k, reference in enumerate(block.references):
            if not reference.dependent:
                self._independent.add(block.first_reference + k)
            self._decode(reference, part.reference_size)
        self._frame = block.first_frame + len(block.pts)
        self._next = block.first_reference + len(block.references)
        self._independent = {n for n in self._independent if n >= self._next - MAX_CHAIN}

    def _decode(self, reference: ReferenceFrame, size: int) -> None:
        if reference.codec is not StillCodec.AV1:
            decode_still(reference.data, reference.codec, size)
            return
        if not is_one_picture(reference.data, StillCodec.AV1):
            raise DamagedFileError("a reference frame cannot be decoded")
        if not reference.dependent or self._chain is None:
            self._chain = ChainDecoder(size)
        self._chain.decode(reference.data)
