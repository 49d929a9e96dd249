"""How many pictures a coded reference may hold, counted before a decoder sees it.

A decoder hands out every picture it finds, so sixteen megabytes of the smallest pictures would become
gigabytes.  One reference is one picture; a few more units are let through, since encoders differ in what they
put beside it.  Sources: AV1 specification 5.3 (OBU header) and 4.10.5 (leb128); ITU-T H.265 B.2 (start
codes); ITU-T T.81 B.1.1.3 (markers).
"""

from __future__ import annotations

from neurocodec.format.block import StillCodec

MOST_UNITS = 64
"""OBUs, NAL units."""
MOST_FRAMES = 8
"""AV1 frame headers and frames, the hidden ones too."""
MOST_SCANS = 4
"""Scans of a JPEG."""
_FRAME_HEADER, _FRAME = 3, 6


def is_one_picture(data: bytes, codec: StillCodec) -> bool:
    """Whether ``data`` can be the code of one picture, going by its outermost structure."""
    if codec is StillCodec.JPEG:
        return data.count(b"\xff\xda") <= MOST_SCANS
    if codec is StillCodec.HEVC:
        return data.count(b"\0\0\1") <= MOST_UNITS
    kinds = _obu_types(data)
    return kinds is not None and sum(k in (_FRAME_HEADER, _FRAME) for k in kinds) <= MOST_FRAMES


def _obu_types(data: bytes) -> list[int] | None:
    """Types of the OBUs, or None where they do not fill ``data`` or are too many."""
    kinds: list[int] = []
    at = 0
    while at < len(data):
        if len(kinds) == MOST_UNITS:
            return None
        kinds.append(data[at] >> 3 & 15)
        extension, sized = data[at] & 4, data[at] & 2
        at += 2 if extension else 1
        if not sized:
            return kinds
        size = shift = 0
        while True:
            if at >= len(data) or shift > 49:
                return None
            size |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                break
        at += size
    return kinds if at == len(data) else None
