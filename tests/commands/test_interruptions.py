"""Commands that are interrupted or killed, or whose output ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_files
from command_line import call, refused, run
from media_factory import make_clip
from places import SAMPLES

pytestmark = pytest.mark.slow

WHOLE = tiny_files.long_file()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_files.write_model(tmp_path_factory.mktemp("model")))


unix = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of Unix")


@unix
def test_encode_and_decode_killed_at_any_moment(model: str, clip: Path, tmp_path: Path) -> None:
    """Never anything under the final name; at most one part; the next run replaces it."""
    rng = np.random.default_rng(1)
    coded = tmp_path / "in.nfc"
    coded.write_bytes(WHOLE)
    commands = [
        ["decode", str(coded), str(tmp_path / "out.mp4"), "--model", model, "-q"],
        ["encode", str(clip), str(tmp_path / "out.nfc"), "--model", model, "-q"],
    ]
    parts = 0
    for k in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "neurocodec", *commands[k % 2]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        part = tmp_path / ("out.mp4.part" if k % 2 == 0 else "out.nfc.part")
        deadline = time.time() + 60
        while not part.exists() and process.poll() is None and time.time() < deadline:
            time.sleep(0.01)
        time.sleep(float(rng.random()) * 0.2)
        process.kill()
        code = process.wait(60)
        left = sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("out"))
        assert left == [part.name] or (code == 0 and left == [part.stem])
        parts += left == [part.name]
        (tmp_path / part.stem).unlink(missing_ok=True)
        if k % 2 == 0:
            assert call(*commands[0]).returncode == 0
            assert sorted(p.name for p in tmp_path.iterdir()) == ["in.nfc", "out.mp4"]
            (tmp_path / "out.mp4").unlink()
        else:
            part.unlink(missing_ok=True)
    assert parts


@unix
def test_a_full_disk_and_a_closed_pipe_are_one_line(model: str, tmp_path: Path) -> None:
    (tmp_path / "in.nfc").write_bytes(WHOLE)
    small = [
        "sh", "-c", 'ulimit -f 4; trap "" XFSZ; exec "$@"', "sh",
        sys.executable, "-m", "neurocodec", "decode", str(tmp_path / "in.nfc"), str(tmp_path / "o.mp4"),
        "--model", model, "-q",
    ]  # fmt: skip
    done = subprocess.run(small, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr.count("\n")) == (6, 1), done.stderr
    assert "cannot write" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.nfc"]
    piped = f'"{sys.executable}" -m neurocodec decode "{tmp_path / "in.nfc"}" - --model "{model}" -q'
    done = subprocess.run(
        ["bash", "-c", f"{piped} | head -c 100 > /dev/null; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 6 and done.stderr.count("\n") <= 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_full_disk(five_frames: Path) -> None:
    refused(run("encode", five_frames, "/dev/full", "-f"), 6)
    refused(run("decode", five_frames.with_suffix(".nfc"), "/dev/full", "-f"), 6)


@unix
def test_interrupt_leaves_nothing(sound_clip: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "neurocodec", "encode", str(sound_clip), str(tmp_path / "o.nfc")],
        stderr=subprocess.PIPE,
    )
    deadline = time.time() + 60
    while not list(tmp_path.iterdir()) and time.time() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=300)
    assert process.returncode == 130, text
    assert b"Traceback" not in text
    assert b"interrupted" in text
    assert not list(tmp_path.iterdir())


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("kind", ["pipe", "fifo"])
def test_interrupt_while_the_input_is_idle(
    tmp_path: Path, kind: str, number: signal.Signals, code: int
) -> None:
    """The writer goes on holding its end, and writes nothing more."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), dtype=np.uint8)
    data = make_clip(tmp_path / "a.mkv", fps=2, frames=40, picture=lambda k: noise[k]).read_bytes()
    assert len(data) > 150_000
    folder, fifo = tmp_path / "out", tmp_path / "fifo"
    folder.mkdir()
    os.mkfifo(fifo)
    with fifo.open("r+b", buffering=0) as target:
        process = subprocess.Popen(
            [sys.executable, "-m", "neurocodec", "encode", "-" if kind == "pipe" else str(fifo),
             str(folder / "o.nfc"), "--threads", "2"],
            stdin=target, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        target.write(data)
        part = folder / "o.nfc.part"
        deadline = time.time() + 120
        while not (part.exists() and part.stat().st_size) and time.time() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        assert part.stat().st_size
        time.sleep(1)
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(number)
        time.sleep(0.05)
        process.send_signal(number)  # an impatient second time, while it cleans up
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        took = time.monotonic() - began
        printed, text = process.communicate(timeout=300)
    assert process.returncode == code, text
    assert took < 30  # it did not wait for more input
    assert not printed
    assert b"Traceback" not in text and b"Fatal" not in text
    assert (b"interrupted" in text) == (number == signal.SIGINT)
    assert not list(folder.iterdir())


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
