"""Where things lie that tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
CHECKPOINTS = ROOT / "checkpoints"
DATA = ROOT / "tests" / "data"
CONFORMANCE = ROOT / "tests" / "conformance"


def fact_file(name: str) -> Path:
    """A file with published shapes or results, not part of this repository; skips the test without it."""
    folder = os.environ.get("NEUROCODEC_FACTS")
    path = (Path(folder) if folder else ROOT.parent / "shared" / "facts") / name
    if not path.is_file():
        pytest.skip(f"{name} is not here; NEUROCODEC_FACTS names its folder")
    return path
