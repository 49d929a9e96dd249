"""Training of feedback networks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import answer
from numpy.typing import NDArray
from training_clips import face, people

from neurocodec.models.feedback import open_feedback
from neurocodec.models.model_files import find
from neurocodec.training import renderings as samples
from neurocodec.training.config import Data
from neurocodec.training.frame_cache import build_cache
from neurocodec.training.frame_pairs import FramePairs


def grainy(seed: int) -> NDArray[np.uint8]:
    """A drawn face with a fine grain (256,256,3)."""
    noise = np.random.default_rng(seed).normal(0, 25, (256, 256, 3))
    return np.clip(face(256, seed, seed) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The original's layout: blurred and sharp faces, other ones to test on."""
    folder = tmp_path_factory.mktemp("classes")
    for part, seeds in (("train", range(6)), ("test", range(20, 24))):
        for seed in seeds:
            picture = grainy(seed)
            for name, shown in (("distorted", cv2.GaussianBlur(picture, (0, 0), 6)), ("real", picture)):
                (folder / part / name).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / part / name / f"{seed}.png"), shown[..., ::-1])
    return folder


@pytest.mark.slow
def test_the_originals_layout(classes: Path, tmp_path: Path) -> None:
    model = tmp_path / "classic.safetensors"
    code, shown, _ = answer(
        "train", "feedback", "--train_path", str(classes / "train"), "--test_path", str(classes / "test"),
        "--out", str(tmp_path / "run"), "--steps", "30", "--batch", "8", "--threads", "1",
        "--accelerator", "cpu", "--set", "optimizer.average=0.5", "--set", "optimizer.warmup=1",
        "--export", str(model), "-q",
    )  # fmt: skip
    assert code == 0
    assert "distorted (0): 'distorted', real (1): 'real'" in shown
    low, high = (float(shown.split(f"score_of_{k} ")[1].split()[0].strip(",")) for k in ("distorted", "real"))
    assert high > low + 0.05
    network = open_feedback(find(str(model), "feedback"), "cpu")
    sharp = grainy(30)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 6), np.uint8)
    good, bad = network(np.stack([sharp, blurred]), [sharp, sharp])
    assert 1 >= good > bad >= 0
    pair = network(np.stack([sharp, blurred]), [blurred, blurred])
    assert list(pair) == [good, bad]  # the original is not looked at
    alone = network(blurred[None], [blurred])[0]
    assert alone == pytest.approx(bad, abs=1e-4)  # a batch of another size is added up in another order
    assert network.description.architecture == "classic-feedback"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--train_path", "{}/train"], 2, "--test_path"),
        (["--train_path", "{}/train", "--test_path", "{}/nowhere"], 3, "no folder"),
        (["--train_path", "{}", "--test_path", "{}"], 3, "no pictures"),
        (["--train_path", "{}/train/real", "--test_path", "{}/test"], 3, "0 class folders"),
        ([], 2, "--train_path"),
        (["--train_path", "{}/train", "--test_path", "{}/test", "--set", "optimizer.batch=0"], 2, "batch"),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    classes: Path,
    tmp_path: Path,
    options: list[str],
    code: int,
    said: str,
) -> None:
    (classes / "empty").mkdir(exist_ok=True)
    if options[1:2] == ["{}"] and options[0] == "--train_path":
        two = tmp_path / "two"
        for name in ("a", "b"):
            (two / name).mkdir(parents=True)
        options = [o.replace("{}", str(two)) for o in options]
    arguments = ["--out", str(tmp_path / "out"), "-q", *(o.format(classes) for o in options)]
    exit_code, _, shown = answer("train", "feedback", *arguments)
    assert exit_code == code
    assert said in shown
    assert shown.count("neurocodec: error:") == 1
    assert "Traceback" not in shown


def test_pictures_of_a_sample_are_varied_alike() -> None:
    """A picture of numbered places shows what became of each: the same in all pictures."""
    places = np.arange(256, dtype=np.uint8)
    map_of = np.stack([*np.meshgrid(places, places), np.full((256, 256), 128, np.uint8)], 2)
    other = np.random.default_rng(3).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    rng = np.random.default_rng(5)
    orders = set()
    for _ in range(20):
        state = rng.bit_generator.state
        first, second, third = samples.varied([map_of, other, map_of], rng)
        assert first.shape == second.shape == (256, 256, 3)
        assert (first == third).all()
        rng.bit_generator.state = state
        alone = samples.varied([other], rng)[0]
        assert (second == alone).all()
        flat = [k for k in range(3) if np.ptp(first[..., k]) == 0]
        assert len(flat) == 1
        orders.add(flat[0])
        sides = [len(np.unique(first[..., k])) for k in range(3) if k not in flat]
        assert min(sides) > 60
    assert len(orders) > 1


def test_sharpening() -> None:
    picture = cv2.GaussianBlur(grainy(3), (0, 0), 1.5).astype(np.uint8)
    assert (samples.sharper(picture, 0) == picture).all()
    steps = [np.abs(np.diff(samples.sharper(picture, x).astype(float), axis=1)).mean() for x in (0, 0.4, 0.9)]
    assert steps[0] < steps[1] < steps[2]
    assert (samples.sharper(np.full((8, 8, 3), 7, np.uint8), 0.9) == 7).all()


@pytest.mark.slow
def test_samples_are_renderings_of_the_model(tmp_path: Path) -> None:
    from neurocodec.datasets.clips import find_clips
    from neurocodec.models.motion_engine import MotionEngine

    people(tmp_path / "data", 2, 8)
    build_cache(find_clips(tmp_path / "data"), tmp_path / "cache", Data(stride=2, references=3))
    engine = MotionEngine(find("talk256", "motion"), "cpu")
    made = samples.render(FramePairs(tmp_path / "cache"), 5, engine, 1)
    assert len(made.pictures) == len(made.originals) == 5
    frames = np.load(tmp_path / "cache" / "frames.npy")
    for a, b in zip(made.pictures, made.originals, strict=True):
        assert (frames == b).all((1, 2, 3)).any()
        error = np.abs(a.astype(float) - b).mean()
        assert 0 < error < np.abs(np.roll(b, 64, 1).astype(float) - b).mean()
    held = samples.render(FramePairs(tmp_path / "cache"), 2, engine, 1, held=1.0)
    assert (held.pictures[0] == held.pictures[1]).all()
    assert (held.originals[0] != held.originals[1]).any()
    other = samples.render(FramePairs(tmp_path / "cache"), 3, engine, 1, vary=1.0)
    for a, b in zip(other.pictures, other.originals, strict=True):
        assert not (frames == b).all((1, 2, 3)).any()
        assert (a != b).any()
