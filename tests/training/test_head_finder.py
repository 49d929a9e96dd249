"""Training of the head finder: scenes, what is learned from them, a short run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from command_line import answer
from training_clips import people

from neurocodec.errors import InputError
from neurocodec.models.model_files import describe, load
from neurocodec.networks.head_finder import STRIDES, HeadFinder, boxes
from neurocodec.training.head_finder import giou, middles_loss, targets
from neurocodec.training.head_scenes import Heads, Scene, photographs, write_cache

NOTHING = np.zeros((0, 4), np.float32)


def scene(*faces: tuple[float, float, float, float], ignored: np.ndarray = NOTHING) -> Scene:
    picture = np.zeros((256, 256, 3), np.uint8)
    return Scene(picture, np.array(faces, np.float32).reshape(-1, 4), ignored)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn heads with landmarks that say where their faces are."""
    folder = tmp_path_factory.mktemp("heads")
    people(folder / "data", count=3, frames=6)
    points = np.zeros((6, 68, 2))
    angle = np.linspace(0, 2 * np.pi, 68)
    points[:] = np.stack([0.5 + 0.2 * np.cos(angle), 0.55 + 0.25 * np.sin(angle)], 1)
    np.savez(folder / "marks.npz", clip=(points * 16384 + 16384).astype(np.uint16))
    from neurocodec.datasets.clips import find_clips

    write_cache(find_clips(folder / "data"), folder / "cache", 64, 3, folder / "marks.npz", None)
    return folder / "cache"


def test_scenes_have_faces_inside_and_are_of_a_seed(cache: Path) -> None:
    heads = Heads(cache, [np.full((90, 120, 3), 100, np.uint8)], 1)
    made = [heads.scene(128, np.random.default_rng(k)) for k in range(60)]
    again = heads.scene(128, np.random.default_rng(5))
    np.testing.assert_array_equal(made[5].picture, again.picture)
    counts = [len(s.faces) for s in made]
    assert 0 in counts and max(counts) > 1
    for s in made:
        assert s.picture.shape == (128, 128, 3) and s.picture.dtype == np.uint8
        assert np.all(s.faces[:, :2] >= 0) and np.all(s.faces[:, :2] + s.faces[:, 2:] <= 128.01)
        assert np.all(np.sqrt(s.faces[:, 2:].prod(1)) >= 9)


def test_people_held_out_are_others(cache: Path) -> None:
    taught, kept = Heads(cache, [], 1), Heads(cache, [], 1, held_out=True)
    assert not {r for rows in taught._rows for r in rows} & {r for rows in kept._rows for r in rows}
    with pytest.raises(InputError, match="too few people"):
        Heads(cache, [], 3)
    with pytest.raises(InputError, match="no cache of heads"):
        Heads(cache.parent, [], 0)


def test_targets_are_the_boxes_that_they_came_from() -> None:
    face = (100.0, 60.0, 56.0, 70.0)
    maps = targets(scene(face), 256)
    found, _ = boxes([torch.from_numpy(np.concatenate([m[:1], m[2:6]]))[None] for m in maps])
    weights = np.concatenate([m[1].ravel() for m in maps])
    assert [int((m[0] == 1).any()) for m in maps] == [0, 1, 0]
    for box in found[0].numpy()[weights > 0]:
        np.testing.assert_allclose(box, face, rtol=1e-4)


def test_faces_between_two_strides_are_of_both_and_ignored_places_do_not_count() -> None:
    maps = targets(scene((100, 60, 36, 44)), 256)
    assert [int((m[0] == 1).any()) for m in maps] == [1, 1, 0]
    ignored = targets(scene(ignored=np.array([[64, 64, 64, 64]], np.float32)), 256)
    for m, stride in zip(ignored, STRIDES, strict=True):
        assert (m[6] == 0).sum() == (64 // stride) ** 2
        assert m[0].max() == 0


def test_giou_and_the_loss_of_middles() -> None:
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    assert float(giou(a, a)) == pytest.approx(1)
    assert float(giou(a, a + torch.tensor([10.0, 0, 0, 0]))) == pytest.approx(0)
    assert float(giou(a, a + torch.tensor([30.0, 0, 0, 0]))) == pytest.approx(-0.5)
    truth, counts = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    truth[0, 1, 1] = 1
    right = torch.where(truth == 1, 9.0, -9.0)
    assert float(middles_loss(right, truth, counts)) < 0.001
    assert float(middles_loss(-right, truth, counts)) > 50
    assert float(middles_loss(-right, truth, counts * 0)) == 0


def test_photographs_are_found_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    cv2.imwrite(str(tmp_path / "inner" / "wall.png"), np.full((900, 1280, 3), 50, np.uint8))
    (found,) = photographs(tmp_path)
    assert found.shape == (450, 640, 3)
    assert photographs(None) == []


@pytest.mark.slow
def test_trains_and_exports(cache: Path, tmp_path: Path) -> None:
    model = tmp_path / "heads.safetensors"
    code, shown, _ = answer(
        "train", "heads", "--data", str(cache.parent / "data"),
        "--landmarks", str(cache.parent / "marks.npz"), "--out", str(tmp_path / "run"),
        "--export", str(model), "--steps", "4", "--batch", "2", "--size", "64",
        "--threads", "1", "--accelerator", "cpu", "--set", "sides=[64,96]", "--held-out", "1",
        "--set", "model.widths=[4,4,6,6,8]", "--set", "model.pyramid=6", "--set", "model.blocks=1", "-q",
    )  # fmt: skip
    assert code == 0
    assert "false alarms" in shown
    found = describe(model)
    assert (found.kind, found.architecture) == ("heads", "head-finder")
    assert isinstance(load(found), HeadFinder)


@pytest.mark.slow
def test_sides_that_do_not_fit(cache: Path, tmp_path: Path) -> None:
    code, _, said = answer(
        "train", "heads", "--cache", str(cache), "--out", str(tmp_path), "--set", "sides=[100]", "-q"
    )
    assert code == 2 and "multiples of 32" in said
