"""The search for a layer, on curves that are known."""

from __future__ import annotations

import math
from typing import Any

import pytest

from neurocodec.encoding.layer_search import find_layer, rate_factor_at, worth_at
from neurocodec.encoding.layer_trial import LayerChoice, LayerTrial

SECONDS, RATE = 10, 25


class Curves:
    """Trials whose rate and distance follow from the choice.

    The distance falls with the logarithm of the rate, by ``slope``; ``best`` sizes and spacings cost least.
    """

    frames = SECONDS * RATE

    def __init__(self, slope: float = 0.06, scale: int = 2, spacing: float = 5) -> None:
        self._slope, self._scale, self._spacing = slope, scale, spacing
        self.tried: dict[LayerChoice, LayerTrial] = {}

    def __len__(self) -> int:
        return len(self.tried)

    def run(self, choice: LayerChoice) -> LayerTrial:
        if choice not in self.tried:
            kbps = 12 * 2 ** ((56 - choice.crf) / 6) * 4 / choice.scale**2 * (5 / choice.spacing) ** 0.5
            off = abs(math.log2(choice.scale / self._scale)) + abs(math.log2(choice.spacing / self._spacing))
            distance = 0.25 - self._slope * math.log(kbps) + 0.02 * off
            unit = bytes(int(kbps * 1000 / 8 * SECONDS))
            self.tried[choice] = LayerTrial(choice, (64, 64), [0], [unit], distance)
        return self.tried[choice]


def found(quality: float, most: int = 18, **curves: Any) -> LayerTrial:
    some: Any = Curves(**curves)
    trial = find_layer(some, quality, RATE, 1280, most)
    assert len(some) <= most
    return trial


def test_quality_buys_rate_where_it_is_worth_it() -> None:
    rates = [found(q).bytes for q in (0, 25, 50, 75, 100)]
    assert rates == sorted(rates)
    assert rates[-1] > 8 * rates[0]


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_it_finds_the_size_that_costs_least(scale: int) -> None:
    assert found(50, scale=scale).choice.scale == scale


def test_it_finds_the_spacing_that_costs_least() -> None:
    assert found(50, spacing=10).choice.spacing == 10
    assert found(50, spacing=2.5).choice.spacing == 2.5


def test_of_every_frame_a_coarser_one_is_tried_before_fewer() -> None:
    """At high qualities the search begins with every frame; half of them may be worse than all, coarser."""
    some: Any = Curves(spacing=1)
    find_layer(some, 95, RATE, 1280, 2)
    first, second = some.tried
    assert first.spacing == second.spacing == 1 and second.crf > first.crf


def test_content_that_gains_more_gets_more() -> None:
    assert found(50, slope=0.1).bytes > found(50, slope=0.04).bytes


def test_factors_and_worth_follow_the_quality() -> None:
    assert rate_factor_at(0) == 70 and rate_factor_at(100) == pytest.approx(55)
    assert worth_at(0) == pytest.approx(100 * worth_at(100))
