"""Codes the heads of a section: landmark packets for the frames between the pictures of its layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np

from neurocodec.compositing.heads import Head, LayerReferences, render_heads
from neurocodec.compositing.interpolation import Between
from neurocodec.encoding.layer_trial import LayerTrial
from neurocodec.encoding.section import Section, SectionHead
from neurocodec.encoding.whole_distance import WholeDistance
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart
from neurocodec.keypoints.importance import importance
from neurocodec.keypoints.packets import pack_head
from neurocodec.keypoints.quantization import Symbols, dequantize, scaled
from neurocodec.keypoints.smoothing import smooth
from neurocodec.layers.switches import Switch
from neurocodec.layers.track import LayerTrack, Shown
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.types import Picture

_MARGIN = 0.05
"""A head is rendered while that is no further from the source than interpolation, but for this part: only
landmarks tell what lips and eyes do, of which a distance sees little."""
_JUDGED = 2
"""Every so many-th stretch between two pictures is looked at."""


class HeadCoder:
    """Codes heads for one file of pictures of ``size`` (width, height); ``smoothing`` as in the options."""

    def __init__(
        self,
        engine: MotionEngine,
        distance: WholeDistance,
        size: tuple[int, int],
        header: Header,
        smoothing: float,
    ) -> None:
        self._engine, self._distance, self._size = engine, distance, size
        self._header, self._smoothing = header, smoothing
        self._basis = engine.basis if header.transformed else None

    def code(
        self,
        section: Section,
        heads: Sequence[SectionHead],
        trial: LayerTrial,
        switches: Sequence[Switch | None],
    ) -> list[list[HeadPart]]:
        """The heads of each block of the section; left out where interpolation does better.

        ``switches``: for each picture of the layer, what switches in front of it.
        """
        if not heads:
            return [[] for _ in section.blocks]
        self._section = section
        self._references = LayerReferences(self._engine)
        self._rows: dict[int, dict[int, tuple[bool, Symbols]]] = defaultdict(dict)
        self._found: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
        block_of = [b for b, block in enumerate(section.blocks) for _ in block]
        track = LayerTrack(*self._size)
        track.enter(LayerPart((), trial.size))
        before: Shown | None = None
        for i, (k, unit) in enumerate(zip(trial.shown, trial.units, strict=True)):
            after = track.decode(unit, section.pts[k])
            if before is not None and k - trial.shown[i - 1] > 1:
                frames = range(trial.shown[i - 1] + 1, k)
                way = Between(before.picture, after.picture, switches[i])
                for h, head in enumerate(heads):
                    self._stretch(
                        h, head, frames, before, after, block_of[k], way if i % _JUDGED == 0 else None
                    )
            before = after
        return [
            [
                part for h, head in enumerate(heads)
                if (part := self._part(h, head, block)) and self._worth_it(b, h)
            ]
            for b, block in enumerate(section.blocks)
        ]  # fmt: skip

    def _worth_it(self, block: int, head: int) -> bool:
        found = self._found.get((block, head))
        if not found:
            return True
        plain, rendered = np.mean(found, 0).tolist()
        return bool(rendered <= (1 + _MARGIN) * plain)

    def _stretch(
        self,
        h: int,
        head: SectionHead,
        frames: range,
        before: Shown,
        after: Shown,
        block: int,
        way: Between | None,
    ) -> None:
        """Code a head in those of the frames between two pictures that have it; judge it with ``way``."""
        inside = [k for k in frames if head.first <= k < head.end]
        for square, same in groupby(inside, key=lambda k: head.squares[k - head.first]):
            rows = list(same)
            used = [self._references.get(s.number, s.picture, square) for s in (before, after)]
            values = head.values[rows[0] - head.first : rows[-1] + 1 - head.first]
            reference, steps = used[0].ready.coded, self._header.quantization
            exact = scaled(values, reference, steps, self._basis)
            symbols = smooth(exact, self._smoothing, importance(self._basis, exact.shape[1]))
            for n, k in enumerate(rows):
                self._rows[h][k] = n == 0, symbols[n]
            if way:
                middle = len(rows) // 2
                found = dequantize(symbols[middle : middle + 1], reference, steps, self._basis)
                points = self._engine.keypoints_from(found)
                rendered = next(iter(render_heads(self._engine, used, points, square)))
                share = (self._section.pts[rows[middle]] - before.pts) / (after.pts - before.pts)
                self._judge(h, rows[middle], rendered, way.at(share, rows[middle] - frames[0]), block)

    def _judge(self, h: int, frame: int, head: Head, picture: Picture, block: int) -> None:
        """Note how far a head is from its original where it is interpolated, and where it is rendered."""
        original = self._section.spool.picture(frame)
        plain = self._distance.head(picture, original, head.square)
        head.lay_over(picture)
        self._found[block, h].append((plain, self._distance.head(picture, original, head.square)))

    def _part(self, h: int, head: SectionHead, block: range) -> HeadPart | None:
        """The head in a block, if it is in one of its frames that are between pictures."""
        start, end = max(head.first, block[0]), min(head.end, block[-1] + 1)
        rows = [self._rows[h][k] for k in range(start, end) if k in self._rows[h]]
        if not rows:
            return None
        places = [(k - block[0], head.squares[k - head.first]) for k in range(start, end)]
        moves = [places[0], *(b for a, b in pairwise(places) if a[1] != b[1])]
        landmarks, golomb = pack_head(rows, self._header)
        return HeadPart(head.number, start - block[0], end - start, tuple(moves), landmarks, golomb)
