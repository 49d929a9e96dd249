"""68 landmarks: what follows faces, files that carry latents, and the command."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from landmark_faces import face
from places import SAMPLES

import neurocodec
from neurocodec.api import pictures
from neurocodec.commands.main import main
from neurocodec.errors import DamagedFileError, InputError, OutputError, UnsupportedError, UsageError
from neurocodec.faces.face import Face, error_of
from neurocodec.faces.first_reference import best_frame, frontal_cost
from neurocodec.faces.pose import Pose
from neurocodec.faces.region import LANDMARK_MARGIN, FaceRegion
from neurocodec.faces.tracker import FaceTracker, Square
from neurocodec.faces.views import drawn, table
from neurocodec.format.header import LatentModel, read_header, write_header
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.measure.landmark_video import follow_landmarks
from neurocodec.media.frames import read_frames
from neurocodec.models import files as models
from neurocodec.models.landmark_engine import LandmarkEngine, open_landmark_engine
from neurocodec.models.opening import engine_for

SAMPLE = SAMPLES / "astronaut.mp4"


# Faces


@pytest.fixture(scope="module")
def engine() -> LandmarkEngine:
    return open_landmark_engine(device="cpu")


def test_the_sample_has_a_face(engine: LandmarkEngine) -> None:
    tracker = FaceTracker(engine)
    faces = [tracker.update(p) for _, p in read_frames(SAMPLE, 0.4)]
    assert all(f is not None and f.probability > 0.8 for f in faces)
    points = faces[0].points
    assert points[36, 0] < points[30, 0] < points[45, 0]
    assert points[36, 1] < points[30, 1] < points[57, 1] < points[8, 1]
    assert 30 < faces[0].eye_distance < 150
    steps = [np.abs(b.points - a.points).mean() for a, b in pairwise(faces)]
    assert max(steps) < 4


def test_a_larger_picture_gives_the_same_face(engine: LandmarkEngine) -> None:
    picture = next(p for _, p in read_frames(SAMPLE, 0.1))
    small = FaceTracker(engine).update(picture)
    canvas = np.zeros((700, 900, 3), np.uint8)
    canvas[100:612, 200:712] = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    found = FaceTracker(engine).update(canvas)
    assert small and found
    moved = small.points * 2 + (200, 100)
    assert np.linalg.norm(found.points - moved, axis=1).mean() < 0.12 * found.eye_distance


def test_no_face(engine: LandmarkEngine) -> None:
    grey = np.full((240, 320, 3), 128, np.uint8)
    assert FaceTracker(engine).update(grey) is None


def test_a_face_that_leaves_is_found_again(engine: LandmarkEngine) -> None:
    picture = next(p for _, p in read_frames(SAMPLE, 0.1))
    tracker = FaceTracker(engine)
    there = [tracker.update(p) is not None for p in (picture, np.full_like(picture, 90), picture)]
    assert there == [True, False, True]


def test_the_square_cuts_where_it_says() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:140, 200:240] = 255
    out = Square(220, 120, 160).cut(picture)
    inside = np.argwhere(out[..., 0] > 128)
    np.testing.assert_allclose(inside.mean(0), (63.5, 63.5), atol=1)
    assert 30 <= np.ptp(inside[:, 0]) <= 34
    np.testing.assert_allclose(Square(220, 120, 160).place(np.full((1, 2), 0.5, np.float32)), [[220, 120]])
    assert Square(10, 10, 400).cut(picture).shape == (128, 128, 3)


def test_pose_and_choice(engine: LandmarkEngine) -> None:
    ahead = face()
    assert abs(Pose.of(ahead).turn) < 0.02
    turned = ahead.copy()
    turned[27:36, 0] += 25
    blinking = ahead.copy()
    blinking[[37, 38, 43, 44]] = blinking[[41, 40, 47, 46]]
    assert frontal_cost(turned) > frontal_cost(ahead) + 0.1
    assert frontal_cost(blinking) > frontal_cost(ahead) + 0.5
    grey = [np.full((64, 64, 3), 128, np.uint8)] * 4
    assert best_frame(engine, grey) == 0


def test_drawing_and_table() -> None:
    some = Face(face(), 0.9)
    picture = np.zeros((200, 200, 3), np.uint8)
    assert drawn(picture, some).any() and not picture.any()
    assert not drawn(picture, None).any()
    rows = list(csv.reader(io.StringIO(table([(0.0, some), (0.04, None)]))))
    assert len(rows[0]) == 140 and rows[0][4:6] == ["x0", "y0"]
    assert float(rows[1][4]) == pytest.approx(some.points[0, 0], abs=0.01)
    assert rows[2][2:4] == ["", "0"] and set(rows[2][4:]) == {""}
    assert error_of(Face(face(shift=3), 1.0), some) == pytest.approx(300 / some.eye_distance, rel=1e-3)
    assert error_of(None, some) is None


def test_the_region_is_around_the_landmarks(engine: LandmarkEngine) -> None:
    picture = next(p for _, p in read_frames(SAMPLE, 0.1))
    canvas = np.zeros((600, 800, 3), np.uint8)
    canvas[200:456, 300:556] = picture
    tracker = FaceTracker(engine)
    region = FaceRegion(tracker=tracker).update(canvas)
    points = FaceTracker(engine).update(canvas).points
    size = float(np.ptp(points, axis=0).max())
    assert region.side == pytest.approx(LANDMARK_MARGIN * size, rel=0.1)
    assert region.x < points[:, 0].min() and points[:, 0].max() < region.x + region.side


# Files


@pytest.fixture(scope="module")
def driven(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("driven") / "clip.nfc"
    neurocodec.encode(clip, out, landmarks="68", refresh="schedule", verify=True)
    return out


def test_a_file_of_latents(driven: Path, clip: Path) -> None:
    info = neurocodec.probe(driven, packets=True)
    description = models.find(models.DEFAULT_LANDMARKS, "landmarks")
    assert info.format_version == 4
    assert info.landmark_model == {
        "name": "face68", "hash": description.hash[:16], "values": description.config["latent"],
    }  # fmt: skip
    symbols = [p["symbols"] for p in info.packets or [] if p["kind"] == "landmarks"]
    assert {len(s) for s in symbols} == {description.config["latent"]}
    assert any(any(s) for s in symbols)
    shown = [p for _, p in pictures(driven)]
    originals = [p for _, p in read_frames(clip)]
    assert len(shown) == len(originals)
    error = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(shown, originals, strict=True)])
    assert error < 20


def test_random_access_gives_the_same_pictures(driven: Path) -> None:
    whole = [p for _, p in pictures(driven)]
    part = [p for _, p in pictures(driven, start=0.8)]
    assert 10 < len(part) < len(whole)
    assert (part[-1] == whole[-1]).all()


def test_readers_without_the_landmark_model_refuse(driven: Path, tmp_path: Path) -> None:
    reader = NfcReader(io.BytesIO(driven.read_bytes()))
    assert reader.header.latent
    other = replace(reader.header, latent=replace(reader.header.latent, hash=bytes(8)))
    with pytest.raises(UnsupportedError, match="face68"):
        engine_for(other)
    fewer = replace(reader.header, latent=replace(reader.header.latent, values=2))
    with pytest.raises(DamagedFileError, match="number of values"):
        engine_for(fewer)
    out = io.BytesIO()
    writer = NfcWriter(out, other)
    for item in reader:
        assert isinstance(item, tuple)
        writer.write_block(item[0])
    writer.close()
    path = tmp_path / "o.nfc"
    path.write_bytes(out.getvalue())
    assert neurocodec.probe(path).frames == 40  # parsing never needs the model
    with pytest.raises(UnsupportedError, match="not installed"):
        neurocodec.decode(path, tmp_path / "o.mp4")


def test_headers_with_latents() -> None:
    reader = NfcReader(io.BytesIO(header_example()))
    header = replace(reader.header, version=3, transformed=False, latent=LatentModel("f", bytes(8), 32))
    assert read_header(write_header(header), 3) == header
    assert header.coordinates == 32
    with pytest.raises(UnsupportedError):
        read_header(write_header(header), 2)
    odd = replace(header, latent=LatentModel("f", bytes(8), 31))
    with pytest.raises(DamagedFileError, match="odd"):
        read_header(write_header(odd), 3)
    both = bytearray(write_header(header))
    both[both.index(0x42)] = 0xC2
    with pytest.raises(UnsupportedError):
        read_header(bytes(both), 3)


def header_example() -> bytes:
    text = (SAMPLE.parents[1] / "docs" / "format.md").read_text(encoding="utf-8")
    return bytes.fromhex(text.split("```hex\n")[2].split("```")[0])


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="landmarks must be"):
        neurocodec.encode(SAMPLE, tmp_path / "o.nfc", landmarks="5")
    with pytest.raises(UsageError, match="original"):
        neurocodec.encode(SAMPLE, tmp_path / "o.nfc", landmarks="68", profile="original")
    with pytest.raises(UsageError, match="lookahead"):
        neurocodec.encode(SAMPLE, tmp_path / "o.nfc", first_reference="best", refresh="schedule")


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


# Command


def test_command(clip: Path, driven: Path, tmp_path: Path) -> None:
    outputs = {n: tmp_path / n for n in ("o.mp4", "p.png", "t.csv")}
    arguments = ["landmarks", str(clip), "--overlay", str(outputs["o.mp4"]), "--plot", str(outputs["p.png"])]
    arguments += ["--csv", str(outputs["t.csv"]), "--beside", str(driven), "--seconds", "0.5", "--json"]
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
