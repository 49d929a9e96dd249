"""The landmark network: its samples, its losses, its training and its mapping."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from landmark_faces import face, image_set

from neurocodec.datasets.clips import Clip
from neurocodec.datasets.labelled_faces import NO_FACE, face_square, is_validation
from neurocodec.errors import InputError
from neurocodec.models.landmark_engine import MIRROR
from neurocodec.models.model_files import find, load
from neurocodec.networks.face68 import SIDE, Face68
from neurocodec.training import landmark_samples as samples
from neurocodec.training import landmarks
from neurocodec.training import state as states
from neurocodec.training.config import LandmarkConfig, parse, read
from neurocodec.training.landmark_export import fit_linear, ship, turn_latent


def test_mirrored_landmarks_are_in_order() -> None:
    assert sorted(MIRROR.tolist()) == list(range(68))
    assert (MIRROR[MIRROR] == np.arange(68)).all()
    centre, size = face_square(face())
    crop = samples.Crop(samples.crop_matrix(centre, 2 * size, mirrored=True), True)
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
        crop = samples.random_crop(marks, rng)
        out = crop.picture(picture)[..., 0].astype(float)
        ys, xs = np.mgrid[:SIDE, :SIDE]
        seen = np.array([(xs * out).sum(), (ys * out).sum()]) / out.sum() + 0.5
        np.testing.assert_allclose(seen / SIDE, crop.points(marks)[30], atol=0.02)


def test_clips_and_cache(tmp_path: Path, clip: Path) -> None:
    frames = 40
    stored = np.full((frames, 68, 2), NO_FACE, np.uint16)
    stored[:20] = np.rint(face() / 256 * 16384 + 16384).astype(np.uint16)
    np.savez(tmp_path / "marks.npz", clip=stored)
    good = face().ravel().tolist()
    for name in ("P_1.jpg", "Q_1.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((200, 200, 3), 90, np.uint8))
    table_path = image_set(tmp_path, [("P_1.jpg", good), ("Q_1.jpg", good)])
    clips = [Clip(clip, "someone"), Clip(tmp_path / "other.mp4", "x")]
    count, skipped = samples.write_cache(
        tmp_path / "cache", 64, [(table_path, tmp_path)], clips, tmp_path / "marks.npz", 8
    )
    assert count == 8
    assert any("other.mp4" in s for s in skipped)
    index = json.loads((tmp_path / "cache" / "index.json").read_text())
    assert index["images"] == ["P", "Q"]
    assert index["clips"] == ["someone"] * 6  # pairs from frames 0, 8 and 16
    points = np.load(tmp_path / "cache" / "clips_points.npy")
    np.testing.assert_allclose(points[0], face() / 256, atol=1e-3)
    with pytest.raises(InputError, match="has no"):
        samples.Faces(tmp_path / "cache", held_out=not is_validation("someone"))


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
    turn_latent(network, changes)
    torch.testing.assert_close(network(x), before, atol=1e-4, rtol=1e-4)
    after = network.encode(x)[0]
    torch.testing.assert_close(after.norm(dim=1), latents.norm(dim=1), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(after, latents, atol=1e-3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled noise of thirty people."""
    folder = tmp_path_factory.mktemp("landmarks")
    people = [f"person{k}" for k in range(30)]
    assert {is_validation(p) for p in people} == {True, False}
    index = {"images": people, "clips": [p for p in people for _ in (0, 1)]}
    (folder / "index.json").write_text(json.dumps(index))
    for kind, names in index.items():
        shown = np.random.default_rng(3).integers(0, 256, (len(names), 64, 64, 3), np.uint8)
        marks = np.stack([face(shift=k % 5) / 200 for k in range(len(names))])
        np.save(folder / f"{kind}.npy", shown)
        np.save(folder / f"{kind}_points.npy", marks.astype(np.float32))
    return folder


def config(*settings: str) -> LandmarkConfig:
    small = ("model.width=0.35", "model.latent=8", "samples.images=1", "samples.pairs=2", "samples.nothing=1")
    return read(LandmarkConfig, None, [parse(s) for s in (*small, *settings)])


@pytest.mark.slow
def test_loss_falls_and_bits_are_charged(cache: Path) -> None:
    torch.manual_seed(0)
    task = landmarks.LandmarkTask(config("bandwidth=0.01"), cache, torch.device("cpu"))
    task.network = Face68(0.35, 8)
    marks = np.stack([face() / 200] * 6).astype(np.float32)
    shown = np.random.default_rng(1).integers(0, 256, (6, 128, 128, 3), np.uint8)
    marks[5] = np.nan
    optimizer = torch.optim.Adam(task.network.parameters(), 3e-3)
    seen = []
    for seed in range(8):
        total, parts = task(landmarks.tensors(shown), torch.from_numpy(marks), seed)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        seen.append(float(total.detach()))
    assert seen[-1] < 0.9 * seen[0]
    assert parts["bits"] > 0
    still = torch.zeros(1, 8)
    assert float(landmarks.bits(still, still, torch.tensor([[100.0]]))) == 0
    assert float(landmarks.bits(still, still + 1, torch.tensor([[100.0]]))) > 50


def test_errors_are_in_per_cent_of_the_eyes() -> None:
    truth = torch.from_numpy(face())[None]
    eyes = float(np.linalg.norm(face()[36] - face()[45]))
    moved = truth + torch.tensor([0.1 * eyes, 0.0])
    torch.testing.assert_close(landmarks.normalized_errors(moved, truth), torch.full((1, 68), 10.0))


def test_the_mapping_follows_what_happens_within_a_clip() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(8), 30)
    within = rng.normal(size=(240, 4))
    who = rng.normal(size=(8, 4))[groups]
    matrix = rng.normal(size=(6, 4))
    y = within @ matrix.T + 0.5 * who[:, :1] + 3
    fitted = fit_linear(within + who, y, groups, between=0.05)
    np.testing.assert_allclose(fitted[:, :-1], matrix, atol=0.1)
    error = y - (within + who) @ fitted[:, :-1].T - fitted[:, -1]
    assert np.abs(error.mean(0)).max() < 1e-6


@pytest.mark.slow
def test_a_training_is_gone_on_from_and_shipped(cache: Path, tmp_path: Path) -> None:
    """From a cache to a model file."""
    out = tmp_path / "run"
    lines = landmarks.run(config("optimizer.steps=2", "watch.log=1"), cache, out, quiet=True)
    assert "images" in lines[0] and "bits" in lines[0]
    landmarks.run(config("optimizer.steps=3", "watch.log=1"), cache, out, quiet=True)
    assert [json.loads(x)["step"] for x in (out / "log.jsonl").read_text().splitlines()] == [1, 2, 3]
    model = ship(out / "state.pt", cache, tmp_path / "face.safetensors", 50)
    network = load(find(str(model.path), "landmarks"))
    average = states.weights_of(out)
    assert network.sharpness == average["sharpness"].half().float()  # type: ignore[operator]
    (out / "state.pt").unlink()
    with pytest.raises(InputError, match="no training state"):
        ship(out / "state.pt", cache, tmp_path / "other.safetensors", 50)
