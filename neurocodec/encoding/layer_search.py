"""Finds the layer of a section: its size, rate factor, and how many of the frames it shows.

The quality says what a kilobit a second is worth, in distance.  From a likely layer the search goes on to
other rate factors, spacings and sizes, as long as distance and bytes together become less (Lagrangian coder
control: Wiegand, Sullivan et al., IEEE TCSVT 2003).  An AV1 stream of all frames is one of the layers that
can come of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from neurocodec.encoding.layer_trial import LayerChoice, LayerTrial, LayerTrials
from neurocodec.layers.encoder import COARSEST_CRF, FINEST_CRF
from neurocodec.layers.sizes import SCALES

_LONGEST_SECONDS = 0.4
"""The longest spacing: hands that are interpolated over more smear."""
_VERY_LARGE = 2000
"""Longer side, in pixels, above which half size is tried first."""
_STEP = 4.0
"""Between rate factors that are tried."""
_FINER, _COARSER = 6.0, 8.0
"""What a size twice as large, or half as large, adds to or takes from the rate factor at the same price."""
_WORTH, _USUAL = 0.0034, 16.0
"""By how much the distance has to fall for a kilobit a second, at a quality of 50; and where it usually stops
doing so, in kbit/s."""
_PULL = 0.012
"""What the squared logarithm of the rate over the usual one costs: next to nothing, but where layers of quite
different rates are equally good bargains, it picks one near the quality's usual rate."""


@dataclass(frozen=True)
class Effort:
    """How much is tried: SVT-AV1's preset, and trials of a section."""

    preset: int
    trials: int


EFFORTS = {"fast": Effort(8, 5), "default": Effort(4, 9), "slow": Effort(3, 18)}


def rate_factor_at(quality: float) -> float:
    """A likely rate factor of the layer at full size for a quality of 0 to 100: 70 to 55."""
    return _within(72 - 9 * min(quality, 50) / 50 - 0.16 * max(quality - 50, 0))


def spacing_at(quality: float) -> float:
    """A likely spacing of the layer's pictures, in seconds, for a quality of 0 to 100; 0: every frame."""
    return 0.2 if quality <= 70 else 0.1 if quality <= 85 else 0.0


def worth_at(quality: float) -> float:
    """By how much the distance has to fall for a kilobit a second, for a quality of 0 to 100."""
    return _WORTH * 10 ** (-0.02 * (quality - 50))


def find_layer(trials: LayerTrials, quality: float, rate: float, longer_side: int, most: int) -> LayerTrial:
    """The best layer that was found in ``most`` trials, for pictures at ``rate`` frames a second.

    A layer of half size comes first where pictures are very large, ``longer_side`` being that of the source.
    """
    spacing = max(1.0, round(spacing_at(quality) * rate))
    begin = LayerChoice(1, rate_factor_at(quality), spacing)
    if longer_side > _VERY_LARGE:
        begin = replace(begin, scale=2, crf=_within(begin.crf - _COARSER))
    seconds = trials.frames / rate

    def cost(trial: LayerTrial) -> float:
        kbps, worth = trial.bytes * 8 / 1000 / seconds, worth_at(quality)
        return trial.distance + worth * kbps + _PULL * math.log(kbps * worth / (_USUAL * _WORTH)) ** 2

    best = trials.run(begin)
    longest = max(1.0, _LONGEST_SECONDS * rate)
    moved = True
    while moved and len(trials) < most:
        moved = False
        for choice in _neighbours(best.choice, longest):
            if len(trials) >= most:
                break
            trial = trials.run(choice)
            if cost(trial) < cost(best):
                best, moved = trial, True
                break
    return best


def _within(crf: float) -> float:
    return min(max(crf, FINEST_CRF), COARSEST_CRF)


def _neighbours(choice: LayerChoice, longest: float) -> Iterator[LayerChoice]:
    """Other choices near this one, those that change most first; but coarser frames before fewer of all."""
    place = SCALES.index(choice.scale)
    if place:
        yield replace(choice, scale=SCALES[place - 1], crf=_within(choice.crf + _FINER))
    fewer = [replace(choice, spacing=min(longest, choice.spacing * 2))] if choice.spacing < longest else []
    factors = (_within(choice.crf + step) for step in (_STEP, -_STEP))
    others = [replace(choice, crf=crf) for crf in factors if crf != choice.crf]
    yield from (*others, *fewer) if choice.spacing == 1 else (*fewer, *others)
    if place + 1 < len(SCALES):
        yield replace(choice, scale=SCALES[place + 1], crf=_within(choice.crf - _COARSER))
    if choice.spacing > 1:
        more = max(1.0, choice.spacing / 2)
        yield replace(choice, spacing=more, crf=_within(choice.crf + _STEP))
        yield replace(choice, spacing=more)
