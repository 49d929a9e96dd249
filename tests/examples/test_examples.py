"""The scripts of ``examples/`` run, and say what went wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from clips import cut
from places import ROOT
from scripts import script

EXAMPLES = ROOT / "examples"


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> int:
    """The exit code of an example, run in this process."""
    path = EXAMPLES / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [path.name, *map(str, arguments)])
    code = script(path).main()
    assert isinstance(code, int)
    return code


@pytest.mark.slow
def test_a_folder_is_encoded_at_several_qualities(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    cut(clip, folder / "talk.mp4", 12)
    assert run(monkeypatch, "encode_folder", folder, out, "--qualities", "50,20") == 0
    made = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    assert set(made) == {"talk.mp4-q20.nfc", "talk.mp4-q50.nfc", "rates.png"}
    assert "kbit/s" in capsys.readouterr().out

    (folder / "broken.mp4").write_text("no video")
    assert run(monkeypatch, "encode_folder", folder, out, "--qualities", "50,20") == 1
    assert "broken.mp4 is not a media file" in capsys.readouterr().err
    again = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    assert {n for n in made if again[n] != made[n]} == {"rates.png"}


def test_a_folder_without_videos_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "encode_folder", tmp_path, tmp_path / "out")
    assert "no videos in" in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_is_decoded_to_numpy(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "part.npy"
    assert run(monkeypatch, "decode_to_numpy", coded, target, "--start", 0.4, "--duration", 0.4) == 0
    pictures = np.load(target)
    assert pictures.shape == (10, 256, 256, 3)
    assert pictures.dtype == np.uint8 and pictures.std() > 20
    with pytest.raises(SystemExit):
        run(monkeypatch, "decode_to_numpy", coded, target)
    assert "exists" in capsys.readouterr().err
    assert run(monkeypatch, "decode_to_numpy", tmp_path / "none.nfc", tmp_path / "none.npy") == 3
    assert "none.nfc" in capsys.readouterr().err
