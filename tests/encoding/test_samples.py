"""Where the samples of a long file lie, and what they say of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from long_clips import QUICK, SECONDS, long_clip

from neurocodec.encoding.encoder import encode_stream
from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.encoding.opening import open_source
from neurocodec.encoding.samples import LONG, Samples, sample_starts, seconds_of
from neurocodec.format.block import BLOCK_SECONDS
from neurocodec.options import EncodeOptions, EncodeSettings


@pytest.mark.parametrize("seconds", [LONG, 150.0, 333.3, 600.0, 7200.0])
def test_samples_are_spread_and_few(seconds: float) -> None:
    starts = sample_starts(seconds)
    assert len(starts) >= 4
    assert len(starts) * BLOCK_SECONDS <= min(seconds / 6, 60)
    gaps = [b - a for a, b in pairwise(starts)]
    assert min(gaps) > 2 * BLOCK_SECONDS and max(gaps) - min(gaps) < 1e-6
    assert starts[0] == pytest.approx(seconds - starts[-1] - BLOCK_SECONDS) and starts[0] > 0


@pytest.mark.parametrize("seconds", [0.0, 5.0, LONG - 0.1])
def test_short_files_have_none(seconds: float) -> None:
    assert sample_starts(seconds) == []


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_clip(tmp_path_factory.mktemp("long") / "long.mp4", audio="aac")


def settings(small_model: str, **more: Any) -> EncodeSettings:
    return EncodeOptions(model=small_model, **{**QUICK, **more}).settings()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.h264", "live.mkv"])
def test_how_long_a_file_plays(tmp_path: Path, small_model: str, name: str) -> None:
    """Whether its container says so or not."""
    live = {"live": "1"} if name == "live.mkv" else {}
    path = long_clip(tmp_path / name, container_options=live)
    for start, expected in ((None, SECONDS), (30.0, SECONDS - 30)):
        with open_source(path, settings(small_model, start=start), sound=False) as reader:
            assert seconds_of(reader) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("start", [None, 3.0])
def test_samples_foretell_the_whole(
    long_file: Path, small_model: str, start: float | None, tmp_path: Path
) -> None:
    chosen = settings(small_model, start=start)
    seconds = SECONDS - (start or 0)
    with (tmp_path / "whole.nfc").open("wb") as file:
        options = EncodeOptions(model=small_model, start=start, **QUICK)
        whole = Outcome.of(encode_stream(long_file, file, options))
    samples = Samples(lambda: long_file, chosen, seconds, sample_starts(seconds))
    told = samples.outcome(chosen, Goal("target_lpips", 0.1))
    assert told.seconds == pytest.approx(whole.seconds, rel=0.01)
    assert told.sound == pytest.approx(whole.sound, rel=0.05)
    assert told.video == pytest.approx(
        whole.video, rel=0.4
    )  # of one picture a second, a stretch may have six
    assert 0 < told.distance < 1.5
    finer = samples.outcome(replace(chosen, reference_quality=90.0), Goal("target_kbps", 5))
    assert finer.video > told.video and finer.distance == 0
    assert Fraction(finer.sound) == Fraction(told.sound)
