"""Model files: what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import neurocodec
from neurocodec.errors import InputError
from neurocodec.models.model_files import MODELS_VARIABLE, describe, installed, load


@pytest.mark.parametrize("model", [m.name for m in installed() if m.shipped])
def test_one_changed_bit_of_the_weights_is_refused(model: str, tmp_path: Path) -> None:
    """The last byte of a safetensors file is one of its last tensor."""
    found = next(m for m in installed() if m.name == model and m.shipped)
    data = bytearray(found.path.read_bytes())
    data[-1] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="hash differs"):
        load(describe(tmp_path / "bad.safetensors"))


@pytest.mark.slow
def test_junk_among_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, five_frames: Path) -> None:
    good = {"name": "m", "architecture": "talk", "size": 256, "keypoints": 30, "config": {}, "hash": "0" * 64}
    bad: list[Any] = [
        good | change
        for change in (
            {"hash": "zz"}, {"name": "../m"}, {"name": "é"}, {"size": -1}, {"size": 10**30},
            {"keypoints": 10**6}, {"config": 3},
        )
    ]  # fmt: skip
    texts = [json.dumps(description) for description in bad] + ["[" * 100_000, "[1]", "null"]
    for i, text in enumerate(texts):
        save_file({"a": np.zeros(3, np.float32)}, tmp_path / f"{i}.safetensors", {"neurocodec": text})
        with pytest.raises(InputError, match="not a neurocodec model"):
            describe(tmp_path / f"{i}.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    (tmp_path / "folder.safetensors").mkdir()
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assert all(model.shipped for model in installed())
    assert neurocodec.decode(five_frames.with_suffix(".nfc"), io.BytesIO()).frames == 5
