"""The pictures of a layer, in order, from block to block."""

from __future__ import annotations

from dataclasses import dataclass

import av

from neurocodec.errors import DamagedFileError
from neurocodec.format.layer import LayerPart
from neurocodec.layers.color import LayerColor
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.types import Picture


@dataclass(frozen=True)
class Shown:
    """A picture of the layer, (height,width,3), with its number and when it is shown."""

    number: int
    pts: int
    picture: Picture


class LayerTrack:
    """Decodes a layer and enlarges its pictures to ``width`` x ``height``; the ``last`` one is at hand."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._color = LayerColor()
        self._decoder: LayerDecoder | None = None
        self._count = 0
        self.last: Shown | None = None

    def enter(self, layer: LayerPart | None) -> None:
        """A block begins that has this part of the layer, or has lost it."""
        if layer is None:
            self._decoder = None
        elif layer.size:
            self._decoder = LayerDecoder(layer.size)

    def decode(self, unit: bytes, pts: int) -> Shown:
        """The picture of the next temporal unit, which is then the last one.

        Raises:
            DamagedFileError: it cannot be decoded, nor can any up to the next key picture.
        """
        picture = self._color.picture(self._frame(unit), self._width, self._height)
        self.last = Shown(self._count, pts, picture)
        return self.last

    def skip(self, units: list[tuple[bytes, int]]) -> None:
        """Decode temporal units, with their times, of which only the last one's picture is of use.

        Raises:
            DamagedFileError: as :meth:`decode` has it.
        """
        for unit, _ in units[:-1]:
            self._frame(unit)
        if units:
            self.decode(*units[-1])

    def _frame(self, unit: bytes) -> av.VideoFrame:
        if self._decoder is None:
            raise DamagedFileError("pictures of the layer are missing before this one")
        self._count += 1
        try:
            return self._decoder.decode(unit)
        except DamagedFileError:
            self._decoder = None
            raise
