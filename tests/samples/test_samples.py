"""The sample clips: what is shipped, and the script that makes them."""

from __future__ import annotations

import csv
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest
from places import SAMPLES


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_samples"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def puppet(maker: ModuleType) -> Any:
    return maker.Puppet(256)


@pytest.fixture(scope="module")
def rest(maker: ModuleType, puppet: Any) -> np.ndarray:
    frame: np.ndarray = puppet.frame(maker.State())
    return frame


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as box:
        return np.stack([f.to_ndarray(format="rgb24") for f in box.decode(video=0)])


def box_around(points: dict[str, tuple[float, float]], names: list[str], margin: int) -> tuple[slice, slice]:
    at = np.array([points[n] for n in names])
    (x0, y0), (x1, y1) = at.min(axis=0), at.max(axis=0)
    return slice(int(y0) - margin, int(y1) + margin + 1), slice(int(x0) - margin, int(x1) + margin + 1)


def change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).mean())


@pytest.mark.parametrize(
    ("name", "count", "sound"), [("astronaut.mp4", 250, False), ("astronaut_sound.mp4", 125, True)]
)
def test_shipped_clip(name: str, count: int, sound: bool) -> None:
    path = SAMPLES / name
    assert path.stat().st_size <= 350 * 1024
    with av.open(str(path)) as box:
        video = box.streams.video[0]
        assert (video.width, video.height) == (256, 256)
        assert video.average_rate == 25
        assert video.codec_context.name == "h264"
        assert abs(float(video.duration * video.time_base) - count / 25) < 0.05
        assert len(box.streams.audio) == int(sound)
        about = " ".join(box.metadata.values()).lower()
        assert "synthe" in about and "nasa" in about and "public domain" in about
    assert len(decode(path)) == count


def test_shipped_sound_is_heard_and_follows_the_mouth(maker: ModuleType) -> None:
    with av.open(str(SAMPLES / "astronaut_sound.mp4")) as box:
        blocks = [f.to_ndarray().astype(np.float64).ravel() for f in box.decode(audio=0)]
        rate = box.streams.audio[0].rate
    sound = np.concatenate(blocks)
    assert abs(len(sound) / rate - 5.0) < 0.15
    assert 0.05 < np.abs(sound).max() <= 1.0
    step = rate // 25
    loud = [float(np.sqrt(np.mean(sound[i * step : (i + 1) * step] ** 2))) for i in range(120)]
    motion = maker.Motion(maker.SEED + 1, maker.SOUND_SECONDS)
    jaw = [motion.at((i + 0.5) / 25).jaw for i in range(120)]
    assert np.corrcoef(loud, jaw)[0, 1] > 0.6


def test_motion_is_really_in_the_shipped_clip(maker: ModuleType, puppet: Any) -> None:
    frames = decode(SAMPLES / "astronaut.mp4")[::3].astype(np.float64)
    points = puppet.landmarks(maker.State())
    mouth = box_around(points, ["mouth_left", "mouth_right", "lip_upper_outer", "lip_lower_outer"], 4)
    eyes = box_around(points, ["eye_left_outer", "eye_right_outer", "eye_left_lower", "eye_left_upper"], 3)
    spread = frames.std(axis=0).mean(axis=2)
    corner = spread[:40, :40].mean()
    assert corner < 1.5
    assert spread[:40, -20:].mean() < 1.5
    assert spread[mouth].mean() > 8.0 > 4.0 * corner
    assert spread[eyes].mean() > 8.0


def test_shipped_clip_is_what_the_script_makes(maker: ModuleType, puppet: Any) -> None:
    frames = decode(SAMPLES / "astronaut.mp4")
    motion = maker.Motion()
    for i in (0, 61, 157):
        assert change(frames[i], puppet.frame(motion.at(i / 25))) < 4.0


def test_frames_are_deterministic(maker: ModuleType) -> None:
    def some(seed: int) -> np.ndarray:
        return np.stack(list(maker.frames(maker.Motion(seed, 2.0), maker.Puppet(64), 3)))

    first = some(3)
    assert first.shape == (3, 64, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, some(3))
    assert not np.array_equal(first, some(4))


def test_rest_is_the_picture(maker: ModuleType, rest: np.ndarray) -> None:
    from skimage.data import astronaut

    left, top, side = (int(v) for v in maker.CROP)
    cut = np.asarray(astronaut())[top : top + side, left : left + side]
    assert change(rest, cv2.resize(cut, (256, 256), interpolation=cv2.INTER_CUBIC)) < 2.0


def test_each_control_moves_its_own_part(maker: ModuleType, puppet: Any, rest: np.ndarray) -> None:
    points = puppet.landmarks(maker.State())
    regions = {
        "mouth": box_around(points, ["mouth_left", "mouth_right", "lip_lower_outer"], 3),
        "eyes": box_around(points, ["eye_left_outer", "eye_right_outer", "eye_left_lower"], 3),
        "hair": (slice(25, 70), slice(80, 180)),
        "corner": (slice(0, 40), slice(0, 40)),
    }

    def moved(state: Any) -> dict[str, float]:
        frame = puppet.frame(state)
        return {name: change(frame[part], rest[part]) for name, part in regions.items()}

    speaking = moved(maker.State(jaw=5.0))
    assert speaking["mouth"] > 5.0 and speaking["eyes"] < 0.5 and speaking["hair"] < 0.1
    blinking = moved(maker.State(blink=1.0))
    assert blinking["eyes"] > 5.0 and blinking["mouth"] < 0.1 and blinking["hair"] < 0.1
    looking = moved(maker.State(gaze_x=1.5))
    assert looking["eyes"] > 1.0 and looking["mouth"] < 0.1
    turning = moved(maker.State(yaw=6.0))
    assert min(turning["mouth"], turning["eyes"], turning["hair"]) > 4.0
    for got in (speaking, blinking, looking, turning):
        assert got["corner"] < 0.1


def test_landmarks_move_as_said(maker: ModuleType, puppet: Any) -> None:
    still = maker.State()
    zoom = puppet.zoom
    at = puppet.landmarks(still)

    def shift(name: str, **change: float) -> np.ndarray:
        return np.subtract(puppet.landmarks(replace(still, **change))[name], at[name])

    assert np.allclose(shift("nose_tip", tx=3.0), (3.0 * zoom, 0.0), atol=1e-6)
    assert shift("nose_tip", yaw=8.0)[0] > shift("ear_left", yaw=8.0)[0] > 0.0  # the nose is nearer
    assert shift("nose_tip", pitch=4.0)[1] > 1.0
    assert shift("brow_left_outer", roll=3.0)[0] > shift("chin", roll=3.0)[0]
    assert np.allclose(shift("lip_lower_inner", jaw=5.0), (0.0, 5.0 * zoom), atol=0.3)
    assert 2.0 < shift("chin", jaw=5.0)[1] < 5.0 * zoom
    assert abs(shift("nose_tip", jaw=5.0)).max() < 0.1
    assert np.allclose(shift("iris_left", gaze_x=2.0), (2.0 * zoom, 0.0), atol=0.1)
    assert shift("brow_right_inner", brow=1.5)[1] < -0.8
    assert shift("mouth_left", narrow=0.1)[0] > 1.0 and shift("mouth_right", narrow=0.1)[0] < -1.0
    shut = puppet.landmarks(replace(still, blink=1.0))
    for eye in ("eye_left", "eye_right"):
        assert at[f"{eye}_lower"][1] - at[f"{eye}_upper"][1] > 6.0
        assert abs(shut[f"{eye}_lower"][1] - shut[f"{eye}_upper"][1]) < 1.0
    pressed = puppet.landmarks(replace(still, close=1.0))
    assert abs(pressed["lip_lower_inner"][1] - pressed["lip_upper_inner"][1]) < 1.0


@pytest.mark.parametrize("name", ["nose_tip", "eye_left_inner", "brow_right_outer", "mouth_left"])
def test_the_picture_follows_the_landmarks(
    maker: ModuleType, puppet: Any, rest: np.ndarray, name: str
) -> None:
    state = maker.State(yaw=5.0, pitch=-2.0, tx=2.0, ty=-1.0)
    (x0, y0), (x1, y1) = puppet.landmarks(maker.State())[name], puppet.landmarks(state)[name]
    left, top, half = round(x0), round(y0), 9
    patch = rest[top - half : top + half + 1, left - half : left + half + 1]
    frame = puppet.frame(state)
    score = cv2.matchTemplate(frame, patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (found_x, found_y) = cv2.minMaxLoc(score)
    assert best > 0.8
    assert abs(found_x + half - left - (x1 - x0)) < 1.5
    assert abs(found_y + half - top - (y1 - y0)) < 1.5
    assert abs(x1 - x0) > 3.0


def test_motion_is_smooth_and_lifelike(maker: ModuleType) -> None:
    motion = maker.Motion()
    states = [motion.at(i / 25) for i in range(250)]
    for name, step in (("yaw", 1.5), ("pitch", 1.5), ("roll", 1.0), ("tx", 1.0), ("scale", 0.01)):
        assert np.abs(np.diff([getattr(s, name) for s in states])).max() < step
    jaw = np.array([s.jaw for s in states])
    assert jaw.max() > 4.0 and (jaw < 0.3).mean() > 0.1  # speech, and pauses
    shut = np.array([s.blink > 0.5 for s in states])
    assert 3 <= len(motion.blinks) <= 8 and 0.02 < shut.mean() < 0.12
    assert all(0.12 <= length <= 0.2 for _, length in motion.blinks)


def test_the_command(maker: ModuleType, tmp_path: Path) -> None:
    from click.testing import CliRunner

    table = tmp_path / "points.csv"
    args = ["--out", str(tmp_path), "--seconds", "0.4", "--size", "64", "--fps", "10", "--audio"]
    result = CliRunner().invoke(maker.main, [*args, "--landmarks", str(table)])
    assert result.exit_code == 0, result.output
    assert [p.name for p in sorted(tmp_path.glob("*.mp4"))] == ["astronaut_sound.mp4"]
    assert decode(tmp_path / "astronaut_sound.mp4").shape == (4, 64, 64, 3)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {"yaw", "jaw", "blink", "nose_tip_x", "nose_tip_y", "chin_y"} <= set(rows[0])
    assert 0.0 < float(rows[0]["nose_tip_x"]) < 64.0
