"""What is to be met, and whether it is."""

from __future__ import annotations

import pytest

from neurocodec.encoding.coded_distance import Seen, worst_mean
from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.errors import UsageError
from neurocodec.options import EncodeOptions

MADE = Outcome(seconds=4.0, video=9000, sound=1000, distance=0.25)


@pytest.mark.parametrize(
    ("options", "figure", "words"),
    [
        ({"target_kbps": 20}, 20.0, "20.00 kbit/s"),
        ({"max_size": 10_000}, 10_000, "10000 bytes"),
        ({"target_lpips": 0.25}, 0.25, "mean distance 0.2500 (neurocodec's own estimate of LPIPS)"),
        (
            {"worst_lpips": 0.25},
            0.25,
            "worst second at a distance of 0.2500 (neurocodec's own estimate of LPIPS)",
        ),
    ],
)
def test_figures(options: dict[str, float], figure: float, words: str) -> None:
    goal = Goal.of(EncodeOptions(**options))  # type: ignore[arg-type]
    assert goal.value == goal.figure(MADE) == figure
    assert goal.words(goal.figure(MADE)) == words
    assert goal.is_met(goal.value) and goal.is_met(goal.value * 0.96) and not goal.is_met(goal.value * 0.94)
    assert not goal.is_met(goal.value * 1.06)
    assert goal.is_met(goal.value * 1.04) is not goal.is_ceiling


def test_a_bound_on_the_worst_second_comes_after_a_rate_or_a_size() -> None:
    assert Goal.of(EncodeOptions(target_kbps=9, worst_lpips=0.2)) == Goal("target_kbps", 9)
    assert Goal.of(EncodeOptions(max_size=9, worst_lpips=0.2)) == Goal("max_size", 9)
    with pytest.raises(UsageError, match="worst second goes with a rate or a size"):
        EncodeOptions(target_lpips=0.1, worst_lpips=0.2).settings()


def test_the_worst_second() -> None:
    assert worst_mean([0.1, 0.3, 0.5, 0.1, 0.1], 2) == pytest.approx(0.4)
    assert worst_mean([0.1, 0.3], 5) == pytest.approx(0.2)
    seen = Seen(0.1, 0.3)
    assert Goal("worst_lpips", 0.2).distance(seen) == 0.3
    assert Goal("target_lpips", 0.2).distance(seen) == 0.1
