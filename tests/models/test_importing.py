"""A checkpoint in the published layout is imported, encodes and decodes under ``--profile original``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from clips import cut

import neurocodec
from neurocodec.models.importing import import_checkpoint
from neurocodec.networks.classic_feedback import ClassicFeedback
from neurocodec.networks.vox256 import Vox256


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints with random weights in the published layouts."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(3)
    network = Vox256()
    parts = ("kp_detector", "dense_motion_network", "inpainting_network")
    torch.save({p: getattr(network, p).state_dict() for p in parts} | {"epoch": 1}, folder / "vox.pth.tar")
    torch.save(ClassicFeedback().state_dict(), folder / "checkpoints.model")
    return folder


@pytest.mark.slow
def test_original_profile_with_its_own_networks(
    folder: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROCODEC_MODELS", str(tmp_path / "models"))
    motion = import_checkpoint(folder / "vox.pth.tar")
    feedback = import_checkpoint(folder / "checkpoints.model")
    assert (motion.name, motion.keypoints, motion.size) == ("vox256", 50, 256)
    assert feedback.kind == "feedback"
    (folder / "vox.pth.tar").unlink()
    source = cut(clip, tmp_path / "in.mp4", 3)
    report = neurocodec.encode(source, tmp_path / "o.nfc", profile="original", gap=2, alpha=1.0)
    assert (report.model, report.feedback) == ("vox256", "classic-feedback")
    assert not report.notes
    info = neurocodec.probe(tmp_path / "o.nfc")
    assert (info.keypoints, info.landmark_code, info.fit) == (50, "original", "squash")
    assert [r["frame"] for r in info.refreshes] == [0, 2]
    assert len(list(neurocodec.pictures(tmp_path / "o.nfc"))) == 3
    motion.path.unlink()
    with pytest.raises(neurocodec.NeurocodecError, match="not installed"):
        list(neurocodec.pictures(tmp_path / "o.nfc"))
