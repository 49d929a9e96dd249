"""--threads: what may be said, and that no more is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from clips import cut
from command_line import run
from places import SAMPLES
from small_models import small

import neurocodec
from neurocodec import threads
from neurocodec.errors import UsageError
from neurocodec.options import DecodeOptions, EncodeOptions

SHARE = """
import sys, time
import neurocodec
source, target, model, threads = sys.argv[1:]
neurocodec.decode(source, target, model=model, threads=int(threads), duration=0.1, force=True)
process, main = time.process_time(), time.thread_time()
neurocodec.decode(source, target, model=model, threads=int(threads), force=True)
print((time.thread_time() - main) / (time.process_time() - process))
"""
"""The main thread's share of the work of a decode that is not the first."""

FIRST_SEEN = """
import os, sys
sys.path[:] = sys.argv[1:]
class Watch:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))
            sys.stdout.flush()
            os._exit(0)
sys.meta_path.insert(0, Watch())
from neurocodec.commands.main import main
main(["models", "show", "perceptual"])
"""
"""What the environment says of OpenMP's threads when a command first imports torch."""


@pytest.mark.parametrize("number", [0, -1, 257])
@pytest.mark.parametrize("options", [EncodeOptions, DecodeOptions])
def test_a_bad_number_is_refused_with_advice(number: int, options: type) -> None:
    with pytest.raises(UsageError, match=f"1 to 256, not {number}; leave them out to use every core"):
        options(threads=number).resolved()


@pytest.mark.slow
def test_the_command_refuses_none(tmp_path: Path) -> None:
    done = run("decode", SAMPLES / "astronaut.mp4", tmp_path / "o.mp4", "--threads", "0")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1 and b"leave them out to use every core" in done.stderr
    assert run("call", SAMPLES / "astronaut.mp4", "--threads", "0").returncode == 2


def test_none_leaves_everything_as_it_is() -> None:
    before = torch.get_num_threads()
    threads.use_threads(None)
    assert torch.get_num_threads() == before
    assert EncodeOptions().settings().threads == 0


def test_what_runs_beside_the_networks_gets_less(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [threads.threads_beside(n) for n in (1, 2, 3, 8)] == [1, 1, 1, 4]
    assert [threads.depth_ahead(16, n) for n in (1, 2, None)] == [0, 16, 16]
    monkeypatch.setattr(threads, "cores", lambda: 12)
    assert threads.threads_beside(None) == 6


@pytest.mark.slow
def test_one_thread_is_one_thread(tmp_path: Path) -> None:
    """Decoding with one thread, all work is done in the thread that asked for it."""
    model = small(tmp_path / "models", 256)
    clip = cut(SAMPLES / "astronaut.mp4", tmp_path / "clip.mp4", 60)
    coded = tmp_path / "clip.nfc"
    neurocodec.encode(clip, coded, model=str(model.path), refresh="schedule", gap=1000)
    shares = {}
    for number in (1, 2):
        arguments = [str(coded), str(tmp_path / "o.mp4"), str(model.path), str(number)]
        done = subprocess.run(
            [sys.executable, "-c", SHARE, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        shares[number] = float(done.stdout)
    assert shares[1] > 0.97
    assert shares[2] < 0.9


@pytest.mark.parametrize(
    ("given", "spins"), [({}, "5000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, None)]
)
def test_the_command_has_threads_wait_awake(
    given: dict[str, str], spins: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-S", "-c", FIRST_SEEN, *sys.path], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(spins), done.stderr
