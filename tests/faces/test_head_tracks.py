"""Heads are followed through synthetic clips, by a finder that knows where they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neurocodec.faces.cuts import CutFinder
from neurocodec.faces.detector import Found
from neurocodec.faces.head_tracks import HeadTrack, HeadTracker
from neurocodec.types import Picture

WIDTH, HEIGHT = 640, 360
Box = tuple[float, float, float, float]


class Scene:
    """A textured wall with heads on it; ``heads(frame)`` are the boxes that a finder would see."""

    def __init__(self, heads: Callable[[int], list[Box]], still: bool = False) -> None:
        rng = np.random.default_rng(1)
        self._walls = rng.integers(60, 200, (2, HEIGHT // 40, WIDTH // 40, 3), np.uint8)
        self._textures = rng.integers(0, 256, (40, 16, 12, 3), np.uint8)
        self._noise = rng.integers(-6, 7, (7, HEIGHT, WIDTH, 3), np.int16)
        self._heads, self._still = heads, still
        self.now, self.looks, self.score = 0, 0, 0.9

    def picture(self, frame: int, wall: int = 0) -> Picture:
        self.now = frame
        out = np.kron(self._walls[wall], np.ones((40, 40, 1), np.uint8)).copy()
        for k, (x, y, w, h) in enumerate(self._heads(frame)):
            texture = self._textures[k if self._still else (k + frame) % 40]
            rows = np.arange(round(h)) * 16 // round(h)
            columns = np.arange(round(w)) * 12 // round(w)
            left, top = max(0, round(x)), max(0, round(y))
            part = out[top : round(y) + round(h), left : round(x) + round(w)]
            part[:] = texture[rows][:, columns][-part.shape[0] :, -part.shape[1] :]
        return np.clip(out + self._noise[frame % 7], 0, 255).astype(np.uint8)

    def find(self, picture: Picture) -> list[Found]:
        self.looks += 1
        return [Found(*box, self.score) for box in self._heads(self.now)]


def followed(scene: Scene, frames: int, wall: Callable[[int], int] = lambda k: 0) -> list[HeadTrack]:
    tracker = HeadTracker(WIDTH, HEIGHT, rate=25, finder=scene.find)
    for k in range(frames):
        tracker.look(k, scene.picture(k, wall(k)))
    return tracker.tracks(frames - 1)


def test_a_moving_head_has_a_box_in_every_frame() -> None:
    scene = Scene(lambda k: [(100 + 2.0 * k, 80, 90, 110)])
    (track,) = followed(scene, 61)
    assert (track.first, track.end) == (0, 61)
    assert scene.looks == 21
    np.testing.assert_allclose(track.boxes[:, 0], 100 + 2.0 * np.arange(61), atol=0.01)
    np.testing.assert_allclose(track.boxes[30, 1:], (80, 90, 110))


def test_gaps_are_bridged_and_single_false_alarms_are_nothing() -> None:
    def heads(k: int) -> list[Box]:
        there: list[Box] = [] if 12 <= k < 18 or k % 2 else [(100 + k, 80, 90, 110)]
        return [*there, (400, 100, 80, 80)] if k == 30 else there

    (track,) = followed(Scene(heads), 60)
    assert (track.first, track.end) == (0, 60)
    np.testing.assert_allclose(track.boxes[:54, 0], 100 + np.arange(54), atol=0.01)


def test_a_box_that_is_wrong_once_does_not_shake_the_track() -> None:
    scene = Scene(lambda k: [(100, 80, 90, 140 if k == 15 else 110)])
    (track,) = followed(scene, 40)
    np.testing.assert_allclose(track.boxes[:, 3], 110)


def test_a_head_that_is_away_for_long_is_another_track() -> None:
    scene = Scene(lambda k: [] if 30 <= k < 60 else [(100, 80, 90, 110)])
    first, second = followed(scene, 90)
    assert (first.first, first.end) == (0, 30)
    assert (second.first, second.end) == (60, 90)
    assert first.number < second.number


def test_a_cut_and_a_jump_end_a_track() -> None:
    cut = followed(Scene(lambda k: [(100, 80, 90, 110)]), 80, wall=lambda k: int(k >= 40))
    assert [(t.first, t.end) for t in cut] == [(0, 40), (40, 80)]
    jump = followed(Scene(lambda k: [(100 if k < 39 else 400, 80, 90, 110)]), 80)
    assert [(t.first, t.end) for t in jump] == [(0, 39), (39, 80)]


def test_what_is_brief_small_or_never_changes_is_no_head() -> None:
    assert not followed(Scene(lambda k: [(100, 80, 90, 110)] if k < 9 else []), 60)
    assert not followed(Scene(lambda k: [(100, 80, 40, 46)]), 60)
    assert not followed(Scene(lambda k: [(100, 80, 90, 110)], still=True), 60)
    unsure = Scene(lambda k: [(100, 80, 90, 110)])
    unsure.score = 0.51
    assert not followed(unsure, 60)
    moving = Scene(lambda k: [(100 + k, 80, 90, 110)], still=True)
    assert len(followed(moving, 60)) == 1


def test_the_four_largest_are_kept_under_their_numbers() -> None:
    sizes = (60, 100, 70, 50, 90)
    tracks = followed(Scene(lambda k: [(20 + 120 * i, 100, s, s) for i, s in enumerate(sizes)]), 40)
    assert [round(float(t.boxes[0, 3])) for t in tracks] == [60, 100, 70, 90]
    assert len({t.number for t in tracks}) == 4


def test_heads_that_pass_each_other_are_not_mixed_up() -> None:
    scene = Scene(lambda k: [(50 + 4.0 * k, 40, 80, 90), (450 - 4.0 * k, 170, 100, 110)])
    first, second = followed(scene, 90)
    assert np.all(np.diff(first.boxes[:, 0]) >= 0) and np.all(np.diff(second.boxes[:, 0]) <= 0)


def test_one_face_found_twice_is_one_track() -> None:
    scene = Scene(lambda k: [(100, 80, 90, 110), (104, 84, 94, 112)])
    assert len(followed(scene, 40)) == 1


def test_tracks_so_far_keep_their_numbers() -> None:
    scene = Scene(lambda k: [(100, 80, 90, 110), *([(400, 100, 95, 105)] if k >= 30 else [])])
    tracker = HeadTracker(WIDTH, HEIGHT, rate=25, finder=scene.find)
    seen = []
    for k in range(90):
        tracker.look(k, scene.picture(k))
        if k in (24, 89):
            seen.append({t.number: (t.first, t.end) for t in tracker.tracks(k)})
    assert seen[0] == {0: (0, 25)}
    assert seen[1] == {0: (0, 90), 1: (30, 90)}


def test_boxes_stay_in_the_picture() -> None:
    (track,) = followed(Scene(lambda k: [(-20, -10 + k % 2, 90, 110)]), 40)
    assert track.boxes[:, :2].min() >= 0 and track.boxes[0, 2] == pytest.approx(70)


def test_cuts_are_not_flashes_or_motion() -> None:
    rng = np.random.default_rng(3)
    wall = np.kron(rng.integers(0, 256, (9, 16, 3), np.uint8), np.ones((20, 20, 1), np.uint8))
    other = np.kron(rng.integers(0, 256, (9, 16, 3), np.uint8), np.ones((20, 20, 1), np.uint8))
    finder = CutFinder()
    moving = [np.roll(wall, 2 * k, 1) for k in range(10)]
    assert not any(finder.update(p) for p in moving)
    assert finder.update(other)
    assert not finder.update(np.clip(other.astype(int) + 25, 0, 255).astype(np.uint8))
