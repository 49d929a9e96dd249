"""Inputs, files and surroundings that are out of the ordinary: one clear line each, and no traceback."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import make_clip
from places import SAMPLES
from safetensors.numpy import save_file

import neurocodec
from neurocodec.errors import InputError, OutputError, UnsupportedError, UsageError
from neurocodec.format.chunks import HEADER_CHUNK, SIGNATURE, VERSION, chunk
from neurocodec.format.header import write_header
from neurocodec.format.reader import NfcReader
from neurocodec.models import files as models

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="devices and signals of Unix")


def picture(width: int, height: int) -> Any:
    rgb = np.arange(width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return lambda i: np.ascontiguousarray(np.roll(rgb, i, 1))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a small clip with sound, and its ``.nfc`` beside it."""
    path = tmp_path_factory.mktemp("odd") / "small.mkv"
    make_clip(path, fps=5, frames=5, audio="aac", picture=picture(64, 48))
    neurocodec.encode(path, path.with_suffix(".nfc"))
    return path


def with_header(nfc: Path, target: Path, *, audio: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A copy of a file whose header says something else, checksum and all."""
    data = nfc.read_bytes()
    reader = NfcReader(io.BytesIO(data))
    header = dataclasses.replace(reader.header, **changes)
    if audio:
        assert header.audio is not None
        header = dataclasses.replace(header, audio=dataclasses.replace(header.audio, **audio))
    start = SIGNATURE + bytes([VERSION]) + chunk(HEADER_CHUNK, write_header(header))
    target.write_bytes(start + data[reader.header_bytes :])
    return target


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "neurocodec", *map(str, arguments)],
        stderr=subprocess.PIPE, timeout=120, check=False, **options,
    )  # fmt: skip


def one_line(result: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    lines = result.stderr.decode().splitlines()
    assert (result.returncode, len(lines)) == (code, 1), result.stderr.decode()
    assert lines[0].startswith("neurocodec: error: ")
    assert all(word in lines[0] for word in words), lines[0]


# Sources


def test_source_larger_than_the_format(tmp_path: Path) -> None:
    make_clip(tmp_path / "wide.mkv", width=33000, height=2, codec="ffv1", frames=1, picture=picture(33000, 2))
    with pytest.raises(UnsupportedError, match=r"wide\.mkv"):
        neurocodec.encode(tmp_path / "wide.mkv", tmp_path / "o.nfc")
    assert [p.name for p in tmp_path.iterdir()] == ["wide.mkv"]


def test_face_region_of_a_line(tmp_path: Path) -> None:
    make_clip(tmp_path / "line.mkv", width=2000, height=2, codec="ffv1", frames=1, picture=picture(2000, 2))
    report = neurocodec.encode(tmp_path / "line.mkv", tmp_path / "o.nfc", region="face")
    assert report.frames == 1
    assert any("no face" in note for note in report.notes)


# Files that say odd things


def test_pictures_before_zero(small: Path, tmp_path: Path) -> None:
    moved = with_header(small.with_suffix(".nfc"), tmp_path / "m.nfc", start=-400)
    assert neurocodec.decode(moved, tmp_path / "o.mp4").frames == 5
    with av.open(str(tmp_path / "o.mp4")) as file:
        assert [f.pts * f.time_base for f in file.decode(video=0)] == [Fraction(i, 5) for i in range(5)]


@pytest.mark.parametrize("duration", [0, (1 << 31) - 1])
def test_sound_packets_that_share_a_time(small: Path, tmp_path: Path, duration: int) -> None:
    odd = with_header(small.with_suffix(".nfc"), tmp_path / "m.nfc", audio={"packet_duration": duration})
    assert neurocodec.decode(odd, tmp_path / "o.mp4").frames == 5


@pytest.mark.parametrize(
    "audio",
    [
        {"channels": 255},
        {"codec": "h264"},
        {"codec": "ass"},
        {"codec": "no such codec"},
        {"codec": "aac"},  # with Opus's configuration
        {"extradata": b"x" * 100},
    ],
)
def test_sound_that_cannot_be_written(small: Path, tmp_path: Path, audio: dict[str, Any]) -> None:
    odd = with_header(small.with_suffix(".nfc"), tmp_path / "m.nfc", audio=audio)
    with pytest.raises(UnsupportedError, match="sound"):
        neurocodec.decode(odd, tmp_path / "o.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["m.nfc"]


@pytest.mark.parametrize("size", [(32768, 32768), (16384, 16384), (8192, 8192)])
def test_hostile_size(small: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    odd = with_header(small.with_suffix(".nfc"), tmp_path / "m.nfc", width=size[0], height=size[1])
    with pytest.raises(UnsupportedError, match="--size-limit"):
        neurocodec.decode(odd, tmp_path / "o.mp4")
    with pytest.raises(UnsupportedError, match=r"H\.264"):
        neurocodec.decode(odd, tmp_path / "o.mp4", size_limit=1 << 30)
    assert neurocodec.decode(odd, tmp_path / "o.mp4", size="model").frames == 5


# Models


def test_junk_among_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Path) -> None:
    good = {"name": "m", "architecture": "talk", "size": 256, "keypoints": 30, "config": {}, "hash": "0" * 64}
    bad: list[Any] = [
        good | change
        for change in (
            {"hash": "zz"}, {"name": "../m"}, {"name": "é"}, {"size": -1}, {"size": 10**30},
            {"keypoints": 10**6}, {"config": 3},
        )
    ]  # fmt: skip
    texts = [json.dumps(description) for description in bad] + ["[" * 100_000, "[1]", "null"]
    for i, text in enumerate(texts):
        save_file({"a": np.zeros(3, np.float32)}, tmp_path / f"{i}.safetensors", {"neurocodec": text})
        with pytest.raises(InputError, match="not a neurocodec model"):
            models.describe(tmp_path / f"{i}.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    (tmp_path / "folder.safetensors").mkdir()
    monkeypatch.setenv(models.MODELS_VARIABLE, str(tmp_path))
    assert all(model.shipped for model in models.installed())
    assert neurocodec.decode(small.with_suffix(".nfc"), io.BytesIO()).frames == 5


# Outputs and streams


class Full(io.RawIOBase):
    """A disk without space, which the operating system knows by a number."""

    name = 7

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


def test_failed_output_is_named(small: Path) -> None:
    for call, source in ((neurocodec.encode, small), (neurocodec.decode, small.with_suffix(".nfc"))):
        with pytest.raises(OutputError, match=r"cannot write the output.*: no space left"):
            call(source, Full())


def test_blocks_go_out_at_once(small: Path) -> None:
    class Slow(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed = self.tell()

    out = Slow()
    neurocodec.encode(small, out)
    assert out.flushed == len(out.getvalue()) > 0


def test_verify_needs_a_file(small: Path) -> None:
    with pytest.raises(UsageError, match="verify"):
        neurocodec.encode(small, "/dev/null", verify=True)


def test_reading_fails() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="Input/output error"):
        neurocodec.probe(Broken())  # type: ignore[arg-type]


def test_closed_streams(small: Path, tmp_path: Path) -> None:
    shell = f'exec "{sys.executable}" -m neurocodec "$@"'
    for redirect, arguments, code in (
        ("<&-", ["info", "-"], 3),
        ("<&-", ["encode", "-", tmp_path / "o.nfc"], 3),
        (">&-", ["encode", small, "-"], 6),
    ):
        line = ["sh", "-c", f"{shell} {redirect}", "sh", *map(str, arguments)]
        one_line(subprocess.run(line, stderr=subprocess.PIPE, timeout=120, check=False), code, "closed")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_results_cannot_be_printed(small: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        one_line(command("info", small.with_suffix(".nfc"), stdout=full), 6, "No space left")


@pytest.mark.parametrize(
    "arguments",
    [["encode", "a"], ["encode", "a", "b", "--gap", "x"], ["encode", "a", "b", "--bogus"], ["bogus"]],
)
def test_wrong_usage_is_one_line(arguments: list[str]) -> None:
    one_line(command(*arguments), 2, "--help")


def test_terminated(tmp_path: Path) -> None:
    sample = SAMPLES / "astronaut_sound.mp4"
    process = subprocess.Popen(
        [sys.executable, "-m", "neurocodec", "encode", str(sample), str(tmp_path / "o.nfc")],
        stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.time() + 60
    while not list(tmp_path.iterdir()) and time.time() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
