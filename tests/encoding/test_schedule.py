import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurocodec.encoding.schedule import RefreshSchedule


def described(verdicts: list[float], gap: int, alpha: float) -> list[bool]:
    """The original's loop, word for word, as its description gives it."""
    rod, out = 0.0, []
    for i, opinion in enumerate(verdicts):
        if rod > alpha or i % gap != 0:
            rod = opinion
            out.append(False)
        else:
            rod = 1.0
            out.append(True)
    return out


def scheduled(verdicts: list[float], gap: int, alpha: float) -> list[bool]:
    schedule, out = RefreshSchedule(gap, alpha), []
    for i, opinion in enumerate(verdicts):
        out.append(schedule.is_refresh(i))
        if out[-1]:
            schedule.refreshed()
        elif schedule.wants_verdict(i):
            schedule.rendered(opinion)
    return out


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.2, 0.5, 1.0]),
)
def test_equals_the_original(verdicts: list[float], gap: int, alpha: float) -> None:
    assert scheduled(verdicts, gap, alpha) == described(verdicts, gap, alpha)


@pytest.mark.parametrize(("gap", "alpha"), list(itertools.product([1, 2, 5, 7], [0.0, 0.2, 0.9])))
def test_scripted(gap: int, alpha: float) -> None:
    bad = scheduled([0.0] * 30, gap, alpha)
    # after a refresh the verdict is 1, so with a gap of 1 the next frame is a landmark frame
    step = 2 if gap == 1 else gap
    assert [i for i, r in enumerate(bad) if r] == list(range(0, 30, step))
    assert [i for i, r in enumerate(scheduled([1.0] * 30, gap, alpha)) if r] == [0]


def test_only_the_frame_before_a_decision_counts() -> None:
    verdicts = [1.0] * 20
    verdicts[3] = 0.0
    assert sum(scheduled(verdicts, 5, 0.2)) == 1
    verdicts[4] = 0.2
    assert [i for i, r in enumerate(scheduled(verdicts, 5, 0.2)) if r] == [0, 5]


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="gap"):
        RefreshSchedule(0, 0.2)
    with pytest.raises(ValueError, match="alpha"):
        RefreshSchedule(5, 1.5)
