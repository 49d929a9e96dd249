"""Training of feedback networks; their agreement with the truth, and their cost; figures of the codec."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from safetensors.torch import save_file
from training_clips import face, frame_folder, people

from neurocodec.commands.main import main
from neurocodec.errors import InputError, UsageError
from neurocodec.models import files as models
from neurocodec.models.cost import cost_of, operations
from neurocodec.models.feedback import CountedFeedback, open_feedback
from neurocodec.training import agreement as agreements
from neurocodec.training import renderings as judged
from neurocodec.training.config import Data
from neurocodec.training.data import FramePairs, build_cache
from neurocodec.training.distance_task import LikenessObjective, LikenessTask
from neurocodec.training.evaluate import Measure, evaluate, points_of, summary
from neurocodec.training.evaluate import main as evaluate_command
from neurocodec.training.renderings import ARRAYS, Judged


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*arguments])
    code = stop.value.code
    assert isinstance(code, int)
    return code


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


def test_the_originals_layout(classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "classic.safetensors"
    code = run(
        "train", "feedback", "--train_path", str(classes / "train"), "--test_path", str(classes / "test"),
        "--out", str(tmp_path / "run"), "--steps", "30", "--batch", "8", "--threads", "1",
        "--accelerator", "cpu", "--set", "optimizer.average=0.5", "--set", "optimizer.warmup=1",
        "--export", str(model), "-q",
    )  # fmt: skip
    shown = capsys.readouterr().out
    assert code == 0
    assert "distorted (0): 'distorted', real (1): 'real'" in shown
    low, high = (float(shown.split(f"score_of_{k} ")[1].split()[0].strip(",")) for k in ("distorted", "real"))
    assert high > low + 0.05
    judge = open_feedback(models.find(str(model), "feedback"), "cpu")
    sharp = grainy(30)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 6), np.uint8)
    good, bad = judge(np.stack([sharp, blurred]), [sharp, sharp])
    assert 1 >= good > bad >= 0
    pair = judge(np.stack([sharp, blurred]), [blurred, blurred])
    assert list(pair) == [good, bad]  # the original is not looked at
    alone = judge(blurred[None], [blurred])[0]
    assert alone == pytest.approx(bad, abs=1e-4)  # a batch of another size is added up in another order
    assert judge.description.architecture == "classic-feedback"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--train_path", "{}/train"], 2, "go together"),
        (["--train_path", "{}/train", "--test_path", "{}/nowhere"], 3, "no folder"),
        (["--train_path", "{}", "--test_path", "{}"], 3, "no pictures"),
        (["--train_path", "{}/train/real", "--test_path", "{}/test"], 3, "0 class folders"),
        ([], 2, "--data"),
        (["--data", "{}"], 2, "--lpips"),
        (["--data", "{}/nowhere", "--lpips", "{}/lpips.safetensors"], 3, "no folder"),
        (["--data", "{}", "--lpips", "{}/nothing"], 3, "LPIPS"),
        (["--data", "{}", "--lpips", "{}/lpips.safetensors", "--model", "nobody"], 3, "nobody"),
        (["--data", "{}", "--set", "samples.count=3"], 2, "samples"),
        (["--data", "{}", "--set", "optimizer.batch=6"], 2, "batch"),
        (["--data", "{}", "--set", "optimizer.batch=0"], 2, "batch"),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    classes: Path,
    tmp_path: Path,
    options: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (classes / "empty").mkdir(exist_ok=True)
    save_file({"lin4.weight": torch.zeros(1)}, classes / "lpips.safetensors")
    if options[1:2] == ["{}"] and options[0] == "--train_path":
        two = tmp_path / "two"
        for name in ("a", "b"):
            (two / name).mkdir(parents=True)
        options = [o.replace("{}", str(two)) for o in options]
    arguments = ["--out", str(tmp_path / "out"), "-q", *(o.format(classes) for o in options)]
    assert run("train", "feedback", *arguments) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("neurocodec: error:") == 1
    assert "Traceback" not in shown


def invented(count: int, seed: int) -> Judged:
    """Renderings (32,32) as much darker than their original as they are said to be distant."""
    rng = np.random.default_rng(seed)
    originals = rng.integers(100, 255, (count, 4, 4, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    distances = rng.uniform(0, 0.3, count).astype(np.float32)
    renderings = (originals * (1 - 2 * distances[:, None, None, None])).astype(np.uint8)
    return Judged(dict(zip(ARRAYS, (renderings, originals, distances), strict=True)))


def test_feedback_learns_a_distance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurocodec.training import feedback as judge
    from neurocodec.training.config import FeedbackConfig, parse, read

    train, test = invented(24, 3), invented(24, 4)
    monkeypatch.setattr(judge, "samples", lambda *a: (train, test))
    settings = (
        "optimizer.steps=60", "optimizer.batch=8", "optimizer.average=0.8", "machine.threads=1",
        "machine.accelerator=cpu", "machine.precision=32-true", "watch.validate=30",
    )  # fmt: skip
    config = read(FeedbackConfig, None, [parse(s) for s in settings])
    model = tmp_path / "d.safetensors"
    lines = judge.run_feedback(config, judge.Files(tmp_path / "run"), None, model, quiet=True)
    figures = dict(pair.split(" ") for pair in lines[1].partition(": ")[2].split(", "))
    spearman = float(figures["spearman"])
    assert spearman > 0.8
    noted = [json.loads(x) for x in (tmp_path / "run" / "validation.jsonl").read_text().splitlines()]
    assert [x["step"] for x in noted] == [30, 60]
    assert noted[-1]["spearman"] == pytest.approx(spearman, abs=2e-3)
    feedback = open_feedback(models.find(str(model), "feedback"), "cpu")
    verdicts = feedback(test.renderings, list(test.originals))
    assert np.corrcoef(verdicts, test.distances)[0, 1] < -0.8
    assert feedback(test.originals, list(test.originals)) == pytest.approx(1, abs=1e-3)
    untrained = LikenessTask({}, test, test, 8, torch.device("cpu"))
    assert untrained.validate(untrained.network)["mean_error"] > 1.5 * float(figures["mean_error"])
    config.model["colour"] = 1
    with pytest.raises(UsageError, match="makes no likeness"):
        judge.run_feedback(config, judge.Files(tmp_path / "other"), None, None, quiet=True)


def test_groups_of_samples_stay_together_and_are_compared() -> None:
    some = invented(11, 5)
    some.distances = np.arange(11, dtype=np.float32)
    task = LikenessTask({}, some, some, 8, torch.device("cpu"))
    starts = set()
    for k in range(20):
        _, _, truth = task.batch(np.random.default_rng(k), torch.Generator(), k)
        groups = truth.reshape(2, 4)
        assert torch.equal(groups - groups[:, :1], torch.arange(4.0).expand(2, 4))
        starts |= set(groups[:, 0].tolist())
    assert starts == {0, 4}

    class Told(torch.nn.Module):
        """Says a distance that is in the first picture's first value."""

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a[:, 0, 0, 0]

    objective = LikenessObjective(Told())  # type: ignore[arg-type]
    truth = torch.linspace(0.1, 0.3, 8)
    for error, within in ((torch.tensor([0.1] * 4 + [-0.05] * 4), 0), (torch.tensor([0.1, 0, 0, 0] * 2), 1)):
        told = (truth + error)[:, None, None, None].expand(8, 3, 2, 2)
        loss, figures = objective(told, told, truth)
        assert figures["error"] == pytest.approx(error.abs().mean().item())
        assert (figures["within"] > 1e-3) == bool(within)
        assert loss > figures["within"]


def test_pictures_of_a_sample_are_varied_alike() -> None:
    """A picture of numbered places shows what became of each: the same in all pictures."""
    places = np.arange(256, dtype=np.uint8)
    map_of = np.stack([*np.meshgrid(places, places), np.full((256, 256), 128, np.uint8)], 2)
    other = np.random.default_rng(3).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    rng = np.random.default_rng(5)
    orders = set()
    for _ in range(20):
        state = rng.bit_generator.state
        first, second, third = judged.varied([map_of, other, map_of], rng)
        assert first.shape == second.shape == (256, 256, 3)
        assert (first == third).all()
        rng.bit_generator.state = state
        alone = judged.varied([other], rng)[0]
        assert (second == alone).all()
        flat = [k for k in range(3) if np.ptp(first[..., k]) == 0]
        assert len(flat) == 1
        orders.add(flat[0])
        sides = [len(np.unique(first[..., k])) for k in range(3) if k not in flat]
        assert min(sides) > 60
    assert len(orders) > 1


def test_sharpening() -> None:
    picture = cv2.GaussianBlur(grainy(3), (0, 0), 1.5).astype(np.uint8)
    assert (judged.sharper(picture, 0) == picture).all()
    steps = [np.abs(np.diff(judged.sharper(picture, x).astype(float), axis=1)).mean() for x in (0, 0.4, 0.9)]
    assert steps[0] < steps[1] < steps[2]
    assert (judged.sharper(np.full((8, 8, 3), 7, np.uint8), 0.9) == 7).all()


def test_samples_are_renderings_of_the_model(tmp_path: Path) -> None:
    from neurocodec.models.engine import Engine
    from neurocodec.training.clips import find_clips

    people(tmp_path / "data", 2, 8)
    build_cache(find_clips(tmp_path / "data"), tmp_path / "cache", Data(stride=2, references=3))
    engine = Engine(models.find("talk256", "motion"), "cpu")
    measured: list[tuple[Any, Any]] = []

    def distance(a: Any, b: Any) -> float:
        measured.append((a, b))
        return float(len(measured))

    made = judged.make(FramePairs(tmp_path / "cache"), 5, engine, distance, 1)
    assert made.distances.tolist() == [1, 2, 3, 4, 5]
    frames = np.load(tmp_path / "cache" / "frames.npy")
    for k, (a, b) in enumerate(measured):
        assert (made.renderings[k] == a).all()
        assert (made.originals[k] == b).all()
        assert (frames == b).all((1, 2, 3)).any()
        error = np.abs(a.astype(float) - b).mean()
        assert 0 < error < np.abs(np.roll(b, 64, 1).astype(float) - b).mean()
    held = judged.make(FramePairs(tmp_path / "cache"), 2, engine, distance, 1, held=1.0)
    assert (held.renderings[0] == held.renderings[1]).all()
    assert (held.originals[0] != held.originals[1]).any()
    measured.clear()
    other = judged.make(FramePairs(tmp_path / "cache"), 3, engine, distance, 1, vary=1.0)
    assert other.distances.tolist() == [1, 2, 3]
    for k, (a, b) in enumerate(measured):
        assert (other.renderings[k] == a).all()
        assert (other.originals[k] == b).all()
        assert not (frames == b).all((1, 2, 3)).any()
        assert (a != b).any()
    kept = [judged.kept(tmp_path / "kept", {"a": n}, lambda: made) for n in (1, 1)]
    assert (kept[1].renderings == made.renderings).all()
    again: list[int] = []
    judged.kept(tmp_path / "kept", {"a": 2}, lambda: again.append(1) or held)
    assert again == [1]


def test_verdicts_are_counted() -> None:
    class Told:
        description = models.find("likeness", "feedback")

        def __call__(self, renderings: Any, originals: Any) -> Any:
            time.sleep(0.01)
            return np.full(len(renderings), 0.5)

    counted = CountedFeedback(Told())
    picture = np.zeros((16, 16, 3), np.uint8)
    for count in (1, 4, 2):
        assert counted(np.stack([picture] * count), [picture] * count).tolist() == [0.5] * count
    assert counted.verdicts == 7
    assert counted.seconds >= 0.03
    assert counted.description.name == "likeness"


def test_agreement_of_verdicts() -> None:
    truth = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([0.4, 0.5, 0.6])}
    found = agreements.agreement({k: -v for k, v in truth.items()}, truth)
    assert (found.spearman, found.frames, found.clips) == (1.0, 6, {"a": 1.0, "b": 1.0})
    crossed = {"a": -truth["b"], "b": -truth["a"]}
    assert agreements.agreement(crossed, truth).spearman < 0
    assert agreements.agreement(crossed, truth).clips == {"a": 1.0, "b": 1.0}
    with pytest.raises(InputError, match="too few"):
        agreements.agreement({"a": truth["a"][:2]}, {"a": truth["a"][:2]})


def lpips_file(path: Path) -> Path:
    """A small network in the layout of AlexNet's LPIPS."""
    rng = torch.Generator().manual_seed(1)
    widths, sides = (3, 8, 8, 8, 8, 8), (11, 5, 3, 3, 3)
    tensors = {f"lin{k}.weight": torch.ones(1, 8, 1, 1) for k in range(5)}
    for k, side in enumerate(sides):
        shape = (widths[k + 1], widths[k], side, side)
        tensors[f"conv{k + 1}.weight"] = torch.randn(shape, generator=rng) / side
        tensors[f"conv{k + 1}.bias"] = torch.zeros(widths[k + 1])
    save_file(tensors, path)
    return path


def test_agreement_command(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NEUROCODEC_LPIPS", raising=False)
    command = ["train", "agreement", str(clip), "--seconds", "0.8", "--every", "2", "-q"]
    assert run(*command) == 2
    assert "--lpips" in capsys.readouterr().err
    command += ["--lpips", str(lpips_file(tmp_path / "lpips.safetensors"))]
    assert run(*command, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["feedback"] == "likeness"
    assert 5 <= found["frames"] <= 10
    assert -1 <= found["spearman"] <= 1
    assert found["judging_ms"] > 0
    assert found["share"] == pytest.approx(found["judging_ms"] / found["decoding_ms"])
    assert run(*command, "--json", "--refresh", "schedule") == 0
    scheduled = json.loads(capsys.readouterr().out)
    # every fifth of 20 frames
    assert scheduled["verdicts_per_frame"] == pytest.approx(4 / 20)
    assert 0.1 < found["verdicts_per_frame"] < 1


@pytest.mark.parametrize(("spearman", "judging", "code"), [(0.9, 0.49, 0), (0.79, 0.49, 1), (0.9, 0.51, 1)])
def test_agreement_is_checked(
    spearman: float, judging: float, code: int, clip: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """At 0.8, and at 5 % of a frame's decoding."""
    spent = agreements.Spent(frames=1000, verdicts=400, judging=judging, decoding=10.0)
    found = agreements.Agreement(spearman, 0.9, 9, {"clip": 0.9}, spent)
    monkeypatch.setattr(agreements, "measure", lambda *a, **k: found)
    weights = lpips_file(tmp_path / "lpips.safetensors")
    assert run("train", "agreement", str(clip), "--lpips", str(weights), "--check") == code
    shown = capsys.readouterr()
    said = f"0.40 verdicts a frame, {judging:.2f} ms; decoding 10.00 ms a frame: {judging * 10:.1f}%"
    assert said in shown.out
    assert ("does not reach" in shown.err) is bool(code)


def test_judged_frames_are_those_a_decoder_shows(clip: Path) -> None:
    spent = agreements.Spent()
    rows = list(agreements.judged_frames(clip, 0.6, 1, 256, spent))
    originals = {r[1].tobytes() for r in rows}
    assert len(originals) == len(rows) >= 10
    for rendering, original in rows:
        near = np.abs(rendering.astype(float) - original).mean()
        assert near < 12
    assert spent.frames == 15
    assert spent.verdicts > 0
    assert min(spent.judging, spent.decoding) > 0


def test_figures_beside_a_held_still(clip: Path) -> None:
    measure = Measure()
    assert {"psnr", "ssim", "ms_ssim", "likeness"} <= set(measure.names)
    found = evaluate(clip, 0.8, measure, 4)
    assert found["frames"] == 20
    assert found["psnr"] > found["psnr_frozen"]
    assert 0 < found["ms_ssim"] <= 1
    perfect = measure([found["pictures"][0][0]], [found["pictures"][0][0]], Fraction(25))
    assert perfect["psnr"] == 100
    assert perfect["ms_ssim"] == pytest.approx(1)
    both = summary([found, {**found, "psnr": float("nan")}, {**found, "psnr": 0.0}], ["psnr", "frames"])
    assert both["mean"]["psnr"] == pytest.approx(found["psnr"] / 2)
    assert both["median"]["frames"] == 20


def test_face_figures_need_their_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="landmarks"):
        Measure(landmark_net=tmp_path / "none.tflite")
    for variable in ("NEUROCODEC_LANDMARK_NET", "NEUROCODEC_FACE_DETECTOR", "NEUROCODEC_IDENTITY_NET"):
        monkeypatch.setenv(variable, __file__)
    assert {"landmarks", "identity"} <= set(Measure().names)


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
            points_of([text])
    assert points_of([]) == [{}]
    both = points_of(["quantization=30,120", "reference_quality=5,60"])
    assert [tuple(p.values()) for p in both] == [(30, 5.0), (30, 60.0), (120, 5.0), (120, 60.0)]


def test_operations_are_those_of_the_layers() -> None:
    found = operations(models.find("likeness", "feedback"))
    assert found["verdict_known"] < found["verdict"] <= 2 * found["verdict_known"]
    with torch.device("meta"):
        stages = models.build("likeness", models.find("likeness", "feedback").config).stages
    side, features = round(256 / (stages[0][0].in_channels / 3) ** 0.5), 0
    for stage in stages:
        side //= stage[0].stride[0]
        features += sum(layer.weight.numel() * side**2 for layer in stage if hasattr(layer, "weight"))
    assert found["verdict"] - found["verdict_known"] >= features
    assert found["verdict"] < 2.1 * features
    talk = operations(models.find("talk256", "motion"))
    assert talk["keypoints"] < 0.6e9
    assert talk["reference"] > talk["keypoints"]
    assert talk["frame"] < 4e9
    assert found["verdict"] < 0.5 * talk["frame"]


def test_cost_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    model = models.find("likeness", "feedback")
    cost = cost_of(model, 0.01, "cpu")
    network = models.load(model)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert cost.bytes == model.path.stat().st_size
    assert cost.milliseconds["verdict"] > 0
    assert cost.milliseconds["verdict_known"] > 0
    assert run("models", "benchmark", "likeness", "--seconds", "0.05", "--json") == 0
    assert json.loads(capsys.readouterr().out)["likeness"]["macs"] == cost.macs
    assert run("models", "show", "talk256", "--threads", "1") == 0
    shown = capsys.readouterr().out
    assert "rendering a frame" in shown
    assert "MMAC" in shown
    assert "ms" in shown
    assert run("models", "benchmark", "--seconds", "0") == 2


def test_clips_with_the_same_name(tmp_path: Path) -> None:
    first, second = (frame_folder(tmp_path / k / "clip", 1, 1) for k in ("a", "b"))
    assert agreements.names([first, second]) == {str(first): first, str(second): second}
    assert agreements.names([first]) == {"clip": first}
