"""Which remembered references serve a stretch again, with an engine and verdicts made of numbers."""

from typing import Any

import numpy as np
import pytest
from numbered_pictures import FakeEngine, picture, verdicts

from neurocodec.encoding import gallery
from neurocodec.encoding.gallery import REMEMBERED, Gallery
from neurocodec.encoding.lookahead import Lookahead
from neurocodec.encoding.stretches import BlockFrames, Placed, Stretch

ENGINE: Any = FakeEngine()
NOTHING: Any = None


def placed(value: float, number: int, chain: int = 0) -> Placed:
    return Placed(-1, number, chain, ENGINE.reference(picture(value)))


def block(values: list[float], oldest: int = 0, lowest: int = 0, maker: Any = NOTHING) -> BlockFrames:
    keypoints = np.repeat(np.array(values, np.float32)[:, None, None], 2, 2)
    shown = [picture(v) for v in values]
    return BlockFrames(shown, keypoints, [], [], placed(50, 0), oldest, maker, lowest)


def with_known(*known: Placed) -> Gallery:
    some = Gallery(ENGINE, verdicts, 3)
    for one in known:
        some.remember(one)
    return some


def used(parts: list[Stretch]) -> list[set[int]]:
    return [{p.number for p in (s.before, s.after) if p} for s in parts]


POSES = [placed(v, n) for n, v in enumerate((50, 100, 150, 200, 250))]


def test_a_stretch_that_shows_two_old_poses_is_one_run_of_both() -> None:
    values = [100.0 if k // 6 % 2 else 200.0 for k in range(60)]
    plans = with_known(*POSES).plans(Stretch(0, 60, POSES[0], None), block(values))
    assert used(plans[0]) == [{1, 3}]
    assert (plans[0][0].start, plans[0][0].stop) == (0, 60)


def test_poses_that_follow_each_other_are_runs_of_their_own() -> None:
    values = [100.0] * 15 + [150.0] * 15 + [200.0] * 15 + [250.0] * 15
    plans = with_known(*POSES).plans(Stretch(0, 60, POSES[0], None), block(values))
    assert {1, 2} in used(plans[0]) and {3, 4} in used(plans[0])
    for plan in plans:
        assert [s.start for s in plan] == [0, *(s.stop for s in plan[:-1])] and plan[-1].stop == 60


def test_without_another_reference_there_is_no_plan() -> None:
    stretch = Stretch(0, 60, POSES[0], None)
    assert with_known().plans(stretch, block([50.0] * 60)) == []
    assert with_known(POSES[0]).plans(stretch, block([50.0] * 60)) == []


def test_a_stretch_of_a_few_frames_has_no_plan() -> None:
    assert with_known(*POSES).plans(Stretch(0, 6, POSES[0], None), block([50.0] * 6)) == []


def test_only_a_few_that_are_like_the_stretch_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    render = ENGINE.render

    def noted(references: list[Any], keypoints: np.ndarray) -> np.ndarray:
        asked.extend(r.features for r in references)
        return render(references, keypoints)

    monkeypatch.setattr(ENGINE, "render", noted)
    many = [placed(10 * n, n) for n in range(25)]
    with_known(*many).plans(Stretch(0, 60, many[5], None), block([100.0] * 60))
    assert len({*asked}) == gallery._TRIED and 100.0 in asked


def test_what_a_block_may_not_use_is_forgotten() -> None:
    some = with_known(placed(50, 3, 0), placed(100, 5, 4), placed(150, 9, 4))
    some.forget(block([50.0], oldest=4, lowest=6))
    assert [p.number for p in some.latest(5)] == [9]


def test_the_oldest_gives_way() -> None:
    some = with_known(*(placed(50, n) for n in range(REMEMBERED + 3)))
    assert [p.number for p in some.latest(REMEMBERED + 3)] == [*range(3, REMEMBERED + 3)]


class Maker:
    """Says what references cost, and counts those that are coded."""

    def __init__(self, size: int) -> None:
        self.size, self.coded = size, 0

    def code(self, offset: int, independent: bool) -> Placed:
        self.coded += 1
        return placed(0, 100 + self.coded)

    def preview(self, shown: list[np.ndarray], before: np.ndarray | None) -> tuple[list[np.ndarray], int]:
        return shown, self.size * len(shown)


@pytest.mark.parametrize(("size", "bought"), [(100, False), (1, True)])
def test_old_references_serve_again_where_new_ones_cost_more(size: int, bought: bool) -> None:
    """The poses come back but for a little, which new references would mend."""
    look = Lookahead(ENGINE, verdicts, 3, 0.01, alpha=-1)
    for one in POSES[1:]:
        look._gallery.remember(one)
    maker = Maker(size)
    stretches = look.place(block([101.0] * 30 + [202.0] * 30, maker=maker))
    assert bool(maker.coded) is bought
    if not bought:
        assert used(stretches) == [{1, 3}]
