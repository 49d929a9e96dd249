"""References cleaned of what coding did to them: the network, its training, what is made with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from training_clips import TINY, people

from neurocodec.bench import untrained
from neurocodec.commands.main import main
from neurocodec.datasets.clips import find_clips
from neurocodec.errors import InputError, UsageError
from neurocodec.models.model_files import find, load
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.networks.restore import Restorer
from neurocodec.networks.talk import Talk, TalkConfig
from neurocodec.training.config import Data, MotionConfig, parse, read
from neurocodec.training.frame_cache import build_cache
from neurocodec.training.frame_pairs import FramePairs
from neurocodec.training.motion import run
from neurocodec.training.restoration import CodedPairs
from neurocodec.training.setup import Files

SHAPE = TalkConfig(size=64, num_tps=4, keypoint_width=4, motion_width=4, generator_width=4)
QUICK = ["--set", "piece=64", "--set", "width=4", "--batch", "4", "--held-out", "1", "-q"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restoration")
    people(folder / "data")
    data = Data(size=64, stride=2, references=9, crf_from=55, crf_to=63)
    build_cache(find_clips(folder / "data"), folder / "cache", data)
    return folder / "cache"


@pytest.fixture(scope="module")
def trained(cache: Path) -> tuple[Path, str]:
    """A small model with a restorer that has learned for a few steps, and what the command said."""
    folder = cache.parent
    base = untrained.write(folder, SHAPE)
    command = [
        "train", "references", "--cache", str(cache), "--out", str(folder / "run"), "--steps", "200", *QUICK,
        "--rate", "2e-3", "--model", str(base.path), "--name", "cleaner",
        "--export", str(folder / "cleaner.safetensors"),
    ]  # fmt: skip
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    return folder / "cleaner.safetensors", done.output


def test_an_untrained_restorer_changes_nothing() -> None:
    pictures = torch.rand(2, 3, 40, 40)
    torch.testing.assert_close(Restorer(4)(pictures), pictures)


def test_chains_of_references_stand_in_order_of_time(cache: Path) -> None:
    rows, coded = np.load(cache / "reference_of.npy"), np.load(cache / "references.npy")
    frames = np.load(cache / "frames.npy")
    assert len(rows) == len(coded) == 9 * len(find_clips(cache.parent / "data"))
    assert (np.diff(rows) >= 0).all()
    off = np.abs(coded.astype(int) - frames[rows]).mean((1, 2, 3))
    assert (off > 0).all()
    assert off.max() < 40


def test_pieces_are_of_one_place(cache: Path) -> None:
    pairs = CodedPairs(cache, {"person0"})
    coded, true = pairs.pieces(6, 32, 0.0, np.random.default_rng(0))
    assert coded.shape == true.shape == (6, 3, 32, 32)
    other = true.roll(1, 0)
    assert (coded - true).abs().mean() < 0.5 * (coded - other).abs().mean()
    same, clean = pairs.pieces(6, 32, 1.0, np.random.default_rng(0))
    torch.testing.assert_close(same, clean)
    with pytest.raises(InputError, match="people that are wanted"):
        CodedPairs(cache, {"nobody"})
    with pytest.raises(InputError, match="no coded references"):
        CodedPairs(cache.parent, {"person0"})


@pytest.mark.slow
def test_training_brings_references_nearer_to_what_they_were(trained: tuple[Path, str], cache: Path) -> None:
    """Pixel by pixel, which is all that it learns without the weights of perceptual losses."""
    path, said = trained
    line = next(x for x in said.splitlines() if "restored" in x)
    before, after = (float(line.split(f"{word} ")[1].split(",")[0]) for word in ("coded", "restored"))
    assert 0 < before < 1 and 0 < after < 1 and before != after
    model = find(str(path), "motion")
    assert model.name == "cleaner"
    assert model.config["restorer_width"] == 4
    network = load(model)
    assert isinstance(network, Talk)
    coded, true = CodedPairs(cache, {"person0", "person1"}).pieces(32, 64, 0.0, np.random.default_rng(1))
    with torch.inference_mode():
        off = [float((x - true).abs().mean()) for x in (coded, network.restored(coded))]
    assert off[1] < 0.995 * off[0]


def test_a_model_cleans_its_references(trained: tuple[Path, str], cache: Path) -> None:
    """What is rendered changes; keypoints of references, which are coded against, do not."""
    path, _ = trained
    plain, cleaning = (
        MotionEngine(untrained.write(path.parent, SHAPE)),
        MotionEngine(find(str(path), "motion")),
    )
    picture = np.load(cache / "references.npy")[0]
    references = [engine.reference(picture) for engine in (plain, cleaning)]
    np.testing.assert_array_equal(references[0].picture, references[1].picture)
    np.testing.assert_allclose(references[0].keypoints, references[1].keypoints, atol=1e-5)
    some = references[0].keypoints[None]
    a, b = (e.render([r], some) for e, r in zip((plain, cleaning), references, strict=True))
    assert (a != b).any()


@pytest.mark.slow
def test_motion_is_trained_on_cleaned_references(trained: tuple[Path, str], cache: Path) -> None:
    path, _ = trained
    folder = cache.parent
    (folder / "tiny.toml").write_text(TINY)
    settings = ("optimizer.steps=2", "model.restorer_width=4", "augment.compressed=1")
    config = read(MotionConfig, folder / "tiny.toml", [parse(s) for s in settings])
    config.model.update({k: v for k, v in SHAPE.as_dict().items() if k != "restorer_width"})
    files = Files(folder / "motion", cache=cache, init=path)
    run(config, files, None, quiet=True)
    cleaned = np.load(cache / "restored.npy")
    coded = np.load(cache / "references.npy")
    assert cleaned.shape == coded.shape
    assert (cleaned != coded).any()
    network = load(find(str(path), "motion"))
    assert isinstance(network, Talk)
    with torch.inference_mode():
        one = network.restored(torch.from_numpy(coded[3:4]).permute(0, 3, 1, 2).float() / 255)
    wanted = one.mul(255).round().byte()[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(cleaned[3].astype(int) - wanted).max() <= 1
    batch = FramePairs(cache, references="restored").sample(3, np.random.default_rng(0), 1.0)
    for picture in batch.reference.numpy():
        assert (cleaned == picture).all((1, 2, 3)).any()
    state = torch.load(folder / "motion" / "state.pt", weights_only=True)
    for name, tensor in network.state_dict().items():
        if name.startswith("restorer."):
            torch.testing.assert_close(state["model"][name], tensor)
    written = (cache / "restored.npy").stat().st_mtime_ns
    run(config, files, None, quiet=True)
    assert (cache / "restored.npy").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--set", "piece=40"], "piece"),
        (["--set", "width=0"], "width"),
        (["--init", "nowhere.pt"], "no weights"),
    ],
)
def test_what_cannot_be(cache: Path, tmp_path: Path, settings: list[str], words: str) -> None:
    start = ["train", "references", "--cache", str(cache), "--out", str(tmp_path / "out"), "-q"]
    done = CliRunner().invoke(main, [*start, *settings])
    assert done.exit_code != 0
    assert isinstance(done.exception, UsageError | InputError | SystemExit)
    assert words in f"{done.output}{done.exception}"
