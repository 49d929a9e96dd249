"""The report of a machine, and the file that reads the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from places import SAMPLES

from neurocodec.bench import machine
from neurocodec.bench.command import bench
from neurocodec.errors import NeurocodecError


def test_the_file_reads_the_same_here() -> None:
    """On this machine as on the one that made it: symbols exactly, pictures within a level."""
    found = machine.same_file("cpu")
    assert found["same_symbols"] and found["same_pictures"]
    assert found["furthest_block_mean"] <= machine.WITHIN


def test_another_file_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (machine.CODED, machine.EXPECTED, "astronaut.mp4"):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    monkeypatch.setattr(machine, "sample_clips", lambda: [tmp_path / "astronaut.mp4"])
    expected = json.loads((tmp_path / machine.EXPECTED).read_text())
    means = np.array(expected["means"])
    means[-1, 0, 0, 0] += 3
    changed = {"symbols": "0" * 64, "means": means.tolist()}
    (tmp_path / machine.EXPECTED).write_text(json.dumps(changed))
    found = machine.same_file("cpu")
    assert not found["same_symbols"] and not found["same_pictures"]
    assert found["furthest_block_mean"] == pytest.approx(3, abs=1)
    data = (tmp_path / machine.CODED).read_bytes()
    (tmp_path / machine.CODED).write_bytes(data[: len(data) // 2])
    with pytest.raises(NeurocodecError):
        machine.symbols_hash(tmp_path / machine.CODED)


@pytest.mark.slow
def test_command(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = CliRunner().invoke(bench, ["--machine", str(out), "--quick", "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert "symbols: the same; block means: within a level" in done.output
    found = json.loads(out.read_text())
    assert (found["format"], found["version"]) == (machine.FORMAT, machine.VERSION)
    assert found["machine"]["byte_order"] in ("little", "big")
    assert {"keypoints", "render, one reference", "reference"} <= set(found["stages"])
