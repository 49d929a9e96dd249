"""Fronts, Bjøntegaard deltas, the rate at a quality, means over videos."""

from __future__ import annotations

import math

import pytest

from neurocodec.compare.aggregate import mean_change, mean_of
from neurocodec.compare.curves import RatePoint, bd_rate, front, rate_at, stretches


def curve(factor: float = 1.0, shift: float = 0.0, count: int = 6) -> list[RatePoint]:
    """Six decibels for every doubling of the rate, from 10 kbit/s on."""
    return [RatePoint(factor * 10 * 2**k, 24 + 6 * k + shift) for k in range(count)]


def test_front_drops_what_is_beaten() -> None:
    good, worse, same_rate = RatePoint(10, 30), RatePoint(12, 29), RatePoint(10, 28)
    better = RatePoint(20, 33)
    assert front([better, worse, good, same_rate], "higher") == [good, better]
    assert front([better, worse, good, same_rate], "lower") == [same_rate]


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_bd_rate_of_a_scaled_curve(factor: float) -> None:
    found = bd_rate(curve(), curve(factor), "higher")
    assert found.pchip == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert found.akima == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert found.overlap == pytest.approx(1)
    assert found.warning is None


def test_bd_rate_where_lower_is_better() -> None:
    theirs = [RatePoint(p.kbps, -p.value) for p in curve()]
    ours = [RatePoint(p.kbps, -p.value) for p in curve(0.25)]
    assert bd_rate(theirs, ours, "lower").pchip == pytest.approx(-75, abs=1e-6)


def test_bd_rate_stands_only_where_half_the_quality_is_shared() -> None:
    half = bd_rate(curve(), curve(shift=15), "higher")
    assert half.pchip is not None and half.warning is None
    little = bd_rate(curve(), curve(shift=20), "higher")
    assert (little.pchip, little.akima) == (None, None)
    assert little.overlap == pytest.approx(1 / 3)
    assert "33 %" in (little.warning or "")
    none = bd_rate(curve(), curve(shift=100), "higher")
    assert (none.pchip, none.akima) == (None, None)
    assert "share no quality" in (none.warning or "")
    few = bd_rate(curve(), curve(count=3), "higher")
    assert few.pchip is None
    assert "our curve has 3 useful points" in (few.warning or "")


def test_rate_at_a_quality_is_never_extrapolated() -> None:
    inside = rate_at(curve(), 27, "higher")
    assert inside.status == "inside"
    assert inside.kbps == pytest.approx(10 * math.sqrt(2))
    assert rate_at(curve(), 30, "higher").kbps == pytest.approx(20)
    cheaper, beyond = rate_at(curve(), 20, "higher"), rate_at(curve(), 99, "higher")
    assert (cheaper.status, cheaper.kbps, cheaper.bound) == ("cheaper", None, 10)
    assert (beyond.status, beyond.kbps, beyond.bound) == ("out of reach", None, 320)
    lpips = [RatePoint(10, 0.3), RatePoint(20, 0.2), RatePoint(40, 0.1)]
    assert rate_at(lpips, 0.25, "lower").status == "inside"
    assert rate_at(lpips, 0.31, "lower").status == "cheaper"
    assert rate_at(lpips, 0.05, "lower").status == "out of reach"


def test_who_is_better_where() -> None:
    steep = [RatePoint(10 * 2**k, 20 + 10 * k) for k in range(6)]  # worse at first, then better
    (first, then) = stretches(curve(), steep, "higher")
    assert (first.ours, then.ours) == (False, True)
    assert first.low == pytest.approx(10) and then.high == pytest.approx(320)
    assert first.high == pytest.approx(20, rel=0.05)  # where 20 + 10 k = 24 + 6 k
    assert [s.ours for s in stretches(steep, curve(), "higher")] == [True, False]
    assert [s.ours for s in stretches(curve(), curve(shift=1), "higher")] == [True]
    assert [s.ours for s in stretches(curve(), curve(shift=1), "lower")] == []  # fronts of one point
    assert stretches(curve(), curve(100), "higher") == []  # no rate in common


def test_one_point_answers_only_for_itself() -> None:
    assert rate_at([RatePoint(7, 30)], 30, "higher").kbps == 7
    assert rate_at([RatePoint(7, 30)], 30.1, "higher").kbps is None


def test_means_over_videos() -> None:
    half_and_double = mean_change([-50, 100])
    assert half_and_double is not None
    assert half_and_double.mean == pytest.approx(0, abs=1e-9)
    assert (half_and_double.low, half_and_double.high, half_and_double.count) == (None, None, 2)
    many = mean_of([1.0, 2.0, 3.0, 4.0, 10.0])
    assert many is not None
    assert many.mean == pytest.approx(4)
    assert many.low is not None and many.high is not None
    assert 1 < many.low < 4 < many.high < 10
    assert mean_of([1.0, 2.0, 3.0, 4.0, 10.0]) == many  # the same videos give the same interval
    equal = mean_of([5.0] * 4)
    assert equal is not None and (equal.low, equal.high) == (5, 5)
    assert mean_of([]) is None
    assert mean_change([]) is None
