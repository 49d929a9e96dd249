"""Full picture or whole frames: what is tried, and what is made of it, with rates made up."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
from places import SAMPLES

import neurocodec
from neurocodec.encoding import encoder, region_trial
from neurocodec.encoding.region_trial import Beginning, better_region
from neurocodec.format.reader import NfcReader
from neurocodec.options import EncodeOptions, EncodeSettings


class Coding:
    """Encodes nothing; ``rates`` and ``far`` (kbit/s, distance) are by region and start of the piece."""

    def __init__(
        self, rates: dict[str, list[float]], far: dict[str, list[float]], seconds: float = 5
    ) -> None:
        self.rates, self.far, self.seconds = rates, far, seconds
        self.tried: list[tuple[str, float]] = []

    def encode(self, source: Any, file: BinaryIO, settings: EncodeSettings) -> Any:
        assert settings.start is not None and settings.audio == "none"
        index = int(settings.start > 0)
        self.tried.append((settings.region, settings.start))
        file.write(f"{settings.region} {index}".encode())
        return SimpleNamespace(duration=self.seconds, kbps={"video": self.rates[settings.region][index]})

    def distance(self, source: Any, coded: Any, *rest: Any) -> float:
        region, index = coded.read().decode().split()
        return self.far[region][int(index)]


def choose(
    monkeypatch: pytest.MonkeyPatch,
    coding: Coding,
    source: Any = None,
    quality: float = 50,
    effort: str = "default",
) -> tuple[str, list[str]]:
    monkeypatch.setattr(region_trial, "_mean_distance", coding.distance)
    settings = EncodeOptions(quality=quality, effort=effort).settings()
    found = better_region(source or SAMPLES / "astronaut.mp4", settings, coding.encode)
    return found, [region for region, _ in coding.tried]


def test_the_cheaper_way_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"full": [20.0, 20.0], "frames": [20.0, 20.0]}
    worse = Coding(rates, {"full": [0.2, 0.2], "frames": [0.1, 0.1]})
    assert choose(monkeypatch, worse)[0] == "frames"
    better = Coding(rates, {"full": [0.1, 0.1], "frames": [0.2, 0.2]})
    assert choose(monkeypatch, better)[0] == "full"


def test_a_later_piece_counts_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"full": [20.0, 20.0], "frames": [20.0, 20.0]}
    coding = Coding(rates, {"full": [0.1, 0.4], "frames": [0.15, 0.15]})
    assert choose(monkeypatch, coding) == ("frames", ["full", "frames", "full", "frames"])


def test_the_fast_effort_tries_the_beginning_alone_and_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"full": [20.0, 20.0], "frames": [20.0, 20.0]}
    coding = Coding(rates, {"full": [0.14, 9.0], "frames": [0.2, 0.2]})
    assert choose(monkeypatch, coding)[0] == "frames"
    coding.tried.clear()
    assert choose(monkeypatch, coding, effort="fast") == ("full", ["full", "frames"])


def test_a_calm_beginning_settles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    coding = Coding({"full": [5.0, 30.0]}, {})
    assert choose(monkeypatch, coding) == ("full", ["full"])


def test_two_pieces_that_are_calm_on_the_mean_settle_it(monkeypatch: pytest.MonkeyPatch) -> None:
    coding = Coding({"full": [7.5, 8.4], "frames": [7.5, 0]}, {"full": [0.1, 0], "frames": [0.16, 0]})
    assert choose(monkeypatch, coding) == ("full", ["full", "frames", "full"])


@pytest.mark.parametrize(("full", "better"), [(0.2, "frames"), (0.06, "full")])
def test_what_is_clear_at_the_beginning_is_settled_there(
    monkeypatch: pytest.MonkeyPatch, full: float, better: str
) -> None:
    rates = {"full": [20.0, 20.0], "frames": [40.0, 20.0]}
    coding = Coding(rates, {"full": [full, 0.1], "frames": [0.15, 0.1]})
    assert choose(monkeypatch, coding) == (better, ["full", "frames"])


def test_what_is_calm_depends_on_the_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, far = {"full": [9.0, 9.0], "frames": [4.0, 4.0]}, {"full": [0.2, 0.2], "frames": [0.1, 0.1]}
    assert choose(monkeypatch, Coding(rates, far), quality=20)[0] == "frames"
    assert choose(monkeypatch, Coding(rates, far), quality=80)[0] == "full"


def test_a_very_short_video_is_coded_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    coding = Coding({"full": [50.0, 50.0]}, {}, seconds=0.5)
    assert choose(monkeypatch, coding) == ("full", ["full"])


def test_a_source_in_memory_is_read_from_its_beginning_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, far = {"full": [20.0] * 2, "frames": [20.0] * 2}, {"full": [0.2] * 2, "frames": [0.1] * 2}
    source = io.BytesIO(Path(SAMPLES / "astronaut.mp4").read_bytes())
    assert choose(monkeypatch, Coding(rates, far), source)[0] == "frames"
    assert source.tell() == 0


def test_a_beginning_that_was_coded_is_not_coded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    coding = Coding({"full": [-1, 30.0], "frames": [20.0] * 2}, {"full": [0.2] * 2, "frames": [0.35] * 2})
    monkeypatch.setattr(region_trial, "_mean_distance", coding.distance)
    settings = EncodeOptions().settings()

    def choice(kbps: float) -> str:
        coding.tried.clear()
        beginning = Beginning(b"full 0", kbps, 5.0)
        return better_region(SAMPLES / "astronaut.mp4", settings, coding.encode, beginning)

    assert choice(5.0) == "full" and not coding.tried
    assert choice(30.0) == "frames"
    assert coding.tried == [("frames", 0.0), ("full", 5.0), ("frames", 5.0)]


@pytest.mark.parametrize("wanted", ["full", "frames"])
def test_the_full_picture_is_gone_on_with_or_given_up(
    wanted: str, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is the same as if the better way had been asked for; the trial gets a whole file."""
    settings: dict[str, Any] = {"effort": "default", "threads": 1, "device": "cpu"}
    out = io.BytesIO()

    def trial(source: Any, settings: EncodeSettings, encode: Any, beginning: Beginning) -> str:
        assert out.getvalue() == b""
        whole = NfcReader(io.BytesIO(beginning.file))
        assert [len(block.pts) for block, _ in whole] == [40]
        assert beginning.seconds == pytest.approx(1.6)
        return wanted

    monkeypatch.setattr(encoder, "choose_region", lambda *a: "either")
    monkeypatch.setattr(encoder, "better_region", trial)
    neurocodec.encode(clip, out, **settings)
    assert out.getvalue() == neurocodec.encode_bytes(clip, region=wanted, **settings)


def test_whole_frames_are_given_an_allowance_for_their_fast_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"full": [20.0] * 2, "frames": [20.0] * 2}
    for share, better in ((0.5, "full"), (0.7, "frames")):
        coding = Coding(rates, {"full": [0.2 * share] * 2, "frames": [0.2] * 2})
        assert choose(monkeypatch, coding)[0] == better
