"""Help is quick: it imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "cv2", "av", "numpy", "scipy", "matplotlib", "skimage")
PROGRAM = """
import sys
from neurocodec.commands.main import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    assert not stop.code, stop.code
print("imported:", *(m for m in {heavy} if m in sys.modules))
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["encode", "--help"], ["decode", "--help"], ["compare", "--help"], ["batch", "--help"],
     ["call", "--help"], ["export", "--help"], ["--version"]],
    ids=" ".join,
)  # fmt: skip
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = PROGRAM.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["imported:"]
    assert "neurocodec" in done.stdout or "Usage" in done.stdout


@pytest.mark.slow
def test_loading_a_model_imports_no_compiler() -> None:
    program = """
import sys
from neurocodec.models.model_files import find
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.motion_engine import MotionEngine
MotionEngine(find("talk256", "motion"), "cpu")
DistanceEngine(find("perceptual", "feedback"), "cpu")
print("imported:", *(m for m in ("torch._dynamo", "torch._inductor", "sympy", "scipy") if m in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["imported:"]
