"""Every idea of ``attacks/`` gets its exact answer: exit code, one line, no file, bounded memory and time."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_files
from click.testing import CliRunner
from places import ROOT
from scripts import script

from neurocodec.commands.main import main

ideas = script(ROOT / "attacks" / "ideas.py")
MOST_SECONDS = 30
MOST_BYTES = 300_000_000
"""That the process may grow by."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_files.write_model(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("idea", ideas.ATTACKS, ids=lambda a: a.name)
def test_the_answer(
    idea: ideas.Attack, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROCODEC_MODELS", str(models))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"hostile{idea.suffix}"
    path.write_bytes(idea.build())
    verb, *options = idea.command.split()
    arguments = (
        [verb, *options[:1], str(path), *options[1:]] if verb == "models" else [verb, str(path), *options]
    )
    if verb == "decode":
        arguments += [str(tmp_path / "out.mp4"), "-q", "--threads", "1"]
    there = sorted(models.iterdir())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    done = CliRunner().invoke(main, arguments)
    seconds = time.process_time() - began
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert done.exit_code == idea.code, done.stderr
    if idea.code:
        assert re.search(idea.words, done.stderr), done.stderr
        assert done.stderr.count("\n") == 1 and len(done.stderr) < 2000
        assert all(c.isprintable() for c in done.stderr.strip("\n"))
    assert "pickled code has run" not in done.output
    made = {p.name for p in tmp_path.iterdir()} - {path.name}
    assert made == ({"out.mp4"} if verb == "decode" and idea.code in (0, 7) else set())
    assert sorted(models.iterdir()) == there
    assert seconds < MOST_SECONDS and grown < MOST_BYTES


def test_every_idea_is_described() -> None:
    text = (ROOT / "attacks" / "README.md").read_text()
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    assert named == {a.name for a in ideas.ATTACKS}


def test_limits_are_settable(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROCODEC_MODELS", str(models))
    (tmp_path / "in.nfc").write_bytes(tiny_files.long_file())

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, [*arguments[:1], str(tmp_path / "in.nfc"), *arguments[1:]])
        return done.exit_code, done.stderr

    out = str(tmp_path / "out.mp4")
    for option, words in (
        (["--size-limit", "4000"], "--size-limit"), (["--frame-limit", "59"], "--frame-limit"),
        (["--chunk-limit", "300"], "over the limit of 300"),
    ):  # fmt: skip
        code, text = run("decode", out, "-q", *option)
        assert code in (4, 5) and words in text
        assert [p.name for p in tmp_path.iterdir()] == ["in.nfc"]
    assert run("info", "--frame-limit", "59")[0] == 5
    assert (
        run("decode", out, "-q", "--size-limit", "4096", "--frame-limit", "60", "--chunk-limit", "10k")[0]
        == 0
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_the_worst_of_them_under_a_hard_limit_of_memory(models: Path, tmp_path: Path) -> None:
    """``info`` within 2 GB of address space more than the program itself takes, whatever the file says."""
    for name in ("block_longer_than_the_file", "references_of_no_bytes"):
        idea = next(a for a in ideas.ATTACKS if a.name == name)
        path = tmp_path / "hostile.nfc"
        path.write_bytes(idea.build())

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))

        done = subprocess.run(
            [sys.executable, "-m", "neurocodec", "info", str(path)], capture_output=True, text=True,
            check=False, timeout=120, preexec_fn=limited, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == idea.code and done.stderr.count("\n") == 1, done.stderr
