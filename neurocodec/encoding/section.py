"""A section of a video: whole frames that are coded together, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocodec.compositing.heads import cut_square
from neurocodec.encoding.picture_choice import Changes, small_face, small_picture
from neurocodec.encoding.spool import Spool
from neurocodec.faces.head_tracks import HeadTracker
from neurocodec.faces.squares import squares
from neurocodec.format.block import Region
from neurocodec.media.square import resize
from neurocodec.models.device import BATCH
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.types import Picture

LONGEST_SECTION = 60.0
"""Seconds of a section at most: its pictures lie on the disk."""
MOST_BYTES = 3 << 30
"""Of a section on the disk."""


@dataclass(frozen=True)
class SectionHead:
    """A head in the frames from ``first`` on: its square in each, and what is coded of it (frames,M/2,2)."""

    number: int
    first: int
    squares: list[Region]
    values: NDArray[np.float32]

    @property
    def end(self) -> int:
        """The first frame without it."""
        return self.first + len(self.squares)


@dataclass
class Section:
    """Frames by number from 0: their pictures, timestamps, and the blocks that begin at ``starts``."""

    spool: Spool
    tracker: HeadTracker
    pts: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    small: list[Picture] = field(default_factory=list)

    def add(self, pts: int, picture: Picture, starts_block: bool) -> None:
        """The next frame (H,W,3)."""
        if starts_block or not self.pts:
            self.starts.append(len(self.pts))
        self.tracker.look(len(self.pts), picture)
        self.spool.append(picture)
        self.small.append(small_picture(picture))
        self.pts.append(pts)

    @property
    def blocks(self) -> list[range]:
        """The frames of each block."""
        ends = [*self.starts[1:], len(self.pts)]
        return [range(a, b) for a, b in zip(self.starts, ends, strict=True)]


def find_heads(
    section: Section, engine: MotionEngine, size: tuple[int, int], rate: float
) -> tuple[list[SectionHead], Changes]:
    """The heads of a section in pictures of this size (width, height), and how much its frames change."""
    tracks = section.tracker.tracks(len(section.pts) - 1)
    places = []
    for track in tracks:
        starts = [s - track.first for s in section.starts if s > track.first]
        places.append(squares(track.boxes, *size, starts, rate))
    values: list[list[NDArray[np.float32]]] = [[] for _ in tracks]
    looks: list[list[NDArray[np.uint8]]] = [[] for _ in tracks]
    waiting: list[list[Picture]] = [[] for _ in tracks]
    for k in range(len(section.pts)):
        here = [i for i, t in enumerate(tracks) if t.first <= k < t.first + len(places[i])]
        picture = section.spool.picture(k) if here else None
        for i in here:
            assert picture is not None
            square = resize(cut_square(picture, places[i][k - tracks[i].first]), engine.size, engine.size)
            looks[i].append(small_face(square))
            waiting[i].append(square)
            if len(waiting[i]) == BATCH:
                values[i].append(engine.coded_values(np.stack(waiting[i])))
                waiting[i].clear()
    heads, faces = [], []
    for i, track in enumerate(tracks):
        if waiting[i]:
            values[i].append(engine.coded_values(np.stack(waiting[i])))
        if values[i]:
            heads.append(SectionHead(track.number % 64, track.first, places[i], np.concatenate(values[i])))
            faces.append((track.first, track.first + len(places[i]), np.stack(looks[i])))
    return heads, Changes(np.stack(section.small), faces)
