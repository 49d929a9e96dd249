"""Training of the motion model: resuming, processes, losses, export."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_clips import TINY, people

from neurocodec import decode, encode, probe
from neurocodec.commands.main import main
from neurocodec.errors import InputError, UnsupportedError, UsageError
from neurocodec.keypoints.transform import BASIS_ONE
from neurocodec.networks.talk import Talk
from neurocodec.training import state as states
from neurocodec.training.augment import moved, prepare, similarities, transform
from neurocodec.training.config import Machine, MotionConfig, Optimizer, parse, read
from neurocodec.training.export import export, landmark_basis, one_each, trajectories
from neurocodec.training.frame_cache import build_cache, split_people
from neurocodec.training.frame_pairs import Batch, FramePairs
from neurocodec.training.loop import learning_rate
from neurocodec.training.losses import PerceptualLosses, normalized_distance
from neurocodec.training.motion import MotionTask, run, talk_config, untrained
from neurocodec.training.motion_sheet import COLUMNS
from neurocodec.training.setup import Files

STEPS = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, a configuration, and a training of STEPS steps in one go (``whole``)."""
    folder = tmp_path_factory.mktemp("training")
    people(folder / "data")
    (folder / "tiny.toml").write_text(TINY)
    run(config(folder), Files(folder / "whole", folder / "data"), folder / "tiny.safetensors", quiet=True)
    return folder


def config(folder: Path, *settings: str) -> MotionConfig:
    chosen = (f"optimizer.steps={STEPS}", *settings)
    return read(MotionConfig, folder / "tiny.toml", [parse(s) for s in chosen])


def command(folder: Path, out: str, *more: str) -> list[str]:
    return [
        "train", "motion", "--config", str(folder / "tiny.toml"), "--cache", str(folder / "whole" / "cache"),
        "--out", str(folder / out), "--steps", str(STEPS), "-q", *more,
    ]  # fmt: skip


def same(a: Path, b: Path) -> bool:
    """Whether two states hold the same weights, averages and optimizer, bit for bit."""
    first, second = (torch.load(p / states.STATE, weights_only=True) for p in (a, b))
    assert first["step"] == second["step"]
    pairs = [(first[k][n], second[k][n]) for k in ("model", "ema") for n in first[k]]
    held, other = first["optimizer"]["state"], second["optimizer"]["state"]
    if held.keys() != other.keys():  # parameters that no step has touched yet have none
        return False
    for number, moments in held.items():
        pairs += [(moments[n], other[number][n]) for n in moments]
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_bit_for_bit(place: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "neurocodec", *command(place, "halves")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    state = place / "halves" / states.STATE
    began = time.time()
    while not state.exists() and time.time() - began < 400:
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert states.load(state)["step"] < STEPS
    run(config(place), Files(place / "halves", cache=place / "whole" / "cache"), None, quiet=True)
    assert same(place / "whole", place / "halves")


@pytest.mark.slow
def test_another_seed_is_another_training(place: Path) -> None:
    for seed in (1, 2):
        files = Files(place / f"seed{seed}", cache=place / "whole" / "cache")
        run(config(place, f"optimizer.seed={seed}", "optimizer.steps=1"), files, None, quiet=True)
    assert not same(place / "seed1", place / "seed2")


def test_a_signal_ends_it_with_its_state(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    batch = MotionTask.batch

    def interrupted(self: MotionTask, *arguments: Any) -> Any:
        seen.append(1)
        if len(seen) == 3:
            signal.raise_signal(signal.SIGTERM)
        return batch(self, *arguments)

    monkeypatch.setattr(MotionTask, "batch", interrupted)
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(-1))
    try:
        run(config(place), Files(place / "stopped", cache=place / "whole" / "cache"), None, quiet=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [1, 1, 1, -1]
    assert states.load(place / "stopped" / states.STATE)["step"] == 3


@pytest.mark.slow
def test_two_processes_keep_the_same_weights(place: Path, tmp_path: Path) -> None:
    script = tmp_path / "both.py"
    script.write_text(
        "import os, sys, torch\n"
        "from pathlib import Path\n"
        "from neurocodec.training import loop, motion\n"
        "from neurocodec.training.setup import Files\n"
        "from neurocodec.training.config import MotionConfig, parse, read\n"
        "train = loop.train\n"
        "def kept(task, *a, **k):\n"
        "    average = train(task, *a, **k)\n"
        "    torch.save({n: p.detach() for n, p in task.network.named_parameters()},\n"
        "               sys.argv[3] + os.environ['RANK'])\n"
        "    return average\n"
        "loop.train = kept\n"
        "config = read(MotionConfig, Path(sys.argv[1]), [parse('optimizer.steps=2')])\n"
        "motion.run(config, Files(Path(sys.argv[2]), cache=Path(sys.argv[4])), None, True)\n"
    )
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0",
            "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", str(script),
            str(place / "tiny.toml"), str(place / "both"), str(tmp_path / "rank"),
            str(place / "whole" / "cache"),
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(f"{tmp_path}/rank{k}", weights_only=True) for k in (0, 1))
    assert all(torch.equal(first[n], second[n]) for n in first)
    alone = Files(place / "single", cache=place / "whole" / "cache")
    run(config(place, "optimizer.steps=2"), alone, None, quiet=True)
    single = states.load(place / "single" / states.STATE)["model"]
    assert any(not torch.equal(single[n], first[n]) for n in first)  # the second one's samples count


def test_what_a_training_leaves(place: Path) -> None:
    lines = [json.loads(x) for x in (place / "whole" / "log.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines] == [2, 4, 6]
    assert {"perceptual", "gradients", "pixel", "rate", "ties", "equivariance"} <= lines[0].keys()
    assert all(np.isfinite(x["loss"]) and x["speed"] > 0 for x in lines)
    assert list((place / "whole" / "tensorboard").glob("events*"))
    sheet = cv2.imread(str(place / "whole" / "sheet.png"))
    assert sheet.shape == (8 * 64, len(COLUMNS) * 64, 3)
    assert sheet[:, 2 * 64 : 3 * 64].std() > 10


@pytest.mark.slow
def test_validation_codes_other_peoples_clips(place: Path, tmp_path: Path) -> None:
    people(tmp_path / "others", 2, 10)
    settings = [
        "--data", str(place / "data"), "--validate", str(tmp_path / "others"), "--validate-every", "2",
        "--set", "optimizer.steps=4", "--set", "watch.validate_seconds=0.3",
    ]  # fmt: skip
    arguments = [*command(place, "validated"), *settings]
    arguments[arguments.index("--steps") + 1] = "4"
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert not stop.value.code
    noted = [json.loads(x) for x in (place / "validated" / "validation.jsonl").read_text().splitlines()]
    assert [x["step"] for x in noted] == [2, 4]
    for figures in noted:
        assert 1 < figures["kbps"] < 1000
        assert 5 < figures["psnr"] < 60
        assert 0 < figures["perceptual"] < 1
    assert noted[0]["psnr"] != noted[1]["psnr"]  # of the weights as they were then


def test_exported_model_codes_a_clip(place: Path) -> None:
    source = io.BytesIO()
    from fractions import Fraction

    from neurocodec.datasets.clips import first_seconds
    from neurocodec.measure.clips import lossless

    frames, _ = first_seconds(place / "data" / "person0" / "clip", 64, 10)
    source = lossless(np.stack(frames), Fraction(25))
    model = str(place / "tiny.safetensors")
    encode(source, place / "a.nfc", model=model, force=True)
    info = probe(place / "a.nfc")
    assert (info.model, info.frames, info.model_size, info.keypoints) == ("tiny", len(frames), 64, 10)
    report = decode(place / "a.nfc", place / "a.mp4", model=model, force=True)
    assert report.frames == len(frames)


def test_exported_basis_is_of_the_clips_keypoints(place: Path) -> None:
    from safetensors.torch import load_file

    from neurocodec.datasets.clips import find_clips

    tensors = load_file(place / "tiny.safetensors")
    basis = tensors["landmark_basis"].double().numpy() / BASIS_ONE
    assert np.allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-3)
    network = Talk(talk_config(config(place).model))
    states.fill(network, {k: v.float() for k, v in tensors.items() if k != "landmark_basis"}, "it")
    clips = find_clips(place / "data")
    assert sorted(c.identity for c in one_each(clips, 9)) == ["person0", "person1"]
    assert len(one_each(clips, 1)) == 1
    paths = trajectories(network.eval(), one_each(clips, 2))
    assert (landmark_basis(paths) == tensors["landmark_basis"].numpy()).all()
    variance = np.var(np.concatenate([(t[15:] - t[:-15]) @ basis.T for t in paths]), axis=0)
    assert variance[0] == variance.max()
    average = states.load(place / "whole" / states.STATE)["ema"]
    name = "generator.head.weight"
    assert torch.equal(tensors[name], average[name].half())


def test_state_of_the_older_training(place: Path) -> None:
    """It has a basis and random states, and no recipe; its weights are the same."""
    content = torch.load(place / "whole" / states.STATE, weights_only=True)
    del content["recipe"]
    for key in ("model", "ema"):
        content[key]["landmark_basis"] = torch.eye(20, dtype=torch.int16)
    content |= {"rng": torch.Generator().get_state(), "np_rng": json.dumps({"bit_generator": "PCG64"})}
    old = place / "old.pt"
    torch.save(content, old)
    with pytest.raises(SystemExit) as stop:
        main(
            ["train", "export", str(old), str(place / "old.safetensors"), "--data", str(place / "data"),
             "--config", str(place / "tiny.toml"), "--threads", "1"]
        )  # fmt: skip
    assert stop.value.code == 0
    assert (place / "old.safetensors").read_bytes() == (place / "tiny.safetensors").read_bytes()
    first = untrained(talk_config(config(place).model))
    states.fill(first, states.weights_of(old), old)
    assert torch.equal(first.generator.head.weight, content["ema"]["generator.head.weight"])
    run(
        config(place, "optimizer.steps=1", "optimizer.rate=0", "augment.pairs=1"),
        Files(place / "more", cache=place / "whole" / "cache", init=old), None, quiet=True,
    )  # fmt: skip
    more = states.load(place / "more" / states.STATE)["model"]
    assert torch.equal(more["generator.head.weight"], content["ema"]["generator.head.weight"])


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--data", "{}/empty"], 3, "no clips"),
        (["--data", "{}/nowhere"], 3, "no folder"),
        (["--cache", "{}/data"], 3, "no folder of decoded clips"),
        ([], 2, "--data"),
        (["--cache", "{}/whole/cache", "--accelerator", "cuda"], 5, "CUDA"),
        (["--cache", "{}/whole/cache", "--init", "{}/tiny.toml"], 3, "not the state"),
        (["--cache", "{}/whole/cache", "--export", "{}/tiny.safetensors"], 6, "exists"),
        (["--cache", "{}/whole/cache", "--export", "{}/new.pt"], 2, "safetensors"),
        (["--cache", "{}/whole/cache", "--set", "model.num_tps=3", "--init", "{}/whole"], 3, "another model"),
        (["--cache", "{}/whole/cache", "--set", "model.size=70"], 2, "no motion model"),
        (["--cache", "{}/whole/cache", "--lpips-squeeze", "{}/tiny.safetensors"], 3, "weights of this loss"),
        (["--cache", "{}/whole/cache", "--held-out", "2"], 3, "nobody is left"),
        (["--cache", "{}/whole/cache", "--set", "machine.precision=8"], 2, "precision"),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    place: Path, options: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--accelerator" in options and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    (place / "empty").mkdir(exist_ok=True)
    arguments = [
        "train", "motion", "--config", str(place / "tiny.toml"), "--out", str(place / "failed"), "-q",
        "--steps", "1", *(o.format(place) for o in options),
    ]  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    shown = capsys.readouterr().err
    assert stop.value.code == code, shown
    assert said in shown
    assert "Traceback" not in shown
    assert shown.count("neurocodec: error:") == 1


def test_state_of_another_model_is_not_gone_on_from(place: Path) -> None:
    with pytest.raises(InputError, match="another model"):
        run(
            config(place, "model.num_tps=3", "optimizer.steps=9"),
            Files(place / "whole", cache=place / "whole" / "cache"), None, quiet=True,
        )  # fmt: skip


def test_every_part_learns(place: Path) -> None:
    torch.manual_seed(0)
    task = objective(place)
    total, figures = task(*task.batch(*states.generators(1, 0, 0)))
    total.backward()
    still = [n for n, p in task.network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still
    assert total.isfinite()
    assert figures["rate"] > 0


def objective(place: Path, *settings: str) -> MotionTask:
    chosen = config(place, "augment.pairs=1", *settings)
    pairs = FramePairs(place / "whole" / "cache")
    return MotionTask(chosen, Files(place), pairs, pairs, torch.device("cpu"))


def test_quantization_noise_grows_with_coarseness(place: Path) -> None:
    """The same step, with keypoints rounded coarsely and finely: the picture moves as much more."""
    pictures = {}
    for q in (5.0, 1e6):
        torch.manual_seed(0)
        task = objective(place, f"augment.coarsest={q}", f"augment.finest={q}")
        seen: list[torch.Tensor] = []
        details = task.network.render_details

        def spy(references: Any, keypoints: torch.Tensor, into: Any = seen, call: Any = details) -> Any:
            into.append(keypoints.detach())
            return call(references, keypoints)

        task.network.render_details = spy  # type: ignore[method-assign]
        task(*task.batch(*states.generators(1, 0, 0)))
        pictures[q] = seen[0]
    error = (pictures[5.0] - pictures[1e6]).abs()
    assert 0.07 < float(error.max()) <= 0.1 + 1e-4
    assert 0.03 < float(error.mean()) < 0.07


def test_keypoints_of_a_training_in_bfloat16_are_as_exact_as_any(place: Path) -> None:
    task = objective(place)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    theta = similarities(2, 0.25, torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        keypoints, bent = task.network.keypoints(pictures), transform(pictures, theta)
    assert keypoints.dtype == torch.float32
    assert (keypoints != keypoints.bfloat16()).float().mean() > 0.9
    torch.testing.assert_close(bent, transform(pictures, theta))


def test_normalized_distance_is_that_of_features_of_length_1() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 2, 5, 6, 7, generator=generator).relu_() * 10
    b[0, :, 2] = 0  # features that are all 0 stay so
    weights = torch.rand(5, generator=generator)
    gradients = []
    for multiplied_out in (True, False):
        x = a.clone().requires_grad_()
        if multiplied_out:
            found = normalized_distance(x, b, weights)
        else:
            difference = torch.nn.functional.normalize(x, dim=1) - torch.nn.functional.normalize(b, dim=1)
            expected = (difference**2 * weights.view(1, 5, 1, 1)).sum(1, keepdim=True)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
            found = expected
        (found * torch.linspace(-1, 1, 7)).sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_networks_of_losses_are_files(place: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    convs = {"conv1": (64, 3, 3)}
    inputs = 64
    for i, (squeeze, expand) in zip(
        range(2, 10), [(16, 64)] * 2 + [(32, 128)] * 2 + [(48, 192)] * 2 + [(64, 256)] * 2, strict=True
    ):
        convs |= {f"fire{i}.squeeze": (squeeze, inputs, 1), f"fire{i}.expand1x1": (expand, squeeze, 1)}
        convs[f"fire{i}.expand3x3"] = (expand, squeeze, 3)
        inputs = 2 * expand
    tensors = {}
    for name, (o, i, k) in convs.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = (
            torch.randn(o, i, k, k) / i**0.5 / k,
            torch.zeros(o),
        )
    for k, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        tensors[f"lin{k}.weight"] = torch.rand(1, channels, 1, 1)
    save_file(tensors, tmp_path / "squeeze.safetensors")
    vgg = {}
    shapes = {"conv0": (3, 3, 1), "conv1_1": (64, 3, 3), "conv1_2": (64, 64, 3), "conv2_1": (128, 64, 3)}
    shapes |= {"conv2_2": (128, 128, 3), "conv3_1": (256, 128, 3)}
    for name, (o, i, k) in shapes.items():
        vgg[f"{name}.weight"], vgg[f"{name}.bias"] = torch.randn(o, i, k, k) / (i**0.5 * k), torch.zeros(o)
    save_file(vgg, tmp_path / "vgg.safetensors")
    task = objective(place)
    perceptual = PerceptualLosses(tmp_path / "squeeze.safetensors", tmp_path / "vgg.safetensors")
    assert perceptual.describe() == "SqueezeNet LPIPS, VGG-19"
    assert task.perceptual.describe() == "perceptual (ours), gradients"
    assert not perceptual.state_dict()
    batch = task.batch(*states.generators(1, 0, 0))
    task.perceptual = perceptual
    _, figures = task(*batch)
    assert figures["squeeze"] > 0
    assert figures["vgg"] > 0
    assert "perceptual" not in figures
    assert perceptual.squeeze is not None
    assert abs(float(perceptual.squeeze(batch[2], batch[2]))) < 1e-6
    assert perceptual.squeeze(batch[2], batch[0]) > 0


def test_references_have_been_through_the_coder(place: Path) -> None:
    pairs = FramePairs(place / "whole" / "cache")
    frames = np.load(place / "whole" / "cache" / "frames.npy")
    coded = np.load(place / "whole" / "cache" / "references.npy")
    for share, among, not_among in ((0.0, frames, coded), (1.0, coded, frames)):
        batch = pairs.sample(4, np.random.default_rng(0), share)
        for picture in (*batch.reference.numpy(), *batch.other.numpy()):
            assert (among == picture).all((1, 2, 3)).any()
            assert not (not_among == picture).all((1, 2, 3)).any()
    before, after, targets = pairs.stretch(3, np.random.default_rng(1))
    assert (coded == before.numpy()).all((1, 2, 3)).any()
    assert (coded == after.numpy()).all((1, 2, 3)).any()
    assert all((frames == t).all((1, 2, 3)).any() for t in targets.numpy())


def test_cache_is_kept_unless_something_changed(place: Path, tmp_path: Path) -> None:
    from neurocodec.datasets.clips import find_clips

    clips, data = find_clips(place / "data"), config(place).data
    data.references = 0
    build_cache(clips, tmp_path, data)
    first = (tmp_path / "frames.npy").stat().st_mtime_ns
    build_cache(clips, tmp_path, data)
    assert (tmp_path / "frames.npy").stat().st_mtime_ns == first
    data.stride = 6
    build_cache(clips, tmp_path, data)
    assert (tmp_path / "frames.npy").stat().st_mtime_ns != first
    people_of, kept = split_people(tmp_path, 1)
    assert (people_of, kept) == ({"person1"}, {"person0"})


def test_landmarks_follow_the_picture() -> None:
    """A spot in the picture is where its landmark says, after all augmentations."""
    size = 64
    picture = torch.zeros(4, size, size, 3, dtype=torch.uint8)
    picture[:, 20:25, 38:43] = 255
    marks = torch.full((4, 68, 2), 0.0)
    marks[:] = torch.tensor([(40 + 0.5) / size, (22 + 0.5) / size])
    batch = Batch(picture, picture, picture, picture, marks)
    out = prepare(batch, torch.Generator().manual_seed(3), 0.1, 40.0)
    axis = torch.arange(size) + 0.5
    for k in range(4):
        weight = out.target[k].mean(0) ** 2
        x, y = (weight.sum(0) * axis).sum() / weight.sum(), (weight.sum(1) * axis).sum() / weight.sum()
        found = out.landmarks[k, 0] * size
        assert abs(float(found[0] - x)) < 1.5, k
        assert abs(float(found[1] - y)) < 1.5, k


def test_moved_points_undo_the_transform() -> None:
    theta = similarities(3, 0.2, torch.Generator().manual_seed(0))
    points = torch.rand(3, 5, 2) - 0.5
    back = torch.einsum("bij,bnj->bni", theta[:, :, :2], moved(points, theta)) + theta[:, None, :, 2]
    assert torch.allclose(back, points, atol=1e-5)
    same_picture = transform(torch.ones(3, 1, 8, 8), theta)
    assert torch.allclose(same_picture, torch.ones_like(same_picture), atol=1e-5)


def test_learning_rate() -> None:
    settings = Optimizer(steps=100, rate=1.0, warmup=10, floor=0.1)
    rates = [learning_rate(settings, k, 0.0) for k in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates.index(max(rates)) in (8, 9)
    assert rates[99] == pytest.approx(0.1, abs=0.01)
    settings.minutes = 1.0
    assert learning_rate(settings, 50, 60.0) == pytest.approx(0.1)


def test_machine_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurocodec.training.machine import start

    with pytest.raises(UsageError, match="accelerator"):
        start(Machine(accelerator="abacus"), 1)
    with pytest.raises(UsageError, match="at least 1"):
        start(Machine(accelerator="cpu", devices=0), 1)
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(UnsupportedError, match="extra 'train'"):
        start(Machine(), 1)


def test_export_needs_clips(place: Path, tmp_path: Path) -> None:
    weights = states.weights_of(place / "whole")
    with pytest.raises(InputError, match="landmark basis"):
        export(weights, talk_config(config(place).model), tmp_path / "x.safetensors", name="x", clips=[])


@pytest.mark.slow
def test_compiled(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced by torch.compile (no code is generated, which takes minutes), it is the same training."""
    compiled: list[str] = []
    whole = torch.nn.Module.compile

    def traced(self: torch.nn.Module) -> None:
        compiled.append(type(self).__name__)
        whole(self, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    cache = place / "whole" / "cache"
    for name, on in (("compiled", "true"), ("plain", "false")):
        chosen = config(place, "optimizer.steps=1", f"machine.compile={on}", "watch.sheet=0")
        run(chosen, Files(place / name, cache=cache), None, quiet=True)
    assert sorted(compiled) == ["Generator", "KeypointNet", "MotionNet"]
    a, b = (states.load(place / n / states.STATE)["model"] for n in ("compiled", "plain"))
    assert a.keys() == b.keys()
    assert all(torch.allclose(a[n].float(), b[n].float(), atol=2e-3) for n in a)
