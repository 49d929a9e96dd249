"""Whole folders: resume, failures at the end, exit codes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from clips import cut
from command_line import call, refused
from places import SAMPLES
from workers_here import Here

from neurocodec.batch.folder import find_sources, output_names, run_batch
from neurocodec.errors import InputError, NeurocodecError, UsageError
from neurocodec.files.atomic import AtomicFile, part_of
from neurocodec.option_text import decode_settings, encode_settings
from neurocodec.options import DecodeOptions, EncodeOptions


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(SAMPLES / "astronaut.mp4", tmp_path_factory.mktemp("tiny") / "tiny.mp4", 5)


@pytest.fixture
def folder(tmp_path: Path, tiny: Path) -> Path:
    """Two videos, one of them in a subfolder, a broken one and a text."""
    out = tmp_path / "in"
    (out / "sub").mkdir(parents=True)
    shutil.copy(tiny, out / "a.mp4")
    shutil.copy(tiny, out / "sub" / "b.mp4")
    (out / "broken.mkv").write_bytes(b"no video")
    (out / "notes.txt").write_text("not a video")
    return out


@pytest.mark.slow
def test_there_and_back_with_resume(folder: Path, tmp_path: Path) -> None:
    coded, back = tmp_path / "coded", tmp_path / "back"
    first = run_batch("encode", folder, coded, EncodeOptions(region="full"), Here())
    assert [Path(p).name for p in first.done] == ["a.mp4", "b.mp4"]
    assert [Path(p).name for p, _ in first.failed] == ["broken.mkv"]
    assert "not a media file" in first.failed[0][1]
    with pytest.raises(NeurocodecError, match="1 of 3 files failed"):
        first.check()
    assert (coded / "a.nfc").is_file() and (coded / "sub" / "b.nfc").is_file()

    second_workers = Here()
    before = (coded / "a.nfc").stat().st_mtime_ns
    second = run_batch("encode", folder, coded, EncodeOptions(region="full"), second_workers)
    assert len(second_workers.tasks) == 1  # only the broken one is tried again
    assert len(second.skipped) == 2 and len(second.failed) == 1
    assert (coded / "a.nfc").stat().st_mtime_ns == before

    decoded = run_batch("decode", coded, back, DecodeOptions(size="model"), Here())
    decoded.check()
    assert (back / "a.mp4").is_file() and (back / "sub" / "b.mp4").is_file()


class Interrupted(Here):
    """Workers that are ended in the middle of a task."""

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Generator[tuple[int, Any], None, None]:
        part_of(Path(tasks[0].target)).write_bytes(b"half of it")
        raise KeyboardInterrupt
        yield


def test_an_interrupted_batch_leaves_no_parts(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "coded"
    (out / "sub").mkdir(parents=True)
    other = out / "sub" / "b.nfc"
    with AtomicFile(other):
        with pytest.raises(KeyboardInterrupt):
            run_batch("encode", folder, out, EncodeOptions(), Interrupted())
        assert [p.name for p in out.rglob("*.part")] == ["b.nfc.part"]  # which is being written
    assert sorted(p.name for p in out.rglob("*.*")) == ["b.nfc"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_workers(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "coded"
    for name in ("a.mp4", "sub/b.mp4"):
        shutil.copy(SAMPLES / "astronaut.mp4", folder / name)
    (folder / "broken.mkv").unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "neurocodec", "batch", "encode", str(folder), str(out), "-q", "--jobs", "2"],
        stderr=subprocess.PIPE,
    )
    deadline = time.time() + 120
    while not list(out.rglob("*.part")) and time.time() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, text = process.communicate(timeout=30)  # until the last worker has closed it
    assert b"Traceback" not in text
    if number == signal.SIGKILL:
        assert not list(out.rglob("*.nfc"))
    else:
        assert process.returncode == 128 + number, text
        assert not list(out.rglob("*.part"))


@pytest.mark.slow
def test_other_options_or_another_source_are_done_again(folder: Path, tmp_path: Path, tiny: Path) -> None:
    (folder / "broken.mkv").unlink()
    shutil.rmtree(folder / "sub")
    coded = tmp_path / "coded"
    run_batch("encode", folder, coded, EncodeOptions(), Here())
    coarse = Here()
    run_batch("encode", folder, coded, EncodeOptions(quantization=20), coarse)
    assert len(coarse.tasks) == 1
    cut(SAMPLES / "astronaut_sound.mp4", tmp_path / "other.mp4", 4)
    shutil.copy(tmp_path / "other.mp4", folder / "a.mp4")
    changed = Here()
    report = run_batch("encode", folder, coded, EncodeOptions(quantization=20), changed)
    assert len(changed.tasks) == 1
    assert [Path(p).name for p in report.done] == ["a.mp4"]
    forced = Here()
    run_batch("encode", folder, coded, EncodeOptions(quantization=20), forced, force=True)
    assert len(forced.tasks) == 1


def test_a_foreign_output_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder / "sub")
    coded = tmp_path / "coded"
    coded.mkdir()
    (coded / "a.nfc").write_bytes(b"someone else's")
    report = run_batch("encode", folder, coded, EncodeOptions(), Here())
    assert (coded / "a.nfc").read_bytes() == b"someone else's"
    assert any("is not of this batch" in reason for _, reason in report.failed)


def test_a_truncated_file_is_a_failure_every_time(folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder / "sub")
    (folder / "broken.mkv").unlink()
    coded, back = tmp_path / "coded", tmp_path / "back"
    run_batch("encode", folder, coded, EncodeOptions(), Here())
    whole = (coded / "a.nfc").read_bytes()
    (coded / "a.nfc").write_bytes(whole[: len(whole) - 12])
    for _ in range(2):
        report = run_batch("decode", coded, back, DecodeOptions(), Here())
        assert [Path(p).name for p, _ in report.failed] == ["a.nfc"]


def test_names(tmp_path: Path) -> None:
    sources = [tmp_path / n for n in ("a.mp4", "a.mkv", "b.mp4", "sub/a.mp4")]
    named = [str(t) for t in output_names(sources, tmp_path, "encode").values()]
    assert named == ["a.mp4.nfc", "a.mkv.nfc", "b.nfc", "sub/a.nfc"]


def test_folders_that_cannot_be(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        find_sources(tmp_path / "nothing", "encode")
    with pytest.raises(InputError, match=r"holds no \.nfc files"):
        find_sources(folder, "decode")
    with pytest.raises(UsageError, match="are the same"):
        run_batch("encode", folder, folder, EncodeOptions(), Here())


def test_settings() -> None:
    found = encode_settings(["quantization=50", "reference-period=9.5", "region=face"])
    assert found == {"quantization": 50, "reference_period": 9.5, "region": "face"}
    assert decode_settings(["start=1.5", "size=model"]) == {"start": 1.5, "size": "model"}
    assert decode_settings(["strict=false", "size_limit=5M"]) == {"strict": False, "size_limit": 5_000_000}
    assert decode_settings(["strict=yes", "frame-limit=300"]) == {"strict": True, "frame_limit": 300}
    with pytest.raises(UsageError, match="true or false"):
        decode_settings(["strict=perhaps"])
    for bad, words in (("nonsense=1", "known: profile"), ("gap=often", "is a number"), ("gap", "no value")):
        with pytest.raises(UsageError, match=words):
            encode_settings([bad])


@pytest.mark.slow
def test_command(folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder / "sub")
    done = call("batch", "encode", folder, tmp_path / "out", "--jobs", "1", "--set", "audio=none", "--json")
    assert done.returncode == 1, done.stderr
    assert b"1 of 2 files failed" in done.stderr
    report = json.loads(done.stdout)
    assert len(report["done"]) == 1 and report["failed"][0]["file"].endswith("broken.mkv")
    (folder / "broken.mkv").unlink()
    again = call("batch", "encode", folder, tmp_path / "out", "--jobs", "1", "--set", "audio=none")
    assert again.returncode == 0, again.stderr
    assert b"0 done, 1 done before, 0 failed" in again.stdout
    wrong = call("batch", "encode", folder, tmp_path / "out", "--set", "nonsense=1")
    refused(wrong, 2, "unknown option 'nonsense'")
