"""``neurocodec landmarks``: overlay, plot and table of a video beside another version of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from neurocodec.commands.main import main
from neurocodec.errors import InputError, OutputError, UsageError
from neurocodec.measure.landmark_video import follow_landmarks
from neurocodec.media.frames import read_frames


@pytest.mark.slow
def test_command(clip: Path, coded: Path, tmp_path: Path) -> None:
    outputs = {n: tmp_path / n for n in ("o.mp4", "p.png", "t.csv")}
    arguments = ["landmarks", str(clip), "--overlay", str(outputs["o.mp4"]), "--plot", str(outputs["p.png"])]
    arguments += ["--csv", str(outputs["t.csv"]), "--beside", str(coded), "--seconds", "0.5", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["frames_with_face"] == found["frames"] == 13
    assert 0 < found["error"] < 15
    shown = [p for _, p in read_frames(outputs["o.mp4"])]
    assert shown[0].shape == (256, 512, 3) and len(shown) == 13
    assert len(list(csv.reader(outputs["t.csv"].open()))) == 14
    assert outputs["p.png"].read_bytes().startswith(b"\x89PNG")


def test_command_errors(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(InputError):
        follow_landmarks(tmp_path / "none.mp4")
    grey = tmp_path / "grey.mp4"
    writer = cv2.VideoWriter(str(grey), cv2.VideoWriter_fourcc(*"mp4v"), 25, (160, 96))
    for _ in range(4):
        writer.write(np.full((96, 160, 3), 128, np.uint8))
    writer.release()
    with pytest.raises(InputError, match="no face"):
        follow_landmarks(grey, csv_path=tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        follow_landmarks(clip, csv_path=tmp_path / "there.csv")
    with pytest.raises(UsageError, match="twice"):
        follow_landmarks(clip, csv_path=tmp_path / "a", plot_path=tmp_path / "a")
    with pytest.raises(UsageError, match="positive"):
        follow_landmarks(clip, seconds=0.0)
    result = CliRunner().invoke(main, ["landmarks", str(grey)])
    assert result.exit_code == 3 and result.stderr.count("\n") == 1
