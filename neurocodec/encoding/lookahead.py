"""Where to put references, for an encoder that sees a whole block of frames.

A block begins with the reference in use (or one at its first frame). It is divided by as many evenly spaced
references, the last one at its last frame, as pay together; then the stretches between references are split
again and again, as long as what a further reference takes off the distortion is worth its bytes.  Each
frame is rendered from the references on either side of it, so every new one improves both its
neighbourhoods (cf. Konuko et al., "Multi-reference generative face video compression with contrastive
learning", MMSP 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from neurocodec.encoding.gallery import RUN_BYTES, Gallery
from neurocodec.encoding.stretches import BlockFrames, Placed, Stretch, Verdicts
from neurocodec.models.device import BATCH
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.types import Pictures

_BARGAIN = 0.2
"""Part of the price that is asked for stretches with a bad verdict."""
_LIKELY_BAD = 0.9
"""A stretch counts as bad when the largest error seen in it reaches this share of 1 - alpha: frames that are
not looked at may be worse."""
_DIVISIONS = (2, 4, 8, 16)
"""Numbers of evenly spaced references that are tried in a block."""
_LEAST_LEFT = 0.6
"""Adding one reference, or doubling them, is assumed to leave at least this share of the distortion.

A trial that could not pay even then is skipped.  The least of 30 divisions that were measured was 0.61.
"""
_FEWEST_BYTES = 40
"""No reference is expected to take less."""
RECALLED = 8
"""Earlier references that a new scene is looked for in."""
_GOOD_ENOUGH = 0.5
"""Error (1 - verdict) below which a remembered reference spares a new one at a cut."""
_ENOUGH_LOOKS = 2
"""Frames of a stretch that get a verdict at least, if the gap allows."""
MOST_REFERENCES = 48
"""References put in one block."""


class Lookahead:
    """Chooses the references of one block after the other.

    Args:
        engine: renders.
        verdicts: (B,), at most 1, on renderings (B,S,S,3) and as many originals (S,S,3).
        gap: every how many frames a rendering gets a verdict.
        price: what a byte of reference costs, in units of one frame's (1 - verdict).
        alpha: a stretch with a verdict at or near this, or below, is divided for a fifth of the price.
    """

    def __init__(
        self, engine: MotionEngine, verdicts: Verdicts, gap: int, price: float, alpha: float
    ) -> None:
        self._engine, self._verdicts = engine, verdicts
        self._gap, self._price, self._alpha = gap, price, alpha
        self._gallery = Gallery(engine, verdicts, gap)
        self._block: BlockFrames
        self._count = 0

    def place(self, block: BlockFrames) -> list[Stretch]:
        """The block's stretches in order of time, between the references that were coded for it."""
        self._block, self._count = block, 0
        stretches: list[Stretch] = []
        self._gallery.forget(block)
        start, before = 0, block.current
        for offset in sorted({*block.forced, *block.cuts}):
            if self._count >= MOST_REFERENCES and before is not None and offset not in block.forced:
                continue
            if before is None and offset > start:
                # the first reference need not be the first frame: what comes before is rendered from it too
                before = self._add(offset, offset in block.cuts)
                stretches.append(Stretch(start, offset, before, None))
                start = offset + 1
                continue
            if before is not None and offset > start:
                # another scene begins: what comes before has nothing to gain from it
                stretches.append(Stretch(start, offset, before, None))
            again = None if offset in block.forced else self._recall(offset)
            start, before = (
                (offset, again) if again else (offset + 1, self._add(offset, offset in block.cuts))
            )
        if before is not None and start < len(block.pictures):
            stretches.append(Stretch(start, len(block.pictures), before, None))
        stretches = [part for s in stretches for part in self._divide(s)]
        while any(not s.settled for s in stretches):
            stretches = [part for s in stretches for part in ([s] if s.settled else self._split(s))]
        return stretches

    def _add(self, offset: int, independent: bool) -> Placed:
        self._count += 1
        placed = self._block.maker.code(offset, independent)
        self._gallery.remember(placed)
        return placed

    def _recall(self, offset: int) -> Placed | None:
        """The remembered reference that shows the scene beginning at ``offset`` well enough, if any."""
        known = self._gallery.latest(RECALLED)
        if not known:
            return None
        at = self._block.keypoints[offset : offset + 1]
        renderings = [self._engine.render([k.reference], at) for k in known]
        verdicts = self._verdicts(np.concatenate(renderings), [self._block.pictures[offset]] * len(known))
        best = int(np.argmax(verdicts))
        return known[best] if 1 - verdicts[best] < _GOOD_ENOUGH else None

    def _looked_at(self, stretch: Stretch) -> list[int]:
        """Offsets of frames spread evenly over a stretch, whose renderings get a verdict.

        Every ``gap``-th frame of a short one, every other of these where there are many, each moved to the
        nearest multiple of half a gap: then the same originals come again, and what is known of them serves
        again.  Always the last frame where there is no reference after it.
        """
        step = min(max(self._gap, (stretch.stop - stretch.start) // _ENOUGH_LOOKS), 2 * self._gap)
        unit = (self._gap + 1) // 2
        first, last = stretch.start, stretch.stop - 1
        even = range(first + step // 2, stretch.stop, step)
        looks = {min(max(round(k / unit) * unit, first), last) for k in even}
        if not looks or stretch.after is None:
            looks.add(last)
        return sorted(looks)

    def _find_errors(self, stretches: Sequence[Stretch]) -> None:
        """Find the errors (1 - verdict) of some frames of stretches."""
        waiting: list[tuple[Stretch, int]] = []
        renderings: list[Pictures] = []
        for stretch in stretches:
            offsets = self._looked_at(stretch)
            references = [stretch.before.reference]
            if stretch.after is not None:
                references.append(stretch.after.reference)
            for k in range(0, len(offsets), BATCH):
                renderings.append(
                    self._engine.render(references, self._block.keypoints[offsets[k : k + BATCH]])
                )
            stretch.errors = {}
            waiting += [(stretch, k) for k in offsets]
        verdicts = self._verdicts(np.concatenate(renderings), [self._block.pictures[k] for _, k in waiting])
        for (stretch, k), verdict in zip(waiting, verdicts.tolist(), strict=True):
            stretch.errors[k] = 1 - verdict

    def _distortion(self, stretch: Stretch) -> float:
        """Estimated sum of the errors of all frames of a stretch."""
        return (stretch.stop - stretch.start) * float(np.mean([*stretch.errors.values()]))

    def _bad(self, s: Stretch) -> bool:
        """Whether a frame of a stretch is likely to be at ``alpha`` or below."""
        return max(s.errors.values()) >= _LIKELY_BAD * (1 - self._alpha)

    def _price_in(self, s: Stretch) -> float:
        """Price of a byte of reference in a stretch."""
        return self._price * (_BARGAIN if self._bad(s) else 1)

    def _divide(self, s: Stretch) -> list[Stretch]:
        """An open stretch divided by as many evenly spaced references as pay together.

        One reference alone often takes off little where several do: what lies halfway between two poses
        is rendered from neither well.
        """
        self._find_errors([s])
        if s.after is not None:
            return [s]
        price = self._price_in(s)
        anew: int | None = None
        cost, chosen = self._evenly_divided(s, price)
        if self._begins_badly(s):
            trials, spent = self._trials(s, [s.start], independent=True)
            renewed = Stretch(s.start + 1, s.stop, trials[0], None)
            self._find_errors([renewed])
            cost_renewed, parts = self._evenly_divided(renewed, price)
            if cost_renewed + price * spent < cost:
                cost, chosen, anew = cost_renewed + price * spent, parts, s.start
        for runs in self._gallery.plans(s, self._block) if cost > price * _FEWEST_BYTES else []:
            self._find_errors(runs)
            again = sum(self._distortion(run) for run in runs) + price * RUN_BYTES * len(runs)
            if again < cost:
                cost, chosen, anew = again, runs, None
        return self._made_real(chosen, anew)

    def _begins_badly(self, s: Stretch) -> bool:
        """Whether the reference before a stretch already fails where the stretch begins.

        Then an independent one at its first frame is tried too: predicted from one so unlike, at a chain's
        rate, it would be a poor picture.
        """
        room = self._count < MOST_REFERENCES and s.stop - s.start > 1
        return room and s.errors[min(s.errors)] >= _LIKELY_BAD * (1 - self._alpha)

    def _evenly_divided(self, s: Stretch, price: float) -> tuple[float, list[Stretch]]:
        """The best even division of a stretch whose errors are known, and what it costs."""
        best, chosen, worse = self._distortion(s), [s], 0
        total, left = best, 0.0
        known: dict[int, Placed] = {}
        for count in _DIVISIONS:
            length = (s.stop - s.start) // count
            least = price * _FEWEST_BYTES * count
            if length < 2 or self._count + count > MOST_REFERENCES or total <= least or worse == 2:
                break
            trials, spent = self._trials(s, self._even(s, count), known=known)
            known.update({p.offset: p for p in trials})
            if price * spent + left >= best:
                break
            parts = self._between(s, trials)
            self._find_errors(parts)
            distortion = sum(self._distortion(part) for part in parts)
            sum_of_costs, left = distortion + price * spent, _LEAST_LEFT * distortion
            worse = 0 if sum_of_costs < best else worse + 1
            if sum_of_costs < best:
                best, chosen = sum_of_costs, parts
        return best, chosen

    def _made_real(self, parts: list[Stretch], anew: int | None = None) -> list[Stretch]:
        """Stretches between trial references, between coded ones at the same places instead.

        The one at ``anew`` is independent.
        """
        coded: dict[int, Placed] = {}

        def real(trial: Placed) -> Placed:
            if trial.offset not in coded:
                coded[trial.offset] = self._add(trial.offset, trial.offset == anew)
            return coded[trial.offset]

        for part in parts:
            if part.before.number < 0:
                part.before = real(part.before)
            if part.after is not None and part.after.number < 0:
                part.after = real(part.after)
        return parts

    @staticmethod
    def _even(s: Stretch, count: int) -> list[int]:
        """Offsets of ``count`` evenly spaced references, the last one at the stretch's last frame."""
        length = s.stop - s.start
        return [s.start + (k + 1) * length // count - 1 for k in range(count)]

    def _trials(
        self,
        s: Stretch,
        offsets: list[int],
        independent: bool = False,
        known: Mapping[int, Placed] = MappingProxyType({}),
    ) -> tuple[list[Placed], int]:
        """References in a stretch, to try, and the bytes those would take.

        ``known`` ones, of other trials, stand for those at their offsets, though predicted from others.
        """
        pictures = [self._block.pictures[k] for k in offsets]
        before = None if independent else s.before.reference.picture
        decoded, spent = self._block.maker.preview(pictures, before)
        return [
            known.get(k) or Placed(k, -1, -1, self._engine.prepare(picture, self._block.keypoints[k]))
            for k, picture in zip(offsets, decoded, strict=True)
        ], spent

    @staticmethod
    def _between(s: Stretch, placed: list[Placed]) -> list[Stretch]:
        """The stretches between references in order of time that divide an open one."""
        parts, start, before = [], s.start, s.before
        for now in placed:
            parts.append(Stretch(start, now.offset, before, now))
            start, before = now.offset + 1, now
        parts.append(Stretch(start, s.stop, before, s.after))
        return [p for p in parts if p.stop > p.start]

    def _split(self, s: Stretch) -> list[Stretch]:
        """One more reference in a stretch, if it pays; else the stretch is settled."""
        total = self._distortion(s)
        bad = self._bad(s)
        s.settled = True
        hopeless = total <= self._price * _FEWEST_BYTES and not bad
        if s.stop - s.start < 2 or self._count == MOST_REFERENCES or hopeless:
            return [s]
        trials, spent = self._trials(s, [self._split_offset(s)])
        cost = self._price_in(s) * spent
        if cost >= (1 - _LEAST_LEFT) * total:
            return [s]
        parts = self._between(s, trials)
        self._find_errors(parts)
        if total - sum(self._distortion(part) for part in parts) <= cost:
            return [s]
        return self._made_real(parts)

    @staticmethod
    def _split_offset(s: Stretch) -> int:
        """The last frame of an open stretch, else the centre of gravity of the errors."""
        if s.after is None:
            return s.stop - 1
        offsets, errors = np.array([*s.errors]), np.array([*s.errors.values()]) + 1e-6
        centre = round(float((offsets * errors).sum() / errors.sum()))
        return min(max(centre, s.start), s.stop - 1)
