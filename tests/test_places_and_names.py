"""Users without a home folder, file names that no terminal can print, paths of pipes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from clips import cut
from places import SAMPLES

from neurocodec import encode
from neurocodec.batch.folder import find_sources
from neurocodec.compare.entry import expanded
from neurocodec.errors import InputError, UsageError
from neurocodec.evaluation.codec import Measure
from neurocodec.files.pipes import is_pipe
from neurocodec.models.importing import import_checkpoint
from neurocodec.models.model_files import find, user_folder

ODD = os.fsdecode(b"caf\xe9")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(SAMPLES / "astronaut.mp4", tmp_path_factory.mktemp("clip") / "three.mp4", 3)


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    kept = {k: v for k, v in os.environ.items() if k not in ("HOME", "USER", "LOGNAME", "NEUROCODEC_MODELS")}
    command = [sys.executable, "-m", "neurocodec", *map(os.fsencode, map(str, arguments))]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True)


def test_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither HOME nor an entry in the password file: what needs no home works."""

    def nobody(*_: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NEUROCODEC_MODELS", raising=False)
    for name in ("user_data_dir", "user_cache_dir"):
        monkeypatch.setattr(platformdirs, name, nobody)
    assert user_folder() is None
    shipped = find("talk256", "motion")
    assert shipped.shipped
    with pytest.raises(UsageError, match=r"no home folder .* NEUROCODEC_MODELS"):
        import_checkpoint(shipped.path)
    assert "psnr" in Measure().names


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_names_that_cannot_be_printed(clip: Path, tmp_path: Path, encoding: str) -> None:
    named = tmp_path / f"{ODD}.mp4"
    shutil.copy(clip, named)
    for arguments in (("encode", named, tmp_path / "no" / "where.nfc"), ("info", named)):
        done = run(*arguments, PYTHONIOENCODING=encoding)
        assert done.returncode in (3, 4, 5, 6), done.stderr
        assert b"Traceback" not in done.stderr and b"Unicode" not in done.stderr
        assert done.stderr.count(b"neurocodec: error:") == 1
    (tmp_path / f"{ODD}中.mp4").write_bytes(b"no video")
    done = run("batch", "encode", tmp_path, tmp_path / "out", "-q", PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    assert b"1 done" in done.stdout and b"1 failed" in done.stdout, done.stdout + done.stderr


def test_folders_of_cameras_and_of_a_mac(tmp_path: Path) -> None:
    wanted = ["a.MOD", "b.dv", "c.3g2", "d.f4v", "e.qt", "f.gif", "g.h264", "h.y4m", "i.divx", "j.mp4"]
    for name in (*wanted, "._j.mp4", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in find_sources(tmp_path, "encode")] == wanted
    for name in wanted:
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match="holds no videos"):
        find_sources(tmp_path, "encode")


@pytest.mark.slow
@pytest.mark.parametrize("option", [{"target_kbps": 9.0}, {"max_size": 20_000}])
def test_targets_from_a_fifo(clip: Path, tmp_path: Path, option: dict[str, Any]) -> None:
    """What is read several times is kept; the result is that of the file."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert is_pipe(fifo) and not is_pipe(clip) and not is_pipe(tmp_path / "nothing")
    writer = threading.Thread(target=lambda: fifo.write_bytes(clip.read_bytes()))
    writer.start()
    encode(str(fifo), tmp_path / "a.nfc", audio="none", **option)
    writer.join()
    encode(clip, tmp_path / "b.nfc", audio="none", **option)
    assert (tmp_path / "a.nfc").read_bytes() == (tmp_path / "b.nfc").read_bytes()


def test_a_comparison_reads_more_than_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="can be read only once"):
        expanded([tmp_path / "fifo"])
