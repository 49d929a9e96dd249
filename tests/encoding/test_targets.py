"""Encodes to a target: of a long file by samples, of a short one as a whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from long_clips import QUICK, SECONDS, long_clip
from media_factory import Pipe

import neurocodec
from neurocodec.encoding import targets
from neurocodec.errors import UsageError

RATE = 0.45
SAMPLED = "looking for the quality on samples"


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_clip(tmp_path_factory.mktemp("long") / "long.mp4", audio="aac")


class Coded:
    """A file, its report, and the stages of its encode."""

    def __init__(self, source: Any, model: str, **options: Any) -> None:
        self.stages: list[str] = []
        out = io.BytesIO()
        self.report = neurocodec.encode(
            source, out, model=model, stage=self.stages.append, **{**QUICK, **options}
        )
        self.data = out.getvalue()

    @property
    def wholes(self) -> int:
        return sum(not s.startswith(SAMPLED) for s in self.stages)


@pytest.fixture(scope="module")
def by_rate(long_file: Path, small_model: str) -> Coded:
    return Coded(long_file, small_model, target_kbps=RATE, audio="none")


def test_a_rate_is_met_by_samples(by_rate: Coded) -> None:
    assert by_rate.report.kbps["total"] == pytest.approx(RATE, rel=0.05)
    assert 1 <= by_rate.wholes <= 3 and len(by_rate.stages) > by_rate.wholes
    assert by_rate.report.duration == pytest.approx(SECONDS, abs=1)


def test_the_note_names_the_whole_files_figure(by_rate: Coded, long_file: Path, small_model: str) -> None:
    (note,) = (n for n in by_rate.report.notes if n.startswith("quality "))
    assert note.endswith(f": {by_rate.report.kbps['total']:.2f} kbit/s")
    quality = float(note.split()[1].rstrip(":"))
    assert Coded(long_file, small_model, quality=quality, audio="none").data == by_rate.data


def test_a_pipe_gives_the_same_file(by_rate: Coded, long_file: Path, small_model: str) -> None:
    assert (
        Coded(Pipe(long_file.read_bytes()), small_model, target_kbps=RATE, audio="none").data == by_rate.data
    )


def test_a_size_is_not_exceeded(long_file: Path, small_model: str) -> None:
    coded = Coded(long_file, small_model, max_size=7200, audio="none")
    assert 0.9 * 7200 <= len(coded.data) <= 7200
    assert any(s.startswith(SAMPLED) for s in coded.stages)


def test_a_size_that_nothing_fits_in_is_refused(long_file: Path, small_model: str) -> None:
    with pytest.raises(UsageError, match=r"1000 bytes cannot be met: the lowest quality takes [0-9]+"):
        Coded(long_file, small_model, max_size=1000, audio="none")


def test_a_distance_out_of_reach_is_said(long_file: Path, small_model: str) -> None:
    usual = Coded(long_file, small_model, target_lpips=1.0, audio="none")
    assert usual.wholes == 1 and any("cannot be met" in n for n in usual.report.notes)


def test_a_file_that_breaks_off_before_its_samples_is_coded_as_a_whole(
    tmp_path: Path, small_model: str
) -> None:
    path = long_clip(tmp_path / "long.mkv")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    coded = Coded(path, small_model, target_kbps=RATE)
    assert coded.report.duration < SECONDS / 2
    assert coded.stages[0].startswith(SAMPLED)
    assert coded.wholes > 1 and not coded.stages[-1].startswith(SAMPLED)


def test_a_short_file_is_coded_as_a_whole(
    clip: Path, small_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> None:
        raise AssertionError("samples of a short file")

    monkeypatch.setattr(targets, "Samples", none)
    coded = Coded(clip, small_model, target_kbps=40.0)
    assert coded.wholes == len(coded.stages) >= 1
    assert any(n.startswith("quality ") for n in coded.report.notes)


def note_on_worst(coded: Coded) -> float:
    (note,) = (n for n in coded.report.notes if "worst second at" in n)
    return float(note.split("distance of ")[1].split()[0])


def test_the_worst_second_is_bounded(clip: Path, small_model: str) -> None:
    usual = Coded(clip, small_model, target_kbps=40.0, worst_lpips=0.001)
    worst = note_on_worst(usual)
    assert 0.001 < worst < 1 and any("that takes more bits" in n for n in usual.report.notes)
    easy = Coded(clip, small_model, target_kbps=40.0, worst_lpips=1.0)
    assert easy.data == usual.data and not any("more bits" in n for n in easy.report.notes)
    bounded = Coded(clip, small_model, worst_lpips=1.02 * worst)
    assert note_on_worst(bounded) <= 1.02 * worst
    assert not any("cannot be met" in n for n in bounded.report.notes)
    hopeless = Coded(clip, small_model, worst_lpips=0.001)
    assert any("the target of 0.001 cannot be met" in n for n in hopeless.report.notes)
