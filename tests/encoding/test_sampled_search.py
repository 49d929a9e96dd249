"""A quality found on samples: few encodes of the whole, near the target, never over a largest size."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.encoding.sampled_search import search_by_samples

SECONDS, SOUND = 600.0, 900_000.0


class Codec:
    """A whole, and forecasts that are off by a factor for pictures, distance and sound."""

    def __init__(self, off: Callable[[float], float] = lambda q: 1.0, sound: float = 1.0) -> None:
        self.off, self.sound = off, sound
        self.samples: list[float] = []
        self.wholes: list[float] = []

    @staticmethod
    def _made(quality: float) -> Outcome:
        return Outcome(SECONDS, 100_000 * 10 ** (quality / 50), SOUND, 0.4 * 10 ** (-quality / 100))

    def forecast(self, quality: float) -> Outcome:
        self.samples.append(quality)
        made, off = self._made(quality), self.off(quality)
        return Outcome(made.seconds * 1.01, made.video * off, made.sound * self.sound, made.distance / off)

    def encode(self, quality: float) -> tuple[Outcome, float]:
        self.wholes.append(quality)
        return self._made(quality), quality


GOALS = [
    Goal("target_kbps", 25),
    Goal("target_lpips", 0.12),
    Goal("max_size", 2_050_000),
    Goal("worst_lpips", 0.12),
]


@pytest.mark.parametrize("goal", GOALS)
def test_good_samples_need_one_encode(goal: Goal) -> None:
    codec = Codec()
    found = search_by_samples(goal, codec.forecast, codec.encode)
    assert goal.is_met(found.figure)
    assert codec.wholes == [found.quality] == [found.result]
    assert len(set(codec.samples)) == len(codec.samples) <= 10


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("off", [0.6, 1.7])
@pytest.mark.parametrize("sound", [0.8, 1.2])
def test_samples_that_are_off_are_put_right(goal: Goal, off: float, sound: float) -> None:
    codec = Codec(lambda _: off, sound)
    found = search_by_samples(goal, codec.forecast, codec.encode)
    assert goal.is_met(found.figure)
    assert len(codec.wholes) == 2
    assert len(set(codec.samples)) == len(codec.samples)


@pytest.mark.parametrize("goal", GOALS)
def test_what_is_off_by_quality_takes_three(goal: Goal) -> None:
    codec = Codec(lambda quality: 1.8 - quality / 150)
    found = search_by_samples(goal, codec.forecast, codec.encode)
    assert goal.is_met(found.figure) and len(codec.wholes) <= 3


def test_a_largest_size_is_never_exceeded() -> None:
    """Not even where the samples promise half of what comes."""
    for size in (1_050_000, 1_500_000, 4_000_000, 11_000_000):
        codec = Codec(lambda quality: 0.5 + 0.3 * (quality % 7) / 7)
        found = search_by_samples(Goal("max_size", size), codec.forecast, codec.encode)
        assert found.figure <= size
        assert found.quality == max(q for q in codec.wholes if sum(_bytes(q)) <= size)
        assert len(codec.wholes) <= 5


def _bytes(quality: float) -> tuple[float, float]:
    made = Codec._made(quality)
    return made.video, made.sound


def test_the_lowest_quality_is_tried_before_a_size_is_given_up() -> None:
    codec = Codec(lambda _: 0.1)
    found = search_by_samples(Goal("max_size", 990_000), codec.forecast, codec.encode)
    assert found.quality == 0 and found.figure == 1_000_000
    assert 0 in codec.wholes


def test_the_highest_quality_is_tried_before_a_worst_second_is_given_up() -> None:
    codec = Codec()
    found = search_by_samples(Goal("worst_lpips", 0.03), codec.forecast, codec.encode)
    assert found.quality == 100 and found.figure == pytest.approx(0.04)


def test_a_worst_second_is_never_exceeded() -> None:
    for distance in (0.05, 0.12, 0.3):
        codec = Codec(lambda quality: 0.5 + 0.3 * (quality % 7) / 7)
        found = search_by_samples(Goal("worst_lpips", distance), codec.forecast, codec.encode)
        assert found.figure <= distance
        assert found.quality == min(q for q in codec.wholes if Codec._made(q).distance <= distance)


def test_samples_that_see_too_black_do_not_refuse_a_size() -> None:
    codec = Codec(lambda _: 9.0)
    found = search_by_samples(Goal("max_size", 1_200_000), codec.forecast, codec.encode)
    assert 1_140_000 <= found.figure <= 1_200_000


@pytest.mark.parametrize(("kbps", "quality"), [(12.5, 0), (900, 100)])
def test_a_rate_out_of_reach_takes_one_encode(kbps: float, quality: float) -> None:
    codec = Codec()
    found = search_by_samples(Goal("target_kbps", kbps), codec.forecast, codec.encode)
    assert found.quality == quality and codec.wholes == [quality]
