"""Heads followed through a whole recording: which there are, and where in every frame.

Faces are looked for in every few frames.  A face that lies where one was before goes on with its track.  A
track bridges short gaps, and ends at a cut.  What was seen too briefly or was never sure, is too small, or
never changes (a poster, a picture on the wall) is no head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocodec.faces.cuts import CutFinder, small_grey
from neurocodec.faces.detector import Finder, Found, default_finder
from neurocodec.types import Picture

Boxes = NDArray[np.float32]
"""Left, top, width, height in pixels, (n,4)."""
EVERY = 3
"""Frames from one look to the next."""
MOST_HEADS = 4
LEAST_SIDE = 48.0
"""Pixels; smaller faces are passed over."""
_LEAST_LOOKS = 3
_LEAST_SECONDS = 0.5
_DOUBT, _EVIDENCE = 0.5, 0.4
"""A track needs so much of the scores of its looks beyond the doubtful, added up."""
_GAP_SECONDS = 0.5
"""How long a head may not be found and still be the same."""
_OVERLAP, _DISTANCE, _GROWTH = 0.25, 0.7, 1.7
"""Boxes are of one face if they overlap by so much, or are no further apart than so many of their sides and
differ in size by no more than so many times."""
_SAME_FACE = 0.35
"""A box that overlaps a face already found by so much is that face once more."""
_PATCH = 16
_CHANGED, _MOSTLY = 2.5, 0.9
"""A face whose patch differs from its first by less than so many levels in so many of its looks is a still
picture."""


@dataclass(frozen=True, eq=False)
class HeadTrack:
    """One head followed without a break over frames of a clip.

    ``number`` is its own for as long as it is followed, ``first`` the number of its first frame, ``boxes``
    (frames,4) left, top, width and height of the face in pixels of the whole picture.
    """

    number: int
    first: int
    boxes: Boxes

    @property
    def end(self) -> int:
        """The number of the first frame in which it is not followed any more."""
        return self.first + len(self.boxes)


@dataclass(eq=False)
class _Candidate:
    """A face that is being followed; ``shot``: first frame of its shot; ``until``: its end, once known."""

    number: int
    shot: int
    patch: NDArray[np.float32]
    frames: list[int] = field(default_factory=list)
    boxes: list[Found] = field(default_factory=list)
    still: int = 0
    until: int | None = None

    @property
    def last(self) -> Found:
        return self.boxes[-1]


class HeadTracker:
    """Follows heads through the frames of a clip; of pictures it keeps nothing but small patches.

    Args:
        width, height: of the pictures, in pixels.
        every: faces are looked for in every so many-th frame, and after cuts.
        rate: frames a second.
        finder: finds faces; None: the network that comes along.
    """

    def __init__(
        self, width: int, height: int, every: int = EVERY, *, rate: float = 25.0, finder: Finder | None = None
    ) -> None:
        if every < 1 or not rate > 0:
            raise ValueError("every and rate must be positive")
        self._width, self._height, self._every = width, height, every
        self._gap = max(_GAP_SECONDS * rate, every)
        self._least = _LEAST_SECONDS * rate
        self._finder = finder or default_finder()
        self._cuts = CutFinder()
        self._shot = 0
        self._count = 0
        self._running: list[_Candidate] = []
        self._ended: list[_Candidate] = []

    def look(self, frame: int, picture: Picture) -> None:
        """See frame number ``frame`` (they come one after the other), a picture (H,W,3)."""
        cut = self._cuts.update(picture)
        if cut:
            self._end(self._running, frame)
            self._shot = frame
        if not cut and (frame - self._shot) % self._every:
            return
        self._follow(frame, picture, [f for f in map(self._inside, self._finder(picture)) if f])
        self._end([c for c in self._running if frame - c.frames[-1] > self._gap], None)

    def tracks(self, last: int) -> list[HeadTrack]:
        """The heads in frames 0 to ``last``, which have all been looked at, in order of their numbers."""
        made = [self._track(c, last) for c in (*self._ended, *self._running) if self._counts(c)]
        return sorted(_largest([t for t in made if len(t.boxes)]), key=lambda t: t.number)

    def _inside(self, found: Found) -> Found | None:
        """A box as far as it lies in the picture."""
        left, top = max(0.0, found.x), max(0.0, found.y)
        right = min(float(self._width), found.x + found.width)
        bottom = min(float(self._height), found.y + found.height)
        if right - left < 2 or bottom - top < 2:
            return None
        return Found(left, top, right - left, bottom - top, found.score)

    def _follow(self, frame: int, picture: Picture, faces: list[Found]) -> None:
        """Give faces to the candidates that they fit best, and begin new ones with those left over."""
        pairs = sorted(
            ((fit, k, i) for k, c in enumerate(self._running) for i, f in enumerate(faces)
             if (fit := _fit(c.last, f)) is not None),
            reverse=True,
        )  # fmt: skip
        candidates: set[int] = set()
        taken: set[int] = set()
        for _, k, i in pairs:
            if k not in candidates and i not in taken:
                candidates.add(k)
                taken.add(i)
                self._add(self._running[k], frame, picture, faces[i])
        seen = [faces[i] for i in taken]
        for i in sorted(set(range(len(faces))) - taken, key=lambda i: -faces[i].score):
            if all(_overlap(faces[i], f) < _SAME_FACE for f in seen):
                seen.append(faces[i])
                new = _Candidate(self._count, self._shot, _patch(picture, faces[i]))
                self._count += 1
                self._running.append(new)
                self._add(new, frame, picture, faces[i])

    @staticmethod
    def _add(candidate: _Candidate, frame: int, picture: Picture, face: Found) -> None:
        candidate.frames.append(frame)
        candidate.boxes.append(face)
        change = np.abs(_patch(picture, candidate.boxes[0]) - candidate.patch).mean()
        candidate.still += int(change < _CHANGED)

    def _end(self, candidates: Sequence[_Candidate], cut: int | None) -> None:
        """End candidates, at a cut or where they were seen last; those that are no heads are forgotten."""
        for candidate in candidates:
            candidate.until = candidate.frames[-1] + self._every if cut is None else cut
            if self._counts(candidate):
                self._ended.append(candidate)
        self._running = [c for c in self._running if c not in candidates]

    def _counts(self, candidate: _Candidate) -> bool:
        """Whether a candidate is a head."""
        looks = len(candidate.frames)
        if looks < _LEAST_LOOKS or candidate.frames[-1] + 1 - candidate.frames[0] < self._least:
            return False
        if sum(b.score - _DOUBT for b in candidate.boxes) < _EVIDENCE:
            return False
        sides = [np.sqrt(b.width * b.height) for b in candidate.boxes]
        return float(np.median(sides)) >= LEAST_SIDE and candidate.still < _MOSTLY * looks

    def _track(self, candidate: _Candidate, last: int) -> HeadTrack:
        """Boxes for all frames, those before the first look and after the last one held."""
        first = candidate.frames[0]
        if first - candidate.shot <= self._gap:
            first = candidate.shot
        end = last + 1 if candidate.until is None else min(candidate.until, last + 1)
        frames = np.arange(first, end)
        known = _without_outliers(np.array([b[:4] for b in candidate.boxes], np.float32))
        boxes = [np.interp(frames, candidate.frames, values) for values in known.T]
        return HeadTrack(candidate.number, first, np.stack(boxes, 1).astype(np.float32))


def _without_outliers(boxes: Boxes) -> Boxes:
    """Each box but the first and the last as the median of itself and its neighbours."""
    out = boxes.copy()
    if len(boxes) > 2:
        out[1:-1] = np.median(np.stack([boxes[:-2], boxes[1:-1], boxes[2:]]), axis=0)
    return out


def _largest(tracks: Sequence[HeadTrack]) -> list[HeadTrack]:
    """So many of the largest that there are never more than :data:`MOST_HEADS` at a time."""
    crowd = np.zeros(max((t.end for t in tracks), default=0), int)
    kept = []
    for track in sorted(tracks, key=lambda t: -float(np.median(t.boxes[:, 2] * t.boxes[:, 3]))):
        there = slice(track.first, track.end)
        if crowd[there].max() < MOST_HEADS:
            crowd[there] += 1
            kept.append(track)
    return kept


def _fit(a: Found, b: Found) -> float | None:
    """How well two boxes fit as those of one face, the larger the better; None: not at all."""
    side = np.sqrt((a.width * a.height + b.width * b.height) / 2)
    across = a.x + a.width / 2 - b.x - b.width / 2
    down = a.y + a.height / 2 - b.y - b.height / 2
    distance = float(np.hypot(across, down) / side)
    growth = np.sqrt(a.width * a.height / (b.width * b.height))
    overlap = _overlap(a, b)
    near = distance < _DISTANCE and 1 / _GROWTH < growth < _GROWTH
    return overlap - distance if near or overlap > _OVERLAP else None


def _overlap(a: Found, b: Found) -> float:
    """Intersection over union."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    common = max(0.0, across) * max(0.0, down)
    return common / (a.width * a.height + b.width * b.height - common)


def _patch(picture: Picture, face: Found) -> NDArray[np.float32]:
    """What is in a box, small and whatever its brightness."""
    left, top = int(face.x), int(face.y)
    right, bottom = int(np.ceil(face.x + face.width)), int(np.ceil(face.y + face.height))
    return small_grey(picture[top:bottom, left:right], _PATCH)
