"""Colour descriptions (ITU-T H.273 code points) and the RGB <-> YCbCr conversions that honour them.

All conversions run in libswscale with accurate rounding and full-resolution chroma; for flat colours the
result is within one level of the exact matrix of the tagged colour space, for limited and full range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, VideoReformatter

from neurocodec.errors import UnsupportedError

UNSPECIFIED = 2
SAYING_NOTHING = (0, UNSPECIFIED, 3)
"""Code points that are unspecified or reserved."""
PQ = 16
HLG = 18

# libswscale flags: filter kernels and accuracy switches (values are part of libswscale's public API).
_BICUBIC = 0x4
_AREA = 0x20
_FULL_CHROMA_INT = 0x2000
_FULL_CHROMA_IN = 0x4000
_ACCURATE_ROUNDING = 0x40000

# H.273 matrix -> libswscale coefficient table.
_SWS_TABLE = {0: 1, 1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_MATRIX_NAMES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE 2085",
    12: "chromaticity-derived",
    13: "chromaticity-derived constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}


@dataclass(frozen=True)
class ColorInfo:
    """Colour of a picture: H.273 code points for primaries, transfer and matrix, and the sample range."""

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    full_range: bool = False

    @property
    def hdr(self) -> bool:
        """Whether the transfer function is PQ (16) or HLG (18)."""
        return self.transfer in (PQ, HLG)

    @property
    def sample_range(self) -> ColorRange:
        """The sample range as FFmpeg has it."""
        return ColorRange.JPEG if self.full_range else ColorRange.MPEG


BT709 = ColorInfo(1, 1, 1, False)


def normalize_color(color: ColorInfo, width: int, height: int, *, rgb: bool = False) -> ColorInfo:
    """Replace unspecified (and reserved) code points by what players assume.

    ``width`` and ``height`` are those of the coded picture, before any rotation. The rules, in order:

    * RGB sources: matrix BT.709, limited range (what the output is written with); primaries and transfer
      BT.709 unless tagged.
    * PQ and HLG: primaries and matrix BT.2020 (9).
    * No matrix: from tagged primaries where these tell, otherwise BT.709 for pictures at least 1280 wide or
      more than 576 high, BT.601 (6) below that.
    * No primaries or transfer: those that belong to the matrix: 709 -> (1, 1), 601 -> (its own primaries
      5 or 6, transfer 6), 2020 -> (9, 14).

    Raises UnsupportedError for a matrix that cannot be converted (ICtCp, YCgCo, constant luminance...).
    """
    primaries, transfer, matrix = color.primaries, color.transfer, color.matrix
    if rgb or matrix == 0:
        return ColorInfo(specified(primaries, 1), specified(transfer, 1), 1, False)
    if matrix in SAYING_NOTHING:
        if transfer in (PQ, HLG) or primaries == 9:
            matrix = 9
        elif primaries == 1:
            matrix = 1
        elif primaries in (5, 6):
            matrix = primaries
        else:
            matrix = 1 if width >= 1280 or height > 576 else 6
    if matrix not in _SWS_TABLE:
        name = _MATRIX_NAMES.get(matrix, "unknown")
        raise UnsupportedError(f"colour matrix {matrix} ({name}) is not supported")
    if primaries in SAYING_NOTHING:
        primaries = 9 if transfer in (PQ, HLG) else {1: 1, 5: 5, 9: 9}.get(matrix, 6)
    transfer = specified(transfer, {1: 1, 9: 14}.get(matrix, 6))
    return replace(color, primaries=primaries, transfer=transfer, matrix=matrix)


def specified(code: int, other: int) -> int:
    """A code point, or ``other`` where it says nothing."""
    return other if code in SAYING_NOTHING else code


def frame_to_rgb(
    frame: av.VideoFrame,
    color: ColorInfo,
    width: int,
    height: int,
    *,
    deep: bool = False,
    rgb: bool = False,
    reformatter: VideoReformatter | None = None,
) -> npt.NDArray[Any]:
    """Scale and convert a decoded frame in one step.

    ``color`` (normalised) tells matrix and range of the samples; ``rgb`` says that they are RGB already.
    Shrinking uses area averaging, anything else bicubic. Returns ``height x width x 3`` R'G'B' in the
    frame's own transfer function and primaries: uint8 0..255, or uint16 0..65535 with ``deep``.
    """
    size = (frame.width, frame.height)
    shrinks = width <= size[0] and height <= size[1] and (width, height) != size
    flags = (_AREA if shrinks else _BICUBIC) | _ACCURATE_ROUNDING | _FULL_CHROMA_INT
    table = _SWS_TABLE[color.matrix]
    source_range = ColorRange.JPEG if rgb else color.sample_range
    if not rgb:
        frame.colorspace, frame.color_range = color.matrix, source_range
    out = (reformatter or VideoReformatter()).reformat(
        frame,
        width,
        height,
        "rgb48le" if deep else "rgb24",
        src_colorspace=table,
        dst_colorspace=table,
        interpolation=flags,
        src_color_range=source_range,
        dst_color_range=ColorRange.JPEG,
    )
    return cast("npt.NDArray[Any]", out.to_ndarray())


def rgb_to_frame(
    rgb: npt.NDArray[np.uint8], color: ColorInfo, reformatter: VideoReformatter | None = None
) -> av.VideoFrame:
    """Convert ``H x W x 3`` uint8 R'G'B' (even H, W) to a yuv420p frame of ``color``'s matrix and range."""
    table = _SWS_TABLE[color.matrix]
    source = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    source.colorspace = color.matrix
    frame = (reformatter or VideoReformatter()).reformat(
        source,
        format="yuv420p",
        src_colorspace=table,
        dst_colorspace=table,
        interpolation=_BICUBIC | _ACCURATE_ROUNDING | _FULL_CHROMA_INT | _FULL_CHROMA_IN,
        src_color_range=ColorRange.JPEG,
        dst_color_range=color.sample_range,
    )
    frame.colorspace = color.matrix
    frame.color_range = color.sample_range
    return frame
