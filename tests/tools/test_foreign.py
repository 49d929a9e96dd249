"""The same integers on another architecture: entropy and container parts, run by emulation.

``NEUROCODEC_FOREIGN_PYTHON`` names the Python; ``tools/foreign_python.sh`` makes one (of s390x, which is
big-endian).  Without it the test is skipped; that the script needs no torch is tested in any case.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from places import ROOT

FILES = [
    *sorted((ROOT / "tests" / "conformance").glob("*.nfc")),
    *sorted((ROOT / "tests" / "data").glob("*.nfc")),
]


def lines(python: str, *before: str) -> list[str]:
    done = subprocess.run(
        [python, *before, str(ROOT / "tools" / "integers.py"), *map(str, FILES)],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def ours() -> list[str]:
    return lines(sys.executable)


def test_the_integers_need_neither_torch_nor_codecs(ours: list[str]) -> None:
    refuse = "import sys\nfor n in ('torch', 'av', 'cv2'): sys.modules[n] = None\n"
    run = f"{refuse}import runpy\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    assert lines(sys.executable, "-c", run) == ours
    assert len(ours) == len(FILES) + 3


def test_another_architecture_gives_the_same_integers(ours: list[str]) -> None:
    python = os.environ.get("NEUROCODEC_FOREIGN_PYTHON")
    if not python:
        pytest.skip("NEUROCODEC_FOREIGN_PYTHON is not set (tools/foreign_python.sh makes one)")
    machine = subprocess.run(
        [python, "-c", "import platform; print(platform.machine())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = os.uname().machine
    assert machine != here
    assert lines(python) == ours
