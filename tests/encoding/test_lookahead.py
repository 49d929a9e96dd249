"""Where an encoder that looks ahead puts its references, with an engine and verdicts made of numbers."""

from typing import Any

import numpy as np
import pytest
from numbered_pictures import FakeEngine, picture, verdicts

from neurocodec.encoding import lookahead
from neurocodec.encoding.lookahead import MOST_REFERENCES, Lookahead
from neurocodec.encoding.stretches import BlockFrames, Placed, Stretch, Verdicts


class Placing:
    """One block of frames with these values, coded with ``size`` bytes a reference."""

    def __init__(
        self,
        values: list[float],
        price: float = 0.01,
        alpha: float = 0.0,
        forced: tuple[int, ...] = (0,),
        cuts: tuple[int, ...] = (),
        current: float | None = None,
        oldest: int = 0,
        size: int = 100,
        feedback: Verdicts = verdicts,
    ) -> None:
        self.coded: list[int] = []
        self.independent: list[int] = []
        self.size, self.values = size, values
        engine: Any = FakeEngine()
        self.engine = engine
        before = None if current is None else Placed(-1, 7, 7, engine.reference(picture(current)))
        self.lookahead = Lookahead(engine, feedback, 3, price, alpha)
        self.stretches = self.place(values, list(forced), list(cuts), before, oldest)

    def place(
        self, values: list[float], forced: list[int], cuts: list[int], current: Placed | None, oldest: int
    ) -> list[Stretch]:
        pictures = [picture(v) for v in values]
        keypoints = np.repeat(np.array(values, np.float32)[:, None, None], 2, 2)
        return self.lookahead.place(
            BlockFrames(pictures, keypoints, forced, cuts, current, oldest, maker=self)
        )

    def code(self, offset: int, independent: bool) -> Placed:
        self.coded.append(offset)
        self.independent += [offset] * independent
        number = 7 + len(self.coded)
        return Placed(offset, number, number, self.engine.reference(picture(self.values[offset])))

    def preview(self, shown: list[np.ndarray], before: np.ndarray | None) -> tuple[list[np.ndarray], int]:
        return shown, self.size * len(shown) + (self.size // 2 if before is None else 0)

    def covered(self) -> list[int]:
        frames = [k for s in self.stretches for k in range(s.start, s.stop)]
        return sorted([*frames, *self.coded])


STILL = [50.0] * 60
MOVING = [40 + 1.5 * k for k in range(60)]
LONG = [20 + 0.35 * k for k in range(600)]
CUT = [50.0] * 30 + [200.0] * 30


@pytest.mark.parametrize("values", [STILL, MOVING, CUT])
@pytest.mark.parametrize("price", [0.0, 0.01, 10.0])
def test_every_frame_is_a_reference_or_in_one_stretch(values: list[float], price: float) -> None:
    placing = Placing(values, price, cuts=(30,) if values is CUT else ())
    assert placing.covered() == list(range(60))


def test_a_still_clip_needs_one_reference() -> None:
    placing = Placing(STILL)
    assert placing.coded == [0]
    assert [(s.start, s.stop, s.after) for s in placing.stretches] == [(1, 60, None)]


def test_a_still_clip_goes_on_with_the_reference_in_use() -> None:
    placing = Placing(STILL, forced=(), current=50)
    assert placing.coded == []
    assert [(s.start, s.stop, s.before.number) for s in placing.stretches] == [(0, 60, 7)]


def test_a_moving_clip_ends_with_a_reference_and_uses_both_sides() -> None:
    placing = Placing(MOVING, price=0.02)
    assert placing.coded[0] == 0 and 59 in placing.coded
    assert all(s.after is not None for s in placing.stretches)
    for s in placing.stretches:
        assert s.before.offset == s.start - 1
        assert s.after is not None and s.after.offset == s.stop


def test_a_lower_price_buys_more_references() -> None:
    counts = [len(Placing(MOVING, price).coded) for price in (10.0, 0.05, 0.005, 0.0)]
    assert counts == sorted(counts)
    assert counts[0] == 1 and counts[-1] > 10


def test_larger_references_are_bought_less() -> None:
    assert len(Placing(MOVING, size=500).coded) < len(Placing(MOVING, size=20).coded)


def test_a_bad_stretch_is_split_for_less() -> None:
    assert len(Placing(MOVING, price=0.2, alpha=0.5).coded) > 1
    assert len(Placing(MOVING, price=0.2, alpha=0.0).coded) == 1


def test_a_bad_stretch_is_divided_for_less_where_one_reference_alone_would_not_pay() -> None:
    there_and_back = [80.0 * (k // 4 % 2) for k in range(60)]
    assert len(Placing(there_and_back, price=0.3, alpha=0.5).coded) > 1
    assert len(Placing(there_and_back, price=0.3, alpha=0.0).coded) == 1


@pytest.mark.parametrize("parts", [{"forced": (0, 30)}, {"cuts": (30,)}, {"forced": (0, 30), "cuts": (30,)}])
def test_nothing_is_rendered_from_both_sides_of_a_cut(parts: dict[str, tuple[int, ...]]) -> None:
    placing = Placing(CUT, price=0.0, **parts)  # type: ignore[arg-type]
    assert placing.independent == [*parts.get("cuts", ())]
    for s in placing.stretches:
        after = [] if s.after is None else [s.after]
        sides = {p.offset >= 30 for p in [s.before, *after]} | {s.start >= 30}
        assert len(sides) == 1


def test_a_scene_that_comes_again_is_shown_by_its_old_reference() -> None:
    placing = Placing([50.0] * 20 + [200.0] * 20 + [50.0] * 20, cuts=(20, 40))
    assert placing.coded == [0, 20]
    assert [(s.start, s.stop, s.before.offset) for s in placing.stretches] == [
        (1, 20, 0),
        (21, 40, 20),
        (40, 60, 0),
    ]


def test_a_forced_reference_is_made_even_if_an_old_one_would_do() -> None:
    assert Placing([50.0] * 60, forced=(0, 30), cuts=(30,)).coded == [0, 30]


def test_a_chain_that_is_too_old_is_not_used_again() -> None:
    placing = Placing([50.0] * 20 + [200.0] * 20, cuts=(20,))
    current = placing.stretches[-1].before
    placing.place([50.0] * 20, [], [0], current, 8)
    assert placing.coded == [0, 20]
    placing.place([50.0] * 20, [], [0], current, 9)
    assert placing.coded == [0, 20, 0]


def test_a_cut_right_behind_another() -> None:
    placing = Placing([10.0, 90.0, 170.0, 250.0], forced=(0, 1, 2, 3))
    assert placing.coded == [0, 1, 2, 3] and placing.stretches == []


def test_references_of_a_block_are_capped() -> None:
    assert len(Placing(LONG, price=0.0).coded) == MOST_REFERENCES


def test_cuts_count_towards_the_cap() -> None:
    values = np.random.default_rng(0).uniform(0, 250, 600).tolist()
    placing = Placing(values, price=0.0, cuts=tuple(range(2, 600, 2)))
    assert len(placing.coded) == MOST_REFERENCES
    assert placing.covered() == list(range(600))


def test_a_block_that_the_reference_in_use_does_not_show_begins_with_an_independent_one() -> None:
    placing = Placing(STILL, price=0.1, alpha=0.2, forced=(), current=200)
    assert placing.coded == placing.independent == [0]
    assert [(s.start, s.stop) for s in placing.stretches] == [(1, 60)]


def test_the_reference_in_use_goes_on_where_a_new_one_does_not_pay() -> None:
    assert Placing(STILL, price=2, alpha=0.2, forced=(), current=200).coded == []


def test_one_frame() -> None:
    assert Placing([50.0]).stretches == []
    (only,) = Placing([50.0], forced=(), current=50).stretches
    assert (only.start, only.stop) == (0, 1)


def test_the_same_frames_give_the_same_places() -> None:
    a, b = Placing(MOVING, 0.005), Placing(MOVING, 0.005)
    assert a.coded == b.coded
    assert [(s.start, s.stop) for s in a.stretches] == [(s.start, s.stop) for s in b.stretches]


@pytest.mark.parametrize("gap", [1, 4, 5, 1000])
def test_stretches_are_looked_at_evenly(gap: int) -> None:
    """About every gap-th to second gap-th frame, at multiples of half a gap; the last if nothing follows."""
    looker = Lookahead(FakeEngine(), verdicts, gap, 0.01, 0.2)  # type: ignore[arg-type]
    place = Placed(0, 0, 0, FakeEngine().reference(picture(0)))
    unit = (gap + 1) // 2
    for start in range(0, 20):
        for stop in range(start + 1, 120):
            looks = looker._looked_at(Stretch(start, stop, place, place))
            assert looks == sorted(set(looks)) and start <= looks[0] and looks[-1] < stop
            assert (stop - start) // (2 * gap) <= len(looks) <= (stop - start) / gap + 1
            apart = np.diff(looks)
            assert max(apart, default=0) <= 2 * gap + unit and min(apart, default=gap) >= gap - unit
            if len(looks) > 1:
                assert looks[0] - start <= gap + unit // 2 and stop - looks[-1] <= 2 * gap + unit // 2
            assert all(k % unit == 0 or k in (start, stop - 1) for k in looks)
            last = looker._looked_at(Stretch(start, stop, place, None))
            assert last == [*(k for k in looks if k != stop - 1), stop - 1]


def test_parts_are_looked_at_in_one_call() -> None:
    calls: list[int] = []

    def counting(renderings: np.ndarray, originals: list[np.ndarray]) -> np.ndarray:
        calls.append(len(originals))
        return verdicts(renderings, originals)

    place, far = (Placed(0, 0, 0, FakeEngine().reference(picture(v))) for v in (50, 150))
    looker = Lookahead(FakeEngine(), counting, 3, 0.01, 0.0)  # type: ignore[arg-type]
    keypoints = np.full((60, 1, 2), 50, np.float32)
    maker: Any = None
    looker._block = BlockFrames([picture(50)] * 60, keypoints, [], [], None, 0, maker)
    parts = [Stretch(1, 9, place, far), Stretch(10, 60, far, None)]
    looker._find_errors(parts)
    assert calls == [sum(len(p.errors) for p in parts)]
    for part, error in zip(parts, (0.0, 1.0), strict=True):
        assert [*part.errors] == looker._looked_at(part)
        assert set(part.errors.values()) == {error}


def test_a_stretch_is_split_inside_itself() -> None:
    for start, stop in ((0, 2), (5, 6), (3, 60)):
        for after in (None, Placed(stop, 9, 9, FakeEngine().reference(picture(0)))):
            errors = {start: 0.1, stop - 1: 0.9}
            stretch = Stretch(start, stop, Placed(0, 0, 0, FakeEngine().reference(picture(0))), after, errors)
            assert start <= Lookahead._split_offset(stretch) < stop


@pytest.mark.parametrize(("left", "calls"), [(0.0, 4), (0.6, 3)])
def test_what_cannot_pay_even_if_it_leaves_little_is_not_rendered(
    left: float, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames at which a division by two or four puts references are of no use to the others."""
    monkeypatch.setattr(lookahead, "_LEAST_LEFT", left)
    looked: list[int] = []

    def counting(renderings: np.ndarray, originals: list[np.ndarray]) -> np.ndarray:
        looked.append(len(originals))
        return verdicts(renderings, originals)

    values = [10.0 if k in (14, 29, 44, 59) else 100.0 for k in range(60)]
    placing = Placing(values, price=0.07, current=50, forced=(), feedback=counting)
    assert placing.coded == []
    assert len(looked) == calls


def test_nearly_bad_counts_as_bad() -> None:
    """Few frames are looked at, and worse ones may lie between."""
    looker = Lookahead(FakeEngine(), verdicts, 3, 0.01, 0.2)  # type: ignore[arg-type]
    place = Placed(0, 0, 0, FakeEngine().reference(picture(0)))
    for worst, bad in ((0.85, True), (0.73, True), (0.71, False)):
        assert looker._bad(Stretch(1, 9, place, None, {2: 0.1, 5: worst})) is bad
