"""Where to put references, for an encoder that sees a whole block of frames.

A block begins with the reference in use (or one at its first frame) and ends, where that pays, with one at
its last; then the stretches between references are split again and again, as long as what a further
reference takes off the distortion is worth its bytes.  Each frame is rendered from the references on
either side of it, so every new one improves both its neighbourhoods (cf. Konuko et al., "Multi-reference
generative face video compression with contrastive learning", MMSP 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocodec.engine import Engine, Pictures, Reference

Picture = NDArray[np.uint8]
_FEWEST_BYTES = 40
"""No reference is expected to take less."""
MOST_REFERENCES = 60
"""References put in one block."""
Judge = Callable[[Pictures, Pictures, Picture], NDArray[np.float64]]


@dataclass
class Placed:
    """A reference of the block: frame offset, number in the file, ready to render with."""

    offset: int
    number: int
    reference: Reference


@dataclass
class Stretch:
    """Frames start..stop-1 between two references; ``errors`` of those that were looked at, by offset."""

    start: int
    stop: int
    before: Placed
    after: Placed | None
    errors: dict[int, float] = field(default_factory=dict)
    settled: bool = False


class Lookahead:
    """Chooses the references of one block after the other.

    Args:
        engine: renders.
        judge: verdicts (B,), at most 1, on renderings and originals (B,S,S,3) and the reference's picture.
        gap: every how many frames a rendering is judged.
        price: what a byte of reference costs, in units of one frame's (1 - verdict).
        alpha: a stretch with a verdict at or below this is split whatever it costs.
    """

    def __init__(self, engine: Engine, judge: Judge, gap: int, price: float, alpha: float) -> None:
        self._engine, self._judge = engine, judge
        self._gap, self._price, self._alpha = gap, price, alpha

    def place(
        self,
        pictures: list[Picture],
        keypoints: NDArray[np.float32],
        forced: list[int],
        current: Placed | None,
        code: Callable[[int], Placed],
        preview: Callable[[Picture, Picture], tuple[Picture, int]],
    ) -> list[Stretch]:
        """The block's stretches in order of time, between the references that ``code`` was called for.

        ``code`` makes a reference at an offset; ``preview`` tells about what a picture would decode to as a
        reference after another, and how many bytes that would take; ``forced`` offsets get one in any case;
        ``current`` is the one in use (None: offset 0 is forced).
        """
        self._pictures, self._keypoints = pictures, keypoints
        self._code, self._preview = code, preview
        self._count = 0
        stretches: list[Stretch] = []
        start, before = 0, current
        for offset in forced:
            now = self._add(offset)
            if before is not None and offset > start:
                # a forced one begins another scene: what comes before has nothing to gain from it
                stretches.append(Stretch(start, offset, before, None))
            start, before = offset + 1, now
        if before is not None and start < len(pictures):
            stretches.append(Stretch(start, len(pictures), before, None))
        for stretch in stretches:
            stretch.errors = self._look(stretch)
        while any(not s.settled for s in stretches):
            stretches = [part for s in stretches for part in ([s] if s.settled else self._split(s))]
        return stretches

    def _add(self, offset: int) -> Placed:
        self._count += 1
        return self._code(offset)

    def _look(self, stretch: Stretch, after: Reference | None = None) -> dict[int, float]:
        """Errors (1 - verdict) of every ``gap``-th frame of a stretch and of its last."""
        offsets = [*range(stretch.start + self._gap // 2, stretch.stop, self._gap)]
        if not offsets or (stretch.after is None and offsets[-1] != stretch.stop - 1):
            offsets.append(stretch.stop - 1)
        references = [stretch.before.reference]
        second = after or (stretch.after.reference if stretch.after else None)
        if second is not None:
            references.append(second)
        errors: dict[int, float] = {}
        for k in range(0, len(offsets), 8):
            some = offsets[k : k + 8]
            renderings = self._engine.render(references, self._keypoints[some])
            originals = np.stack([self._pictures[k] for k in some])
            verdicts = self._judge(renderings, originals, references[0].picture)
            errors.update(zip(some, (1 - verdicts).tolist(), strict=True))
        return errors

    def _distortion(self, stretch: Stretch) -> float:
        """Estimated sum of the errors of all frames of a stretch."""
        return (stretch.stop - stretch.start) * float(np.mean([*stretch.errors.values()]))

    def _split(self, s: Stretch) -> list[Stretch]:
        """One more reference in a stretch, if it pays; else the stretch is settled."""
        total = self._distortion(s)
        bad = max(s.errors.values()) >= 1 - self._alpha
        s.settled = True
        hopeless = total <= self._price * _FEWEST_BYTES and not bad
        if s.stop - s.start < 2 or self._count == MOST_REFERENCES or hopeless:
            return [s]
        offset = self._where(s)
        picture, count = self._preview(self._pictures[offset], s.before.reference.picture)
        cost = self._price * count
        trial = Placed(offset, -1, self._engine.reference(picture))
        parts = self._parts(s, trial)
        for part in parts:
            part.errors = self._look(part)
        gain = total - sum(self._distortion(part) for part in parts)
        if gain <= cost and not (bad and gain > 0):
            return [s]
        placed = self._add(offset)
        for part in parts:
            part.before = placed if part.before is trial else part.before
            part.after = placed if part.after is trial else part.after
        return parts

    @staticmethod
    def _parts(s: Stretch, middle: Placed) -> list[Stretch]:
        parts = [Stretch(s.start, middle.offset, s.before, middle)]
        parts.append(Stretch(middle.offset + 1, s.stop, middle, s.after))
        return [p for p in parts if p.stop > p.start]

    @staticmethod
    def _where(s: Stretch) -> int:
        """The last frame of an open stretch, else the centre of gravity of the errors."""
        if s.after is None:
            return s.stop - 1
        offsets, errors = np.array([*s.errors]), np.array([*s.errors.values()]) + 1e-6
        centre = round(float((offsets * errors).sum() / errors.sum()))
        return min(max(centre, s.start), s.stop - 1)
