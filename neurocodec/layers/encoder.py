"""Codes the pictures of a layer as one AV1 stream, with hierarchical prediction and a long look-ahead."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from neurocodec.references.chain import SHARP
from neurocodec.references.ycbcr import TEMPORAL_DELIMITER, same_priority

os.environ.setdefault("SVT_LOG", "1")

import av

PRESET = 4
"""SVT-AV1's, lower is slower and smaller."""
FINEST_CRF, COARSEST_CRF = 20, 70


class LayerEncoder:
    """Codes pictures of one size; the first is a key picture, no other one is.

    Args:
        size: width and height, even.
        crf: SVT-AV1's constant rate factor, 1 to 70, in quarters.
        preset: SVT-AV1's.
        threads: that SVT-AV1 may use (1 or more); what it writes does not depend on it.
    """

    def __init__(self, size: tuple[int, int], crf: float, preset: int = PRESET, threads: int = 1) -> None:
        context: Any = av.CodecContext.create("libsvtav1", "w")
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = {
            "preset": str(preset),
            "svtav1-params": f"crf={crf:g}:keyint=-1:lp={min(threads, 6)}:color-range=1:scd=0:{SHARP}",
        }
        self._context = context
        self._count = 0

    def encode(self, frame: av.VideoFrame) -> list[bytes]:
        """Give the next picture, 4:2:0; returns those temporal units, without delimiters, that are ready."""
        frame.pts = self._count
        self._count += 1
        return self._units(frame)

    def finish(self) -> list[bytes]:
        """The rest of the temporal units; each shows one picture, in order."""
        return self._units(None) if self._count else []

    def _units(self, frame: av.VideoFrame | None) -> list[bytes]:
        with same_priority():
            return [bytes(p).removeprefix(TEMPORAL_DELIMITER) for p in self._context.encode(frame)]
