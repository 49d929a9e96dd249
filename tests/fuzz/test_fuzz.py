"""A bounded run of the fuzzers, always of the same inputs; ``make fuzz`` goes on for longer."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from places import ROOT
from scripts import script

sys.path.insert(0, str(ROOT / "fuzz"))
fuzzer = script(ROOT / "fuzz" / "run.py")
COUNTS = {"parser": 5000, "entropy": 400, "container": 350, "frames": 300, "references": 2500, "models": 300}


@pytest.mark.slow
@pytest.mark.parametrize("target", list(COUNTS))
def test_no_input_ends_in_anything_but_an_error_of_ours(
    target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tried, failed = fuzzer.fuzz(target, COUNTS[target], 20, seed=1)
    assert not failed, failed[0]
    assert tried >= COUNTS[target] // 8  # a slow machine tries fewer
    assert capfd.readouterr().err == ""  # nor does a decoder print anything


def test_there_are_targets_and_seeds_for_all() -> None:
    assert set(COUNTS) == set(fuzzer.TARGETS)
    assert all(len(fuzzer.seeds(target)) >= 4 for target in COUNTS)
    size = sum(p.stat().st_size for p in (ROOT / "fuzz" / "corpus").rglob("*") if p.is_file())
    assert size < 200_000


def test_the_fuzzer_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that fails on what only a mutation makes is caught."""

    def fragile(data: bytes) -> None:
        if data not in fuzzer.seeds("entropy"):
            raise ZeroDivisionError

    monkeypatch.setitem(fuzzer.TARGETS, "entropy", fragile)
    tried, failed = fuzzer.fuzz("entropy", 30, 20, seed=1)
    assert tried == 30 and failed[0][1].startswith("ZeroDivisionError")


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_coverage_guided_for_a_moment() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "fuzz" / "coverage_guided.py"), "entropy", "-runs=300", "-seed=1"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 300 runs" in done.stderr
