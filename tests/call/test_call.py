"""The simulated call: link, packets, both ends, and the"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from command_line import call
from hypothesis import given, settings
from hypothesis import strategies as st
from places import SAMPLES

from neurocodec.call.link import Link, LinkOptions, Trace
from neurocodec.call.payload import (
    LandmarkEntry,
    ReceiverReport,
    ReferenceFragment,
    code_symbols,
    decode_symbols,
    pack_entries,
    unpack_entries,
)
from neurocodec.call.quantities import quantity, sweep_values
from neurocodec.call.receiver import Receiver
from neurocodec.call.rtp import LANDMARKS, PacketCounter, RtpPacket
from neurocodec.call.run import run_call
from neurocodec.call.simulate import Call, CallResult, ComputeTimes, measured_times, simulate
from neurocodec.errors import DamagedFileError, InputError, OutputError, UsageError
from neurocodec.media.frames import read_letterboxed
from neurocodec.models import model_files as models
from neurocodec.models.feedback import DistanceFeedback
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import DEFAULT_FEEDBACK

LINK = LinkOptions(bandwidth=40_000, loss=0.02, delay=0.08, jitter=0.02)


def test_a_packet_takes_its_bits_and_the_delay() -> None:
    link = Link(LinkOptions(bandwidth=8000, delay=0.1), 1)
    assert link.send(0.0, 100) == pytest.approx(0.2)
    assert link.send(0.0, 100) == pytest.approx(0.3)  # behind the first
    assert link.send(5.0, 100) == pytest.approx(5.2)


def test_the_queue_drops_what_does_not_fit() -> None:
    link = Link(LinkOptions(bandwidth=8000, queue=0.25), 1)
    arrivals = [link.send(0.0, 100) for _ in range(6)]
    assert [a is None for a in arrivals] == [False] * 3 + [True] * 3
    assert link.counts.dropped == 3


def test_loss_and_jitter_follow_the_seed() -> None:
    def fates(seed: int) -> list[float | None]:
        link = Link(LinkOptions(loss=0.3, delay=0.05, jitter=0.02), seed)
        return [link.send(k * 0.04, 50) for k in range(2000)]

    first = fates(3)
    assert first == fates(3)
    assert first != fates(4)
    lost = sum(a is None for a in first) / len(first)
    assert 0.26 < lost < 0.34
    came = [a for a in first if a is not None]
    assert any(b < a for a, b in pairwise(came))  # some overtake


def test_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("seconds,kbps\n0,8\n1,0\n2,16\n")
    trace = Trace.read(file)
    assert trace.at(0.5) == (8000, 1.0)
    assert trace.at(3.5) == (8000, 4.0)  # starts over
    link = Link(LinkOptions(trace=trace, queue=9), 1)
    assert link.send(0.9, 200) == pytest.approx(2.05)  # 800 bits, a second of nothing, 800 bits
    for text, message in (
        ("1,5\n", "begin with 0"), ("0,5\n0,6\n", "increase"), ("0,-1\n", "negative"),
        ("0,a\n", "two numbers"), ("0,1,2\n", "two numbers"), ("", "begin with 0"), ("0,0\n", "zero"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            Trace.read(file)
    with pytest.raises(InputError, match="cannot read"):
        Trace.read(tmp_path / "none.csv")


def test_rtp_packets() -> None:
    packet = RtpPacket(LANDMARKS, 65535, 123456, 7, b"abc")
    assert RtpPacket.unpack(packet.pack()) == packet
    assert packet.pack()[:4] == bytes([0x80, 96, 255, 255])
    for data in (b"", b"\x80", b"\x40" + bytes(11), b"\x80\xe0" + bytes(10)):
        with pytest.raises(DamagedFileError):
            RtpPacket.unpack(data)
    counter = PacketCounter()
    assert [counter.extended(n) for n in (65534, 65535, 1, 0, 2)] == [65534, 65535, 65537, 65536, 65538]


@given(st.lists(st.integers(-3000, 3000), min_size=60, max_size=60), st.booleans())
@settings(max_examples=30, deadline=None)
def test_symbols_survive(values: list[int], predicted: bool) -> None:
    symbols = np.array(values, np.int32)
    base = symbols[::-1].copy() if predicted else None
    assert (decode_symbols(code_symbols(symbols, base), base, 60) == symbols).all()


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (unpack_entries, ReferenceFragment.unpack, ReceiverReport.unpack, RtpPacket.unpack):
        with suppress(DamagedFileError):
            read(data)


def test_payloads_survive() -> None:
    entries = [LandmarkEntry(9, 1, 7, 100, b"xy"), LandmarkEntry(8, 1, None, 60, b"")]
    assert unpack_entries(pack_entries(entries)) == entries
    fragment = ReferenceFragment(3, 70, 1, 4, b"data")
    assert ReferenceFragment.unpack(fragment.pack()) == fragment
    report = ReceiverReport(10, 9, 1234, 0.05, 2, None, True, ((2, 1), (3, 0)))
    assert ReceiverReport.unpack(report.pack()) == report


@pytest.fixture(scope="module")
def engine() -> MotionEngine:
    return MotionEngine(models.find("talk256", "motion"))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return read_letterboxed(SAMPLES / "astronaut.mp4", 256, 1.6)[0]


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


@pytest.mark.slow
def test_the_seed_decides_everything(engine: MotionEngine, pictures: list[np.ndarray]) -> None:
    a, b, c = (run(engine, pictures[:14], LINK, seed) for seed in (1, 1, 5))
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
def test_the_sender_checks_what_the_receiver_shows(engine: MotionEngine, pictures: list[np.ndarray]) -> None:
    def called(verdict: float, times: ComputeTimes) -> tuple[CallResult, list[tuple[np.ndarray, int]]]:
        looks = []

        def feedback(renderings: np.ndarray, originals: list[np.ndarray]) -> np.ndarray:
            looks.append((renderings[0], next(k for k, p in enumerate(pictures) if p is originals[0])))
            return np.array([verdict])

        good_link = Call(pictures, 25.0, LinkOptions(delay=0.02), rate=200_000)
        return simulate(engine, feedback, good_link, times), looks

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


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("bandwidth", "40kbps", 40_000), ("loss", "2%", 0.02), ("loss", "0.5", 0.5), ("delay", "80ms", 0.08),
     ("jitter", "1s", 1), ("bandwidth", "1.5Mbps", 1.5e6)],
)  # fmt: skip
def test_quantities(kind: str, text: str, value: float) -> None:
    assert quantity(kind, text) == pytest.approx(value)


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
