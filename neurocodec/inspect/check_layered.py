"""Is the layer of a layered file whole: is all there that it needs, are its pictures pictures?"""

from __future__ import annotations

from neurocodec.errors import DamagedFileError
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart
from neurocodec.format.limits import Limits
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.layers.switches import block_switches


class LayerCheck:
    """Follows the layer from block to block; decodes its pictures, one at a time."""

    def __init__(self, header: Header, limits: Limits, name: str) -> None:
        self._header, self._limits, self._name = header, limits, name
        self._layer: LayerDecoder | None = None

    def check(self, layer: LayerPart) -> None:
        """Look at what the next block has of the layer.

        Raises:
            DamagedFileError: something is missing, or is no picture.
            UnsupportedError: the layer's pictures are too large.
        """
        if layer.size:
            self._limits.check_picture(*layer.size, self._name)
            self._layer = LayerDecoder(layer.size)
        for picture in layer.pictures:
            if self._layer is None:
                raise DamagedFileError("the layer begins without a key picture")
            self._layer.decode(picture.data)
        block_switches(layer, self._header)
