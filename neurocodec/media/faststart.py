"""Moving the index of a finished MP4 to the front, so that it can be played while it is still loading."""

from __future__ import annotations

import struct
from typing import BinaryIO

_CONTAINERS = (b"trak", b"mdia", b"minf", b"stbl")
_BLOCK = 1 << 20
_LARGEST_INDEX = 1 << 28


def move_index_to_front(file: BinaryIO) -> bool:
    """Put the ``moov`` box of an MP4 right after its ``ftyp`` box, in place.

    ``file`` must be seekable and open for reading and writing. Needs memory for the index only. Returns
    False, with the file untouched, if there is nothing to move or it cannot be moved (32-bit chunk
    offsets would overflow). Raises OSError from reading and writing.
    """
    boxes = _top_level_boxes(file)
    kinds = [kind for kind, _, _ in boxes]
    if kinds[:1] != [b"ftyp"] or kinds[-1:] != [b"moov"] or kinds.count(b"moov") != 1:
        return False
    _, target, first_size = boxes[0]
    target += first_size
    _, start, size = boxes[-1]
    if size > _LARGEST_INDEX or start == target:
        return False
    file.seek(start)
    index = bytearray(file.read(size))
    if len(index) != size or not _shift_offsets(index, 8, size, size):
        return False
    end = start
    while end > target:
        begin = max(target, end - _BLOCK)
        file.seek(begin)
        data = file.read(end - begin)
        file.seek(begin + size)
        file.write(data)
        end = begin
    file.seek(target)
    file.write(index)
    file.seek(0, 2)
    file.flush()
    return True


def _top_level_boxes(file: BinaryIO) -> list[tuple[bytes, int, int]]:
    """Kind, position and size of the boxes of a file; a last one of kind ``b""`` marks a broken end."""
    total = file.seek(0, 2)
    boxes: list[tuple[bytes, int, int]] = []
    position = 0
    while position < total:
        file.seek(position)
        header = file.read(16)
        size, kind = struct.unpack(">I4s", header[:8]) if len(header) >= 8 else (0, b"")
        if size == 1 and len(header) == 16:
            size = struct.unpack(">Q", header[8:])[0]
        if size < 8 or position + size > total:
            return [*boxes, (b"", position, 0)]
        boxes.append((kind, position, size))
        position += size
    return boxes


def _shift_offsets(index: bytearray, begin: int, end: int, shift: int) -> bool:
    """Add ``shift`` to all chunk offsets in ``index[begin:end]``; False if one does not fit any more."""
    while begin + 8 <= end:
        size, kind = struct.unpack_from(">I4s", index, begin)
        if size < 8 or begin + size > end:
            return False
        if kind in _CONTAINERS:
            if not _shift_offsets(index, begin + 8, begin + size, shift):
                return False
        elif kind in (b"stco", b"co64"):
            count = struct.unpack_from(">I", index, begin + 12)[0]
            layout = f">{count}{'I' if kind == b'stco' else 'Q'}"
            offsets = [offset + shift for offset in struct.unpack_from(layout, index, begin + 16)]
            if kind == b"stco" and offsets and max(offsets) >= 1 << 32:
                return False
            struct.pack_into(layout, index, begin + 16, *offsets)
        begin += size
    return True
