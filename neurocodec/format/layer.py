"""The layer of a layered file's block: a low-rate video of the whole picture (``docs/format.md``, 4.8)."""

from __future__ import annotations

from dataclasses import dataclass

from neurocodec.entropy.bits import ByteReader, varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.block import MAX_COUNT, MAX_FRAMES, MAX_REFERENCE_BYTES
from neurocodec.format.header import Header

SMALLEST_LAYER = 8
"""Pixels of a side of a layer's pictures."""
_KEY, _SWITCHES = 1, 2


@dataclass(frozen=True)
class LayerPicture:
    """An AV1 temporal unit that shows one picture, from frame ``offset`` of the block on."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class LayerPart:
    """What a block has of the layer.

    ``size`` is (width, height) in pixels where the layer begins anew with a key picture, else None;
    ``switches`` are coded by :mod:`neurocodec.layers.switches`.
    """

    pictures: tuple[LayerPicture, ...]
    size: tuple[int, int] | None = None
    switches: bytes | None = None

    @property
    def bytes(self) -> int:
        """Of pictures and switches."""
        return sum(len(picture.data) for picture in self.pictures) + len(self.switches or b"")


def write_layer(layer: LayerPart, first_frame: int) -> bytes:
    """Payload of the layer chunk of the block that begins with frame ``first_frame``."""
    out = bytearray(varint(first_frame))
    out.append((_KEY if layer.size else 0) | (0 if layer.switches is None else _SWITCHES))
    if layer.size:
        out += varint(layer.size[0]) + varint(layer.size[1])
    out += varint(len(layer.pictures))
    position = 0
    for picture in layer.pictures:
        out += varint(picture.offset - position) + varint(len(picture.data))
        position = picture.offset + 1
    return bytes(out) + b"".join(picture.data for picture in layer.pictures) + (layer.switches or b"")


def _read_side(source: ByteReader, most: int) -> int:
    side = source.varint(most + most % 2)
    if side < SMALLEST_LAYER or side % 2:
        raise DamagedFileError("the size of a layer is impossible")
    return side


def read_layer(payload: bytes, header: Header, frames: int = MAX_FRAMES) -> LayerPart:
    """Inverse of :func:`write_layer`, for a block of so many ``frames``.

    Raises:
        DamagedFileError: for truncated fields and impossible values.
        UnsupportedError: for flags this version does not know.
    """
    source = ByteReader(payload)
    source.varint(MAX_COUNT)
    flags = source.byte()
    if flags & ~(_KEY | _SWITCHES):
        raise UnsupportedError("the file uses a feature this version does not know (layer flags)")
    size = (_read_side(source, header.width), _read_side(source, header.height)) if flags & _KEY else None
    count = source.varint(frames)
    if size and not count:
        raise DamagedFileError("a layer begins anew without a picture")
    places, position = [], 0
    for _ in range(count):
        offset, length = position + source.varint(frames), source.varint(MAX_REFERENCE_BYTES)
        if offset >= frames or not length:
            raise DamagedFileError("a picture of a layer is empty, or lies outside its block")
        places.append((offset, length))
        position = offset + 1
    pictures = tuple(LayerPicture(offset, source.take(length)) for offset, length in places)
    switches = source.take(source.remaining) if flags & _SWITCHES else None
    if source.remaining:
        raise DamagedFileError("a layer is longer than its contents")
    return LayerPart(pictures, size, switches)
