"""Commands whose streams are closed or full, and wrong usage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import call, refused

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="devices and signals of Unix")


@pytest.mark.slow
def test_closed_streams(five_frames: Path, tmp_path: Path) -> None:
    shell = f'exec "{sys.executable}" -m neurocodec "$@"'
    for redirect, arguments, code in (
        ("<&-", ["info", "-"], 3),
        ("<&-", ["encode", "-", tmp_path / "o.nfc"], 3),
        (">&-", ["encode", five_frames, "-"], 6),
    ):
        line = ["sh", "-c", f"{shell} {redirect}", "sh", *map(str, arguments)]
        refused(subprocess.run(line, stderr=subprocess.PIPE, timeout=120, check=False), code, "closed")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_results_cannot_be_printed(five_frames: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "neurocodec", "info", str(five_frames.with_suffix(".nfc"))]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
    refused(done, 6, "No space left")


@pytest.mark.parametrize(
    "arguments",
    [["encode", "a"], ["encode", "a", "b", "--gap", "x"], ["encode", "a", "b", "--bogus"], ["bogus"]],
)
def test_wrong_usage_is_one_line(arguments: list[str]) -> None:
    refused(call(*arguments), 2, "--help")
