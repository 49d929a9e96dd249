"""Whole pictures of interlaced video, by FFmpeg's bwdif filter (BBC R&D's w3fdif and yadif together)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import av.filter

_FILTER = "mode=send_frame:deint=interlaced"
"""One picture for each frame; frames that are not interlaced pass as they are."""


_TICK = Fraction(1, 90000)
"""Of timestamps, which pass as they are, where a frame does not say."""


class Deinterlacer:
    """Frames in, frames out, a frame later from the first interlaced one on; until then at once.

    ``used`` says whether there was such a one.
    """

    def __init__(self) -> None:
        self.used = False
        self._graph: Any = None
        self._shape: tuple[Any, ...] = ()

    def __call__(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """What comes of the next frames."""
        out: list[av.VideoFrame] = []
        for frame in frames:
            if not self.used and not frame.interlaced_frame:
                out.append(frame)
                continue
            self.used = True
            shape = (frame.width, frame.height, frame.format.name, frame.time_base or _TICK)
            if shape != self._shape:
                out += self.finish()
                self._open(*shape)
            if frame.pts is None:
                frame.pts = frame.dts
            self._graph.push(frame)
            out += self._pulled()
        return out

    def finish(self) -> list[av.VideoFrame]:
        """What is still held back."""
        if self._graph is None:
            return []
        self._graph.push(None)
        out = self._pulled()
        self._graph, self._shape = None, ()
        return out

    def _open(self, width: int, height: int, form: str, tick: Any) -> None:
        graph = av.filter.Graph()
        chain = [
            graph.add_buffer(width=width, height=height, format=av.VideoFormat(form), time_base=tick),
            graph.add("bwdif", _FILTER),
            graph.add("buffersink"),
        ]
        for a, b in pairwise(chain):
            a.link_to(b)
        graph.configure()
        self._graph, self._shape = graph, (width, height, form, tick)

    def _pulled(self) -> list[av.VideoFrame]:
        out: list[av.VideoFrame] = []
        while True:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, EOFError):
                return out
            if frame.pts is not None and frame.time_base:  # the filter counts in halves
                frame.pts = round(frame.pts * frame.time_base / self._shape[-1])
                frame.duration = round(frame.duration * frame.time_base / self._shape[-1])
            out.append(frame)
