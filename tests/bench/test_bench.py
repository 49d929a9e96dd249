"""The benchmark measures what it says it does."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from clips import cut
from places import SAMPLES
from small_models import small

from neurocodec.bench import process, stages, tables, watched_command
from neurocodec.bench.command import bench
from neurocodec.bench.long_clips import write_long
from neurocodec.errors import NeurocodecError
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.models.timing import Spread, measure


def test_spread() -> None:
    spread = Spread.of([0.2, 0.1, 0.4])
    assert spread == Spread(0.2, 0.1, 0.4, 3)
    assert spread.scaled(1000) == Spread(200, 100, 400, 3)
    fps = spread.inverse(10)
    assert (fps.median, fps.low, fps.high) == (50, 25, 100)


def test_a_call_is_timed() -> None:
    calls = []
    spread = measure(lambda: calls.append(time.sleep(0.01)), 0, least=4)
    assert len(calls) == 5 and spread.repeats == 4
    assert 0.01 <= spread.low <= spread.median <= spread.high


def test_gflops_of_a_stage() -> None:
    stage = stages.Stage("x", "frame", Spread(0.5, 0.5, 0.5, 1), 10**9)
    assert stage.gflops == 4
    assert stage.as_dict()["ms"]["median"] == 500
    assert stages.Stage("x", "frame", Spread(1, 1, 1, 1)).gflops is None


def test_peak_sees_memory_that_was_given_back() -> None:
    before = watched_command.peak()
    size = max(0, before - (watched_command._field("VmRSS") or before)) + (200 << 20)
    held = np.ones(size, np.uint8)
    assert held.sum() == size
    del held
    assert watched_command.peak() >= before + (100 << 20)


def test_watch_notes_the_first_frame_and_the_memory() -> None:
    watch = watched_command.Watch(time.time() - 5)
    watched = watched_command.watched(
        lambda *args, progress: [progress(k + 1, None) for k in range(args[0])], watch
    )
    seen: list[int] = []
    watched(1001, progress=lambda done, total: seen.append(done))
    assert watch.first is not None and 5 <= watch.first < 60
    assert seen[-1] == 1001
    assert [done for done, *_ in watch.looks] == list(range(1, 1002, 20))
    peaks = [most for _, now, most in watch.tenths() if now <= most]
    assert len(peaks) == 10 and peaks == sorted(peaks)


@pytest.mark.slow
def test_a_failing_command_says_why() -> None:
    with pytest.raises(NeurocodecError, match="no such file"):
        process.run(["-m", "neurocodec", "encode", "nowhere.mp4", "out.nfc"])


def test_a_long_clip_has_its_length_and_sound(tmp_path: Path) -> None:
    source = cut(SAMPLES / "astronaut_sound.mp4", tmp_path / "s.mp4", 10)
    assert write_long(source, tmp_path / "long.mp4", 9, Fraction(5)) == 45
    with MediaReader(tmp_path / "long.mp4") as reader:
        items = list(reader)
        assert reader.audio is not None
        tick = reader.audio.time_base
    pictures = [x for x in items if isinstance(x, VideoPicture)]
    sound = [x for x in items if isinstance(x, AudioPacket)]
    assert len(pictures) == 45
    assert abs(float((sound[-1].pts + sound[-1].duration) * tick) - 9) < 0.2


@pytest.mark.slow
def test_other_sizes_cost_more(tmp_path: Path) -> None:
    clip = SAMPLES / "astronaut.mp4"
    found = stages.size_stages(small(tmp_path, 64), [64, 128], clip, tmp_path, 0, "cpu")
    rendering = [found[size]["render, 2 references"] for size in ("64", "128")]
    assert rendering[0]["macs"] < rendering[1]["macs"]
    assert next(tables.markdown(tables.size_table(found))) == "|  | 64x64 | 128x128 |"
    assert all(r["ms"]["median"] > 0 and r["gflops"] > 0 for r in rendering)


@pytest.mark.slow
def test_everything_quickly(tmp_path: Path) -> None:
    clip = cut(SAMPLES / "astronaut.mp4", tmp_path / "tiny.mp4", 8)
    model = small(tmp_path / "models", 64)
    arguments = [str(clip), "--quick", "--model", str(model.path), "--out", str(tmp_path / "b.json")]
    done = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads((tmp_path / "b.json").read_text())
    assert found["model"] == "untrained64"
    rows = found["clips"]["tiny.mp4"]
    assert {name for name in rows if name.startswith(("encode", "decode"))} == {
        "encode, looking ahead", "encode, on schedule", "decode",
    }  # fmt: skip
    for name, row in rows.items():
        assert row["frames"] == 8
        assert row["fps"]["median"] == pytest.approx(8 / row["wall"]["median"])
        assert row["wall"]["median"] > row["work"]["median"] > 0
        if name.startswith(("encode", "decode")):
            assert 0 < row["first"]["median"] < row["wall"]["median"] and row["peak"] > 100 << 20
    assert len(rows) == 5
    assert found["published"]["mac_ratio"] > 50 and found["published"]["byte_ratio"] > 50
    assert len(found["ratios"]) == 5 and all(ratio > 0 for ratio in found["ratios"].values())
    assert {"keypoints", "reference", "writing H.264", "AV1: trial of one"} <= set(found["stages"])
    assert all(s["ms"]["median"] > 0 for s in found["stages"].values())
    assert found["matmul_gflops"]["float32"]["median"] > 1
    text = "\n".join(tables.lines(found, as_markdown=True))
    assert "| decode |" in text and "| keypoints |" in text and text.count("| x265 veryslow") == 1
    for words in ("x265 veryslow", "SVT-AV1 preset 4", "neurocodec --help", "vox-256"):
        assert words in done.output


def test_numbers_that_make_no_sense() -> None:
    for arguments, words in (
        (["--repeats", "0"], "repeats"), (["--sizes", "100"], "multiples of 8"),
        (["--sizes", "big"], "commas"), (["--parts", "all"], "known: stages"), (["--hour", "-1"], "minutes"),
        (["--threads", "0"], "threads"),
    ):  # fmt: skip
        done = CliRunner().invoke(bench, arguments)
        assert isinstance(done.exception, NeurocodecError) and words in str(done.exception)
