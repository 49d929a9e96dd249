"""Outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurocodec.errors import OutputError
from neurocodec.files.atomic import AtomicFile


def test_writes_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with AtomicFile(path) as out:
        out.file.write(b"hello")
        assert not path.exists()
        out.file.seek(0)
        assert out.file.read() == b"hello"
    assert path.read_bytes() == b"hello"
    assert list(tmp_path.iterdir()) == [path]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_existing_output(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"), AtomicFile(path):
        pass
    assert path.read_bytes() == b"old"
    with AtomicFile(path, force=True) as out:
        out.file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_output_that_appears_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with pytest.raises(OutputError, match="exists"), AtomicFile(path) as out:
        out.file.write(b"mine")
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_keeps_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), AtomicFile(path, force=True) as out:
        out.file.write(b"half")
        raise error()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_bad_places(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none" / "out.bin", "no such folder"),
        (tmp_path, "folder"),
        (Path("/proc/no-such-place"), "cannot write"),
        (tmp_path / "nul\0byte", "cannot write"),
        (tmp_path / ("x" * 300), "cannot write"),
    ):
        with pytest.raises(OutputError, match=words) as caught, AtomicFile(path):
            pass
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_not_writable(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="denied"), AtomicFile(folder / "out.bin"):
        pass


def test_disk_full(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with pytest.raises(OutputError, match="no space left"), AtomicFile(path) as out:
        out.file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError), AtomicFile(path):
        raise FileNotFoundError(errno.ENOENT, "an input, not the output")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_device_full() -> None:
    with pytest.raises(OutputError, match="no space left"), AtomicFile("/dev/full") as out:
        out.file.write(b"x" * 100)


def test_null_device_and_fifo(tmp_path: Path) -> None:
    with AtomicFile(os.devnull) as out:
        out.file.write(b"gone")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    with AtomicFile(fifo) as out:
        out.file.write(b"through")
    reader.join(10)
    assert got == [b"through"]
    assert fifo.is_fifo()


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "real.bin"
    target.write_bytes(b"old")
    link = tmp_path / "link.bin"
    link.symlink_to(target)
    with AtomicFile(link, force=True) as out:
        out.file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_nothing_open_is_renamed_or_removed_where_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, which has no ``fcntl`` and refuses to rename or remove what any descriptor has open."""

    def is_open(path: Path) -> bool:
        found = []
        for descriptor in range(256):
            with contextlib.suppress(OSError):
                found.append(os.fstat(descriptor))
        return any(os.path.samestat(path.stat(), status) for status in found)

    def refusing(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(path: Path, *rest: Any, **options: Any) -> Any:
            if is_open(path):
                raise PermissionError(errno.EACCES, "used by another process")
            return operation(path, *rest, **options)

        return run

    monkeypatch.setattr("neurocodec.files.atomic.fcntl", None)
    monkeypatch.setattr(Path, "replace", refusing(Path.replace))
    monkeypatch.setattr(Path, "unlink", refusing(Path.unlink))
    path = tmp_path / "out.bin"
    with AtomicFile(path) as out:
        out.file.write(b"whole")
    assert path.read_bytes() == b"whole"
    with pytest.raises(RuntimeError), AtomicFile(path, force=True) as out:
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "out.bin.part").write_bytes(b"of a killed run")
    with AtomicFile(path, force=True) as out:
        out.file.write(b"next")
    assert path.read_bytes() == b"next"
    assert list(tmp_path.iterdir()) == [path]


def test_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    with AtomicFile(path) as out:
        out.file.write(b"x")
    assert path.read_bytes() == b"x"
