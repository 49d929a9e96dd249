"""68 landmarks: their data, the network, what follows faces, files that carry latents, and the command."""

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
import torch
from click.testing import CliRunner
from places import SAMPLES

import neurocodec
from neurocodec.api import pictures
from neurocodec.commands.landmarks import run_landmarks
from neurocodec.commands.main import main
from neurocodec.errors import DamagedFileError, InputError, OutputError, UnsupportedError, UsageError
from neurocodec.faces.frontal import Pose, best_frame, frontal_cost
from neurocodec.faces.region import LANDMARK_MARGIN, FaceRegion
from neurocodec.faces.tracker import Face, FaceTracker, Square, error_of
from neurocodec.faces.views import drawn, table
from neurocodec.format.header import LatentModel, read_header, write_header
from neurocodec.format.reader import NfcReader, NfcWriter
from neurocodec.media.frames import read_frames
from neurocodec.models import files as models
from neurocodec.models.landmark_driven import engine_of
from neurocodec.models.landmark_engine import LandmarkEngine, default_engine
from neurocodec.networks.face68 import Face68
from neurocodec.training import landmark_data as data
from neurocodec.training import landmarks as training

SAMPLE = SAMPLES / "astronaut.mp4"


def face(shift: float = 0.0, scale: float = 60.0) -> np.ndarray:
    """A plausible face (68,2) of about ``2 * scale`` pixels around (100 + shift, 100)."""
    points = np.zeros((68, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([np.cos(angle), np.sin(angle)], 1)
    points[17:22] = np.stack([np.linspace(-0.8, -0.2, 5), np.full(5, -0.5)], 1)
    points[22:27] = points[17:22][::-1] * (-1, 1)
    points[27:31] = np.stack([np.zeros(4), np.linspace(-0.2, 0.2, 4)], 1)
    points[31:36] = np.stack([np.linspace(-0.2, 0.2, 5), np.full(5, 0.3)], 1)
    eye = np.array([(-0.2, 0), (-0.1, -0.1), (0.1, -0.1), (0.2, 0), (0.1, 0.1), (-0.1, 0.1)])
    points[36:42], points[42:48] = eye - np.array([0.5, 0.25]), eye - np.array([-0.5, 0.25])
    points[48:68] = np.stack([0.3 * np.cos(np.arange(20)), 0.6 + 0.05 * np.sin(np.arange(20))], 1)
    return (points * scale + (100 + shift, 100)).astype(np.float32)


# Data


def image_set(folder: Path, rows: list[tuple[str, list[object]]], columns: int = 136) -> Path:
    path = folder / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *range(columns)])
        writer.writerows([[name, *values] for name, values in rows])
    return path


def test_broken_rows_are_reported_and_left_out(tmp_path: Path) -> None:
    good = face().ravel().tolist()
    cv2.imwrite(str(tmp_path / "A_B_01.jpg"), np.full((200, 220, 3), 90, np.uint8))
    (tmp_path / "A_B_02.jpg").write_bytes(b"no image")
    rows: list[tuple[str, list[object]]] = [
        ("A_B_01.jpg", good), ("A_B_02.jpg", good), ("gone_01.jpg", good), ("A_B_03.jpg", good[:-1]),
        ("A_B_04.jpg", [*good[:-1], "x"]), ("A_B_05.jpg", [*good[:-1], "nan"]), ("../A_B_01.jpg", good),
        ("A_B_01.jpg", good), ("A_B_01.png", [v + 900 for v in good]),
    ]  # fmt: skip
    cv2.imwrite(str(tmp_path / "A_B_01.png"), np.full((200, 220, 3), 90, np.uint8))
    report = data.Report()
    images, points, kept = data.read_images(image_set(tmp_path, rows), tmp_path, 64, report)
    assert [r.name for r in kept] == ["A_B_01.jpg"]
    assert report.read == 1
    assert len(report.skipped) == 8
    text = "\n".join(report.lines(most=20))
    for reason in ("does not open", "135 coordinates", "not all", "not finite", "no image name", "before"):
        assert reason in text
    assert "lie outside" in text
    assert images.shape == (1, 64, 64, 3)
    side = 220  # the longer one; the picture is centred in the square
    np.testing.assert_allclose(points[0], (face() + np.array([0, 10])) / side, atol=1e-3)


def test_tables_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no landmark table"):
        data.read_table(tmp_path / "none.csv", data.Report())
    with pytest.raises(InputError, match="134 coordinate columns"):
        data.read_table(image_set(tmp_path, [], 134), data.Report())
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        data.read_table(tmp_path / "b.csv", data.Report())
    with pytest.raises(InputError, match="no usable row"):
        data.read_images(image_set(tmp_path, []), tmp_path, 64, data.Report())


def test_people_never_cross_the_split() -> None:
    rows = [data.Row(f"Some_Name_{p}_{k:02}.jpg", face()) for p in range(200) for k in (1, 20)]
    people = {r.person for r in rows}
    assert len(people) == 200
    held = {p for p in people if data.is_validation(p)}
    assert 15 <= len(held) <= 45
    assert len({data.is_validation("x") for _ in range(3)}) == 1


def test_mirrored_landmarks_are_in_order() -> None:
    assert sorted(data.MIRROR.tolist()) == list(range(68))
    assert (data.MIRROR[data.MIRROR] == np.arange(68)).all()
    centre, size = data.face_square(face())
    crop = data.Crop(data.crop_matrix(centre, 2 * size, mirrored=True), True)
    turned = crop.points(face())
    assert turned[36, 0] < turned[45, 0]  # the eye on the left stays number 36
    assert turned[0, 0] < turned[16, 0]


def test_a_crop_moves_picture_and_points_alike() -> None:
    rng = np.random.default_rng(4)
    marks = (face() / 200).astype(np.float32)
    for _ in range(5):
        picture = np.zeros((200, 200, 3), np.uint8)
        spot = marks[30] * 200
        cv2.circle(picture, (round(float(spot[0])), round(float(spot[1]))), 4, (255, 255, 255), -1)
        crop = data.random_crop(marks, rng)
        out = crop.picture(picture)[..., 0].astype(float)
        ys, xs = np.mgrid[: data.SIDE, : data.SIDE]
        seen = np.array([(xs * out).sum(), (ys * out).sum()]) / out.sum() + 0.5
        np.testing.assert_allclose(seen / data.SIDE, crop.points(marks)[30], atol=0.02)


def test_clips_and_cache(tmp_path: Path, clip: Path) -> None:
    frames = 40
    stored = np.full((frames, 68, 2), data.NO_FACE, np.uint16)
    stored[:20] = np.rint(face() / 256 * 16384 + 16384).astype(np.uint16)
    np.savez(tmp_path / "marks.npz", clip=stored)
    good = face().ravel().tolist()
    for name in ("P_1.jpg", "Q_1.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((200, 200, 3), 90, np.uint8))
    table_path = image_set(tmp_path, [("P_1.jpg", good), ("Q_1.jpg", good)])
    report = data.write_cache(
        tmp_path / "cache", 64, [(table_path, tmp_path)], [(clip, "someone"), (tmp_path / "other.mp4", "x")],
        tmp_path / "marks.npz", 8,
    )  # fmt: skip
    assert any("other.mp4" in s for s in report.skipped)
    index = json.loads((tmp_path / "cache" / "index.json").read_text())
    assert index["images"] == ["P", "Q"]
    assert index["clips"] == ["someone"] * 6  # pairs from frames 0, 8 and 16
    points = np.load(tmp_path / "cache" / "clips_points.npy")
    np.testing.assert_allclose(points[0], face() / 256, atol=1e-3)
    with pytest.raises(InputError, match="has no"):
        data.Faces(tmp_path / "cache", held_out=not data.is_validation("someone"))


# Network


def test_the_latent_is_all_the_decoder_gets() -> None:
    torch.manual_seed(0)
    network = Face68(0.35, 16).eval()
    x = torch.rand(2, 3, 128, 128)
    latents, presence = network.encode(x)
    assert latents.shape == (2, 16) and presence.shape == (2,)
    torch.testing.assert_close(network(x), network.decode(latents))
    with pytest.raises(ValueError, match="even"):
        Face68(0.5, 7)


def test_turning_the_latent_changes_nothing_else() -> None:
    torch.manual_seed(0)
    network = Face68(0.35, 8).eval()
    x = torch.rand(3, 3, 128, 128)
    before, latents = network(x), network.encode(x)[0]
    changes = torch.randn(200, 8) * torch.linspace(0.1, 2, 8)
    training.turn_latent(network, changes)
    torch.testing.assert_close(network(x), before, atol=1e-4, rtol=1e-4)
    after = network.encode(x)[0]
    torch.testing.assert_close(after.norm(dim=1), latents.norm(dim=1), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(after, latents, atol=1e-3)


def test_loss_falls_and_bits_are_charged() -> None:
    torch.manual_seed(0)
    network = Face68(0.35, 8)
    marks = np.stack([face() / 200] * 6).astype(np.float32)
    shown = np.random.default_rng(1).integers(0, 256, (6, 128, 128, 3), np.uint8)
    marks[5] = np.nan
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    rng = torch.Generator().manual_seed(1)
    seen = []
    for _ in range(8):
        total, parts = training.losses(network, shown, marks, 1, 2, 0.01, rng)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        seen.append(float(total.detach()))
    assert seen[-1] < 0.8 * seen[0]
    assert parts["bits"] > 0
    still = torch.zeros(1, 8)
    assert float(training.bits(still, still, torch.tensor([[100.0]]))) == 0
    assert float(training.bits(still, still + 1, torch.tensor([[100.0]]))) > 50


def test_errors_are_in_per_cent_of_the_eyes() -> None:
    truth = torch.from_numpy(face())[None]
    eyes = float(np.linalg.norm(face()[36] - face()[45]))
    moved = truth + torch.tensor([0.1 * eyes, 0.0])
    torch.testing.assert_close(training.normalized_errors(moved, truth), torch.full((1, 68), 10.0))


def test_the_mapping_follows_what_happens_within_a_clip() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(8), 30)
    within = rng.normal(size=(240, 4))
    who = rng.normal(size=(8, 4))[groups]
    matrix = rng.normal(size=(6, 4))
    y = within @ matrix.T + 0.5 * who[:, :1] + 3
    fitted = training.fit_linear(within + who, y, groups, between=0.05)
    np.testing.assert_allclose(fitted[:, :-1], matrix, atol=0.1)
    error = y - (within + who) @ fitted[:, :-1].T - fitted[:, -1]
    assert np.abs(error.mean(0)).max() < 1e-6


# Faces


@pytest.fixture(scope="module")
def engine() -> LandmarkEngine:
    return default_engine(device="cpu")


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
        engine_of(other)
    fewer = replace(reader.header, latent=replace(reader.header.latent, values=2))
    with pytest.raises(DamagedFileError, match="number of values"):
        engine_of(fewer)
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
    monkeypatch.setattr("neurocodec.encoding.encoder.best_frame", lambda engine, shown: 12)
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
        run_landmarks(tmp_path / "none.mp4")
    grey = tmp_path / "grey.mp4"
    writer = cv2.VideoWriter(str(grey), cv2.VideoWriter_fourcc(*"mp4v"), 25, (160, 96))
    for _ in range(4):
        writer.write(np.full((96, 160, 3), 128, np.uint8))
    writer.release()
    with pytest.raises(InputError, match="no face"):
        run_landmarks(grey, csv_path=tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        run_landmarks(clip, csv_path=tmp_path / "there.csv")
    with pytest.raises(UsageError, match="twice"):
        run_landmarks(clip, csv_path=tmp_path / "a", plot_path=tmp_path / "a")
    with pytest.raises(UsageError, match="positive"):
        run_landmarks(clip, seconds=0.0)
    result = CliRunner().invoke(main, ["landmarks", str(grey)])
    assert result.exit_code == 3 and result.stderr.count("\n") == 1
