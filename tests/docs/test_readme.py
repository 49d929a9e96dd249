"""The README: every command of it, and of the options' page, runs, in order, on a short clip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clips import cut
from places import ROOT

from neurocodec.models.model_files import describe

README = (ROOT / "README.md").read_text()
OPTIONS = (ROOT / "docs" / "options.md").read_text()


def test_it_is_short() -> None:
    assert len(README.split()) <= 900


def test_no_placeholder_is_left() -> None:
    assert not re.findall(r"@[A-Z_]+@", README)


def test_the_model_card_names_the_hash_of_every_weight_file() -> None:
    card = (ROOT / "checkpoints" / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)\.safetensors` \|.*\| `([0-9a-f]{16})` \|$", card, re.MULTILINE))
    files = [describe(path) for path in (ROOT / "checkpoints").glob("*.safetensors")]
    assert rows == {model.name: model.hash[:16] for model in files}


def commands(text: str) -> list[str]:
    return re.findall(r"^\$ (.+)$", text, re.MULTILINE)


MADE_BY_README = ("out.nfc", "out.mp4")
MADE_BY_OPTIONS = ("face.nfc", "small.nfc", "target.nfc", "old.nfc", "part.mp4", "piped.mp4")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listed", "fewest", "frames", "made"),
    [
        (commands(README), 4, 15, MADE_BY_README),
        ([commands(README)[0], *commands(OPTIONS)], 12, 60, MADE_BY_OPTIONS),
    ],
    ids=["README", "options"],
)
def test_commands(
    listed: list[str], fewest: int, frames: int, made: tuple[str, ...], tmp_path: Path, sound_clip: Path
) -> None:
    assert len(listed) >= fewest
    cut(sound_clip, tmp_path / "in.mp4", frames)
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "neurocodec").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m neurocodec "$@"\n')
    (shim / "neurocodec").chmod(0o755)
    environment = {**os.environ, "PATH": f"{shim}{os.pathsep}{os.environ['PATH']}"}
    for command in listed:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr.decode())
    for name in made:
        assert (tmp_path / name).stat().st_size > 300, name


@pytest.mark.slow
def test_python_example(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(clip, tmp_path / "in.mp4")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)
    assert code
    exec(compile(code.group(1), "README.md", "exec"), {})
    assert (tmp_path / "api.mp4").stat().st_size > 1000


def test_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"(?:^    |`)make (\w+)", text, re.MULTILINE))
    assert {"demo", "test", "quick"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
