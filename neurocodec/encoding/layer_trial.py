"""One way of coding the layer of a section, tried: its bytes, and how far it is from the source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np

from neurocodec.compositing.interpolation import Between
from neurocodec.encoding.picture_choice import Changes, choose_pictures
from neurocodec.encoding.section import Section, SectionHead
from neurocodec.encoding.whole_distance import Original, WholeDistance
from neurocodec.format.block import Region
from neurocodec.layers.color import LayerColor
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.layers.encoder import LayerEncoder
from neurocodec.layers.sizes import layer_size
from neurocodec.types import Picture

_FEWEST_LOOKS, _MOST_LOOKS, _FRAMES_A_LOOK = 12, 24, 16
_TILES = 4
"""Of a frame that is looked at; each has others."""
REMEMBERED = 160
"""Tiles and heads of originals: most of those that are looked at."""
UNIT_BYTES = 3
"""What the format adds to a picture of the layer, about."""


@dataclass(frozen=True)
class LayerChoice:
    """A size (the source's divided by ``scale``), a rate factor, and about how many frames there are from
    one picture to the next.
    """

    scale: int
    crf: float
    spacing: float


@dataclass(frozen=True)
class LayerTrial:
    """A choice, the frames ``shown``, their temporal units, and the mean distance of all frames."""

    choice: LayerChoice
    size: tuple[int, int]
    shown: list[int]
    units: list[bytes]
    distance: float

    @property
    def bytes(self) -> int:
        """What it takes in a file."""
        return sum(len(unit) + UNIT_BYTES for unit in self.units)


class LayerTrials:
    """Tries layers for a section of pictures of ``size`` (width, height); what was tried is remembered.

    ``preset`` is SVT-AV1's.
    """

    def __init__(
        self,
        section: Section,
        heads: Sequence[SectionHead],
        changes: Changes,
        size: tuple[int, int],
        distance: WholeDistance,
        preset: int,
        threads: int,
    ) -> None:
        self._section, self._changes, self._size = section, changes, size
        self._distance, self._preset, self._threads = distance, preset, threads
        self._color = LayerColor()
        count = len(section.pts)
        looks = min(max(_FEWEST_LOOKS, count // _FRAMES_A_LOOK), _MOST_LOOKS, count)
        self._looks = [int((k + 0.5) * count / looks) for k in range(looks)]
        self._originals = {
            k: Original(section.spool.picture(k), squares_at(heads, k), _TILES, k) for k in self._looks
        }
        self._shown: dict[float, list[int]] = {}
        self._known: dict[LayerChoice, LayerTrial] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def frames(self) -> int:
        """Of the section."""
        return len(self._section.pts)

    def run(self, choice: LayerChoice) -> LayerTrial:
        """Code the layer so, and look at some frames of what comes of it."""
        if choice not in self._known:
            self._known[choice] = self._tried(choice)
        return self._known[choice]

    def _tried(self, choice: LayerChoice) -> LayerTrial:
        shown = self._shown_at(choice.spacing)
        size = layer_size(*self._size, choice.scale)
        encoder = LayerEncoder(size, choice.crf, self._preset, self._threads)
        units: list[bytes] = []
        for k in shown:
            units += encoder.encode(self._section.spool.frame(k, size))
        units += encoder.finish()
        return LayerTrial(choice, size, shown, units, self._mean_distance(shown, size, units))

    def _shown_at(self, spacing: float) -> list[int]:
        """The frames that are shown; the last of each block is always one of them."""
        if spacing not in self._shown:
            forced = {block[-1] for block in self._section.blocks}
            self._shown[spacing] = choose_pictures(self._changes, spacing, forced)
        return self._shown[spacing]

    def _mean_distance(self, shown: list[int], size: tuple[int, int], units: list[bytes]) -> float:
        frames = self._decoded(shown, size, units)
        looks = [self._distance(self._at(k, shown, frames), self._originals[k]) for k in self._looks]
        return float(np.mean(looks))

    def _decoded(self, shown: list[int], size: tuple[int, int], units: list[bytes]) -> dict[int, Picture]:
        """The pictures on either side of the frames that are looked at, by frame."""
        needed: set[int] = set()
        for k in self._looks:
            place = bisect_right(shown, k) - 1
            needed |= {shown[place], shown[min(place + 1, len(shown) - 1)]}
        decoder = LayerDecoder(size)
        frames: dict[int, av.VideoFrame] = {}
        for k, unit in zip(shown, units, strict=True):
            frame = decoder.decode(unit)
            if k in needed:
                frames[k] = frame
        return {k: self._color.picture(frame, *self._size) for k, frame in frames.items()}

    def _at(self, k: int, shown: list[int], pictures: dict[int, Picture]) -> Picture:
        place = bisect_right(shown, k) - 1
        before = shown[place]
        if before == k:
            return pictures[k]
        after, pts = shown[place + 1], self._section.pts
        share = (pts[k] - pts[before]) / (pts[after] - pts[before])
        return Between(pictures[before], pictures[after]).at(share)


def squares_at(heads: Sequence[SectionHead], frame: int) -> list[Region]:
    """The squares of the heads in a frame."""
    return [h.squares[frame - h.first] for h in heads if h.first <= frame < h.end]
