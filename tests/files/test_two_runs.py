"""An output that two runs write, one after the other or at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neurocodec.errors import OutputError
from neurocodec.files.atomic import AtomicFile

KILLED = """
import sys
from neurocodec.files.atomic import AtomicFile
with AtomicFile(sys.argv[1], force=len(sys.argv) > 2) as out:
    out.file.write(b"first half ")
    out.file.flush()
    print("ready", flush=True)
    sys.stdin.readline()
    out.file.write(b"second half")
"""


def writer(path: Path, *more: str) -> subprocess.Popen[str]:
    """A process that has written half of an output and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), *more], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


unix = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of Unix")


@unix
def test_what_a_killed_run_leaves_is_replaced_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    process = writer(path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin.part"]
    second = writer(path)
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin.part"]
    second.communicate("go\n", timeout=60)
    assert second.returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]
    assert path.read_bytes() == b"first half second half"


@unix
def test_of_two_runs_at_once_the_later_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    first = writer(path)
    later = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert later.returncode != 0 and "is being written by another run" in later.stderr
    first.communicate("go\n", timeout=60)
    assert path.read_bytes() == b"first half second half"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]


@unix
def test_what_is_in_the_way_of_a_part_is_not_destroyed(tmp_path: Path) -> None:
    path, precious = tmp_path / "out.bin", tmp_path / "precious"
    precious.write_bytes(b"precious")
    part = tmp_path / "out.bin.part"
    part.symlink_to(precious)
    with pytest.raises(OutputError, match="in the way"), AtomicFile(path):
        pass
    part.unlink()
    part.mkdir()
    with pytest.raises(OutputError, match="in the way"), AtomicFile(path):
        pass
    part.rmdir()
    os.link(precious, part)
    with AtomicFile(path) as out:
        out.file.write(b"new")
    assert precious.read_bytes() == b"precious" and path.read_bytes() == b"new"
