"""Figures of the codec on clips, beside a held still and other codecs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from neurocodec.commands.train.evaluate import evaluate as evaluate_command
from neurocodec.errors import InputError, UsageError
from neurocodec.evaluation.codec import Measure, combinations, evaluate, summary


@pytest.mark.slow
def test_figures_beside_a_held_still(clip: Path) -> None:
    measure = Measure()
    assert {"psnr", "ssim", "ms_ssim", "perceptual"} <= set(measure.names)
    found = evaluate(clip, 0.8, measure, 4)
    assert found["frames"] == 20
    assert found["psnr"] > found["psnr_frozen"]
    assert 0 < found["ms_ssim"] <= 1
    first = found["pictures"][0][0][None]
    perfect = measure(first, first)
    assert perfect["psnr"] == 100
    assert perfect["ms_ssim"] == pytest.approx(1)
    both = summary([found, {**found, "psnr": float("nan")}, {**found, "psnr": 0.0}], ["psnr", "frames"])
    assert both["mean"]["psnr"] == pytest.approx(found["psnr"] / 2)
    assert both["median"]["frames"] == 20


def test_face_figures_need_their_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="landmarks"):
        Measure(landmarks=tmp_path / "none.tflite")
    for variable in ("NEUROCODEC_LANDMARK_NET", "NEUROCODEC_FACE_DETECTOR", "NEUROCODEC_IDENTITY_NET"):
        monkeypatch.setenv(variable, __file__)
    assert {"landmarks", "identity"} <= set(Measure().names)


@pytest.mark.slow
def test_another_codec_at_our_bytes(clip: Path, tmp_path: Path) -> None:
    command = [str(clip), "--seconds", "0.4", "--every", "5", "--against", "h264,hevc"]
    done = CliRunner().invoke(evaluate_command, [*command, "--json", str(tmp_path / "a.json")])
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()[1:4]] == [clip.stem, "h264", "hevc"]
    report = json.loads((tmp_path / "a.json").read_text())
    (found,) = report["clips"]
    assert 0 < found["kbps_h264"] <= found["kbps"]
    assert found["point_h264"].startswith("crf ")
    assert 10 < found["psnr_hevc"] < 50
    assert report["mean"]["ms_ssim_h264"] == found["ms_ssim_h264"]
    with pytest.raises(UsageError, match="unknown codec"):
        CliRunner().invoke(
            evaluate_command, [str(clip), "--against", "divx"], standalone_mode=False, catch_exceptions=False
        )


@pytest.mark.slow
def test_sweep(clip: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        evaluate_command,
        [str(clip), "--seconds", "0.4", "--every", "5", "--sweep", "reference_quality=5,60",
         "--json", str(tmp_path / "a.json"),
         "--sheet", str(tmp_path / "a.png")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    points = json.loads((tmp_path / "a.json").read_text())
    assert [p["settings"] for p in points] == [{"reference_quality": 5.0}, {"reference_quality": 60.0}]
    assert points[1]["mean"]["kbps"] > points[0]["mean"]["kbps"]
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert len(done.output.splitlines()) == 3
    for text in ("quantization", "quantization=", "colour=1"):
        with pytest.raises(UsageError):
            combinations([text])
    assert combinations([]) == [{}]
    both = combinations(["quantization=30,120", "reference_quality=5,60"])
    assert [tuple(p.values()) for p in both] == [(30, 5.0), (30, 60.0), (120, 5.0), (120, 60.0)]
