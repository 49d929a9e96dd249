"""What is to be met, and whether it is."""

from __future__ import annotations

import pytest

from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.options import EncodeOptions

MADE = Outcome(seconds=4.0, video=9000, sound=1000, distance=0.25)


@pytest.mark.parametrize(
    ("options", "figure", "words"),
    [
        ({"target_kbps": 20}, 20.0, "20.00 kbit/s"),
        ({"max_size": 10_000}, 10_000, "10000 bytes"),
        ({"target_lpips": 0.25}, 0.25, "mean distance 0.2500 (neurocodec's own estimate of LPIPS)"),
    ],
)
def test_figures(options: dict[str, float], figure: float, words: str) -> None:
    goal = Goal.of(EncodeOptions(**options))  # type: ignore[arg-type]
    assert goal.value == goal.figure(MADE) == figure
    assert goal.words(goal.figure(MADE)) == words
    assert goal.is_met(goal.value) and goal.is_met(goal.value * 0.96) and not goal.is_met(goal.value * 0.94)
    assert not goal.is_met(goal.value * 1.06)
    assert goal.is_met(goal.value * 1.04) is not goal.is_ceiling
