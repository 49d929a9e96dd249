"""The first reference need not be the first frame."""

from __future__ import annotations

from pathlib import Path

import pytest

import neurocodec
from neurocodec.api import pictures


@pytest.mark.slow
def test_the_best_first_reference_may_come_later(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurocodec.encoding.placement.best_frame", lambda engine, shown: 12)
    neurocodec.encode(clip, tmp_path / "o.nfc", first_reference="best", quality=10, verify=True)
    info = neurocodec.probe(tmp_path / "o.nfc", packets=True)
    first = min(info.refreshes, key=lambda r: info.packets[r["frame"]]["frame"])
    assert any(r["frame"] == 12 for r in info.refreshes)
    assert first["frame"] != 0 or len(info.refreshes) > 1
    assert info.packets[0]["kind"] == "landmarks"
    assert len(list(pictures(tmp_path / "o.nfc"))) == 40
