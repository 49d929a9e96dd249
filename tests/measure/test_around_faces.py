"""The distance around faces: on the source's faces, whatever was coded, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from places import SAMPLES

from neurocodec.measure.around_faces import EVERY, LARGEST_SQUARE, cut, square_around, squares_of
from neurocodec.measure.clips import ClipSource, Frames, load_clip
from neurocodec.measure.metric import MetricFiles
from neurocodec.measure.registry import METRICS


@pytest.fixture(scope="module")
def frames() -> Frames:
    """A portrait to the right in a wide picture."""
    portrait = load_clip(ClipSource(str(SAMPLES / "astronaut.mp4"), 0.32, None)).frames
    out = np.full((len(portrait), 320, 640, 3), 90, np.uint8)
    out[:, 40:296, 360:616] = portrait
    return out


def test_squares_are_twice_as_large_as_faces() -> None:
    square = square_around((100, 50, 60, 80), 640, 480)
    assert square is not None and (square.x, square.y, square.side) == (50, 10, 160)
    square = square_around((600, 400, 60, 80), 640, 480)  # inside the picture
    assert square is not None and (square.x, square.y, square.side) == (480, 320, 160)
    square = square_around((0, 0, 900, 900), 1280, 720)
    assert square is not None and square.side == 720
    assert cut(np.zeros((720, 1280, 3), np.uint8), square).shape == (LARGEST_SQUARE, LARGEST_SQUARE, 3)
    assert square_around((100, 50, 20, 25), 640, 480) is None  # too small to be judged


def test_only_what_is_around_faces_counts(frames: Frames) -> None:
    metric = METRICS["faces"](MetricFiles())
    assert metric.missing(640, 320) is None
    same = metric.measure(frames, frames, 1)
    assert [k for k, v in enumerate(same) if v is not None] == list(range(0, len(frames), EVERY))
    assert same[0] == pytest.approx(0, abs=1e-6)
    (square,) = squares_of(frames[0])
    elsewhere, there = frames.copy(), frames.copy()
    elsewhere[:, :, :200] = 200
    middle = square.x + square.side // 2, square.y + square.side // 2
    there[:, middle[1] - 20 : middle[1] + 20, middle[0] - 20 : middle[0] + 20] = 0
    assert metric.measure(frames, elsewhere, 1)[0] == pytest.approx(0, abs=1e-6)
    little, much = metric.measure(frames, there, 1)[0], metric.measure(frames, frames[:, ::-1], 1)[0]
    assert little is not None and much is not None and 0.01 < little < much


def test_without_a_face_there_is_no_figure() -> None:
    nothing = np.full((6, 128, 128, 3), 120, np.uint8)
    assert METRICS["faces"](MetricFiles()).measure(nothing, nothing, 1) == [None] * 6


def test_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = METRICS["faces"](MetricFiles())
    assert "at least 64 pixels" in str(metric.missing(640, 48))
    assert metric.identity() != METRICS["faces"](MetricFiles(lpips=str(SAMPLES / "same.json"))).identity()
    monkeypatch.setattr("neurocodec.measure.around_faces.installed", lambda: iter(()))
    assert "heads320 and face68" in str(metric.missing(640, 320))
