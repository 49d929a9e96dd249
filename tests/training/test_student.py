"""Training of the light motion model: galleries, close-ups, a short run, the exported model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import answer
from safetensors.torch import load_file
from training_clips import people

from neurocodec import decode, encode
from neurocodec.bench import untrained
from neurocodec.errors import UsageError
from neurocodec.models.model_files import describe, load, save
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.networks.talk import TalkConfig
from neurocodec.training.augment import prepare_gallery
from neurocodec.training.config import Data, StudentConfig, parse, read
from neurocodec.training.frame_cache import build_cache, extremeness, read_pairs
from neurocodec.training.galleries import Galleries
from neurocodec.training.setup import Files
from neurocodec.training.student import close_ups, closely, run, swift_config

TINY = """
name = "tinyswift"
targets = 2
[model]
size = 64
num_tps = 3
keypoint_width = 4
reference_width = 8
motion_width = 8
generator_width = 8
deep_width = 8
fine_width = 8
[data]
size = 64
stride = 3
references = 3
held_out = 0
[optimizer]
steps = 4
batch = 4
warmup = 2
[machine]
accelerator = "cpu"
threads = 1
precision = "32-true"
[loss]
flow = 1.0
[watch]
log = 2
save = 2
sheet = 4
"""


def landmarks(eyes: float = 0.3, mouth: float = 0.4) -> np.ndarray:
    """68 points of a face whose eyes and mouth are so far open."""
    points = np.full((68, 2), 0.5, np.float32)
    for first, x in ((36, 0.35), (42, 0.65)):
        points[first : first + 6] = [(x, 0.4)] * 6
        points[first, 0], points[first + 3, 0] = x - 0.05, x + 0.05
        for k, sign in ((1, -1), (2, -1), (4, 1), (5, 1)):
            points[first + k, 1] = 0.4 + sign * 0.05 * eyes
    points[48:] = 0.5, 0.7
    points[48], points[54] = (0.4, 0.7), (0.6, 0.7)
    points[51], points[57] = (0.5, 0.7 - 0.1 * mouth), (0.5, 0.7 + 0.1 * mouth)
    return points


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips, a configuration, an untrained teacher, a cache."""
    folder = tmp_path_factory.mktemp("student")
    people(folder / "data")
    (folder / "tiny.toml").write_text(TINY)
    widths = {"keypoint_width": 4, "motion_width": 4, "generator_width": 4}
    untrained.write(folder / "teacher", TalkConfig(size=64, num_tps=3, **widths))
    return folder


def config(folder: Path, *settings: str) -> StudentConfig:
    made = read(StudentConfig, folder / "tiny.toml", [parse(s) for s in settings])
    made.teacher = str(next((folder / "teacher").glob("*.safetensors")))
    return made


def test_extremes_are_closed_eyes_and_open_mouths() -> None:
    clip = np.stack([landmarks(), landmarks(), landmarks(eyes=0.05), landmarks(mouth=0.9), landmarks()])
    found = extremeness(clip)
    assert found[:, 0].argmax() == 2 and found[:, 1].argmax() == 3
    assert (found[[0, 1, 4]] == 0).all() and found[2, 1] == 0 and found[3, 0] == 0
    assert (extremeness(np.full((4, 68, 2), np.nan, np.float32)) == 0).all()


def test_extremes_are_kept_and_drawn_more_often(place: Path, tmp_path: Path) -> None:
    clip = place / "data" / "person0" / "clip"
    marks = np.stack([landmarks(eyes=0.02 if k == 7 else 0.3) for k in range(18)])
    plain = read_pairs(clip, 64, 6, landmarks=marks)
    with_extremes = read_pairs(clip, 64, 6, landmarks=marks, extremes=2)
    assert len(with_extremes[0]) >= len(plain[0])
    data = Data(size=64, stride=2, references=2, extremes=2)
    from neurocodec.datasets.clips import find_clips

    npz = tmp_path / "marks.npz"
    np.savez(npz, clip=np.round(marks * 16384 + 16384).astype(np.uint16))
    cache = tmp_path / "cache"
    build_cache(find_clips(place / "data"), cache, data, npz)
    galleries = Galleries(cache)
    rng = np.random.default_rng(0)
    drawn = [galleries.sample(1, 2, 1, rng, 0.5).landmarks[0, 0].numpy() for _ in range(200)]
    closed = np.mean([extremeness(np.stack([landmarks(), landmarks(), d]))[2, 0] > 0 for d in drawn])
    assert closed > 3 / 18  # one frame in eighteen


def test_a_gallery_is_of_one_clip(place: Path, tmp_path: Path) -> None:
    from neurocodec.datasets.clips import find_clips

    build_cache(find_clips(place / "data"), tmp_path / "cache", Data(size=64, stride=3, references=4))
    galleries = Galleries(tmp_path / "cache")
    found = galleries.sample(3, 3, 2, np.random.default_rng(1), 1.0)
    assert found.references.shape == found.originals.shape == (3, 3, 64, 64, 3)
    assert found.targets.shape == (3, 2, 64, 64, 3) and found.landmarks.shape == (3, 2, 68, 2)
    # a corner of the ground is the same in all pictures of a person, and differs between people
    for k in range(3):
        corners = torch.cat([found.originals[k], found.targets[k]])[:, :4, :4].float().mean((1, 2))
        assert (corners - corners[0]).abs().max() < 30
    ready = prepare_gallery(found, torch.Generator().manual_seed(1), 0.1, 40.0, 1.0)
    assert ready.references.shape == (3, 3, 3, 64, 64)
    assert float(ready.references.min()) >= 0 and float(ready.references.max()) <= 1


def test_close_ups_show_eyes_and_mouth() -> None:
    marks = torch.from_numpy(landmarks())[None]
    pictures = torch.zeros(1, 3, 200, 200)
    for k, (x, y) in enumerate(((70, 80), (130, 80), (100, 140))):
        pictures[0, k, y - 3 : y + 3, x - 3 : x + 3] = 1
    seen = closely(pictures, close_ups(marks))
    assert seen.shape == (3, 3, 64, 64)
    for part in range(3):  # left eye, right eye, mouth: each in a colour of its own, in the middle
        middle = seen[part, :, 28:36, 28:36].mean((1, 2))
        assert int(middle.argmax()) == part and middle.max() > 0.2
    assert torch.isfinite(close_ups(torch.full((2, 68, 2), torch.nan))).all()


@pytest.mark.slow
def test_trains_exports_and_codes(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "swift.safetensors"
    files = Files(tmp_path / "run", place / "data")
    lines = run(config(place), files, out, quiet=True)
    assert "2 people" in lines[0] and str(out) in lines[-1]
    assert (tmp_path / "run" / "sheet.png").is_file()
    model = describe(out)
    assert (model.architecture, model.size, model.keypoints) == ("swift", 64, 15)
    teacher = describe(Path(config(place).teacher))
    mine, theirs = load(model), load(teacher)
    assert torch.equal(mine.landmark_basis, theirs.landmark_basis)  # type: ignore[arg-type]
    pictures = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), np.uint8)
    found = [MotionEngine(m, "cpu", 1).keypoints(pictures) for m in (model, teacher)]
    assert np.abs(found[0] - found[1]).max() < 1e-5
    from clips import cut
    from places import SAMPLES

    source = cut(SAMPLES / "astronaut.mp4", tmp_path / "six.mp4", 6)
    encode(source, tmp_path / "six.nfc", model=str(out), audio="none")
    report = decode(tmp_path / "six.nfc", tmp_path / "back.mp4", model=str(out))
    assert report.frames == 6
    # its state can be exported later as well, with its teacher's keypoints
    later = tmp_path / "later.safetensors"
    code, shown, _ = answer(
        "train", "export", str(tmp_path / "run"), str(later), "--data", str(place / "data")
    )
    assert code == 0 and str(later) in shown
    assert describe(later).hash == model.hash
    # weights to start from may lack what is the teacher's
    tensors = {k: v for k, v in load_file(out).items() if not k.startswith("keypoint_net")}
    part = save(
        tmp_path / "part.safetensors", tensors, name="part", architecture="swift", size=64, keypoints=15,
        config=model.config, half=True,
    )  # fmt: skip
    run(config(place, "optimizer.steps=1"), Files(tmp_path / "b", place / "data", init=part.path), None, True)
    # it goes on where it stopped, and without its teacher's flow
    again = run(config(place, "optimizer.steps=6", "loss.flow=0"), files, None, quiet=True)
    assert "losses" in again[0]


def test_shapes_that_cannot_be() -> None:
    for fields in ({"num_tps": 2}, {"size": 50}, {"breadth": 3}):
        with pytest.raises(UsageError, match="makes no motion model"):
            swift_config(fields)
