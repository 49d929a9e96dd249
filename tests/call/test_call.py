"""Both ends of a simulated call, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import call
from places import SAMPLES

from neurocodec.call.link import LinkOptions
from neurocodec.call.payload import (
    LandmarkEntry,
    pack_entries,
)
from neurocodec.call.quantities import quantity, sweep_values
from neurocodec.call.receiver import Receiver
from neurocodec.call.rtp import LANDMARKS, RtpPacket
from neurocodec.call.run import run_call
from neurocodec.call.simulate import Call, CallResult, ComputeTimes, measured_times, simulate
from neurocodec.errors import InputError, OutputError, UsageError
from neurocodec.media.frames import read_letterboxed
from neurocodec.models import model_files as models
from neurocodec.models.feedback import DistanceFeedback
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import DEFAULT_FEEDBACK

LINK = LinkOptions(bandwidth=40_000, loss=0.02, delay=0.08, jitter=0.02)


@pytest.fixture(scope="module")
def engine() -> MotionEngine:
    return MotionEngine(models.find("talk256", "motion"))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return read_letterboxed(SAMPLES / "astronaut.mp4", 256, 1.6)[0]


@pytest.fixture(scope="module")
def quick_engine(small_model: str) -> MotionEngine:
    return MotionEngine(models.describe(Path(small_model)))


@pytest.fixture(scope="module")
def small_pictures() -> list[np.ndarray]:
    return read_letterboxed(SAMPLES / "astronaut.mp4", 64, 1.6)[0]


def run(
    engine: MotionEngine, pictures: list[np.ndarray], link: LinkOptions, seed: int = 1, rate: float = 40_000
):
    return simulate(engine, None, Call(pictures, 25.0, link, seed, rate), ComputeTimes())


@pytest.mark.slow
def test_a_good_link_shows_every_frame(engine: MotionEngine, pictures: list[np.ndarray]) -> None:
    result = run(engine, pictures, LinkOptions(delay=0.02), rate=200_000)
    assert len(result.shown) == len(pictures)
    how = [s.how for s in result.shown]
    assert how.count("nothing") < 8
    assert set(how[8:]) == {"received"}
    last = result.shown[-1]
    assert 0.05 < last.time - last.frame / 25 < 0.2
    error = np.abs(last.picture.astype(int) - pictures[-1]).mean()
    assert error < 20
    assert error < np.abs(pictures[0].astype(int) - pictures[-1]).mean() + 5


def test_the_seed_decides_everything(quick_engine: MotionEngine, small_pictures: list[np.ndarray]) -> None:
    a, b, c = (run(quick_engine, small_pictures[:14], LINK, seed) for seed in (1, 1, 5))
    rows = [[(s.frame, s.time, s.how) for s in r.shown] for r in (a, b, c)]
    assert rows[0] == rows[1] != rows[2]
    assert a.sent.bytes == b.sent.bytes
    for x, y in zip(a.shown, b.shown, strict=True):
        assert (x.picture is None) == (y.picture is None)
        assert x.picture is None or (x.picture == y.picture).all()


@pytest.mark.slow
def test_losses_are_concealed_and_a_reference_comes_again(
    engine: MotionEngine, pictures: list[np.ndarray]
) -> None:
    result = run(engine, pictures, replace(LINK, bandwidth=100_000, loss=0.3), seed=2, rate=100_000)
    how = [s.how for s in result.shown]
    assert how.count("received") > 5
    assert {"interpolated", "predicted"} & set(how)
    assert result.sent.bytes["repeated"] > 0
    assert result.packets.lost > 5


@pytest.mark.slow
def test_the_sender_checks_what_the_receiver_shows(
    quick_engine: MotionEngine, small_pictures: list[np.ndarray]
) -> None:
    def called(verdict: float, times: ComputeTimes) -> tuple[CallResult, list[tuple[np.ndarray, int]]]:
        looks = []

        def feedback(renderings: np.ndarray, originals: list[np.ndarray]) -> np.ndarray:
            looks.append((renderings[0], next(k for k, p in enumerate(small_pictures) if p is originals[0])))
            return np.array([verdict])

        good_link = Call(small_pictures, 25.0, LinkOptions(delay=0.02), rate=200_000)
        return simulate(quick_engine, feedback, good_link, times), looks

    good, looks = called(1.0, ComputeTimes())
    assert good.sent.references == 1
    assert len(looks) == 3
    for rendering, frame in looks:
        shown = next(s for s in good.shown if s.frame == frame)
        assert shown.how == "received"
        assert np.abs(rendering.astype(int) - shown.picture).mean() < 0.1
    bad, _ = called(0.0, ComputeTimes())
    assert bad.sent.references == 2
    assert not good.sent.skipped
    slow, looks = called(1.0, ComputeTimes(verdict=0.3))
    assert slow.sent.skipped >= 5 * len(looks) > 0


def test_damaged_packets_are_counted(engine: MotionEngine) -> None:
    receiver = Receiver(engine, 25.0)
    good = RtpPacket(LANDMARKS, 1, 0, 7, pack_entries([LandmarkEntry(0, 0, None, 100, b"\x01" * 40)])).pack()
    for data in (b"", b"garbage" * 5, good, RtpPacket(33, 2, 0, 7, b"").pack()):
        receiver.packet(data, 0.1)
    assert receiver.damaged >= 3
    assert receiver.show(0, 0.2).picture is None


def test_bad_settings(tmp_path: Path) -> None:
    for kind, text in (("loss", "2ms"), ("delay", "-3ms"), ("bandwidth", "fast"), ("loss", "")):
        with pytest.raises(UsageError, match=kind):
            quantity(kind, text)
    assert sweep_values("loss=0,1,5%") == ("loss", ["0%", "1%", "5%"])
    for text in ("colour=1", "loss", "loss=", "loss=1,fast"):
        with pytest.raises(UsageError):
            sweep_values(text)
    with pytest.raises(UsageError, match="100 %"):
        run_call(tmp_path / "x.mp4", loss="150%")
    for text in ("12,30", "fast", "12,30,-1"):
        with pytest.raises(UsageError, match=r"milliseconds|computing"):
            run_call(SAMPLES / "astronaut.mp4", seconds=0.1, compute=text)
    with pytest.raises(UsageError, match="sweep"):
        run_call(tmp_path / "x.mp4", sweep="loss=1", realtime=True)
    (tmp_path / "there.png").write_bytes(b"")
    with pytest.raises(OutputError, match="exists"):
        run_call(tmp_path / "x.mp4", plot_path=tmp_path / "there.png")
    with pytest.raises(InputError):
        run_call(tmp_path / "x.mp4")


@pytest.mark.slow
def test_times_of_this_machine(engine: MotionEngine, pictures: list[np.ndarray]) -> None:
    feedback = DistanceFeedback(models.find(DEFAULT_FEEDBACK, "feedback"))
    times = measured_times(engine, feedback, pictures[:3])
    assert 0 < times.measure < 10
    assert 0 < times.render < 10
    assert 0 < times.verdict < 10


@pytest.mark.slow
def test_command(clip: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "o.mp4", tmp_path / "p.png"
    arguments = ("--seconds", "1", "--loss", "5%", "--json", "--out", out, "--plot", plot)
    done = call("call", clip, *arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    kinds = found["bytes_by_kind"]
    assert {"references", "landmarks", "headers"} <= set(kinds)
    assert found["bytes_per_second"] == pytest.approx(sum(kinds.values()) / found["seconds"])
    assert found["under_5_KB_per_second"] is (found["bytes_per_second"] < 5000)
    assert sum(found["frames_by_kind"].values()) == found["frames"] == 25
    assert found["over_time"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert out.stat().st_size > 1000


def test_a_clip_too_short(clip: Path) -> None:
    """Nothing is wrong with the link."""
    done = call("call", clip, "--seconds", "0.4")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"0.4 s are too short" in done.stderr


def test_a_link_too_thin(clip: Path) -> None:
    done = call("call", clip, "--seconds", "1", "--bandwidth", "500bps")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"too thin" in done.stderr


@pytest.mark.slow
def test_realtime(clip: Path) -> None:
    name, rows = run_call(clip, seconds=0.8, realtime=True, delay="20ms", jitter="2ms", threads=1)
    assert name is None
    found = rows[0][1]
    assert found["frames"] == 20
    assert found["packets"] > 0
    assert found["bytes_by_kind"]["landmarks"] > 0
