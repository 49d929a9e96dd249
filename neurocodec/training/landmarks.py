"""Training of the landmark network: 68 points from a picture, through a latent that is cheap to send.

    python -m neurocodec.training.landmarks cache --images TABLE.csv FOLDER --clips clips.csv \\
        --folder CLIPS --landmarks landmarks.npz --out CACHE
    python -m neurocodec.training.landmarks run --cache CACHE --out RUN --minutes 60
    python -m neurocodec.training.landmarks ship --state RUN/state.pt --cache CACHE --out face68.safetensors
    python -m neurocodec.training.landmarks map --model face68.safetensors --clips clips.csv --folder CLIPS

A run is resumed from ``RUN/state.pt`` when it is there.  The loss is a wing loss (Feng et al., CVPR 2018) in
per cent of the distance between the eyes, plus what the latent costs: the latent carries the noise of a
quantizer's step while it is trained, and changes between neighbouring frames of a clip are charged their
bits.
"""

from __future__ import annotations

import copy
import json
import math
import time
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from neurocodec.models import files as models
from neurocodec.networks.face68 import SIDE, Face68
from neurocodec.training.data import clips_from_csv
from neurocodec.training.landmark_data import Faces, Landmarks, write_cache
from neurocodec.types import Pictures

OUTER_EYES = (36, 45)
STEPS = (60.0, 140.0)
"""Quantizations that the latent is trained for; they are those that ``encode --quality`` chooses from."""
_WING, _CURVE = 10.0, 2.0
GUESS = 0.7
"""Weight of the first guess's own loss."""


def tensors(pictures: Pictures) -> Tensor:
    """(B,S,S,3) uint8 -> (B,3,S,S) in [0,1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)


def normalized_errors(found: Tensor, truth: Tensor) -> Tensor:
    """Distances (B,68) of landmarks (B,68,2), in per cent of the distance of the outer eye corners."""
    eyes = (truth[:, OUTER_EYES[0]] - truth[:, OUTER_EYES[1]]).norm(dim=-1)
    return 100 * (found - truth).norm(dim=-1) / eyes.clamp(min=1e-3)[:, None]


def wing(found: Tensor, truth: Tensor) -> Tensor:
    """Wing loss of landmarks (B,68,2); errors in per cent of the distance of the outer eye corners."""
    eyes = (truth[:, OUTER_EYES[0]] - truth[:, OUTER_EYES[1]]).norm(dim=-1)
    error = 100 * (found - truth).abs() / eyes.clamp(min=0.05)[:, None, None]
    near = _WING * torch.log1p(error / _CURVE)
    constant = _WING - _WING * math.log1p(_WING / _CURVE)
    return torch.where(error < _WING, near, error - constant).mean()


def bits(first: Tensor, second: Tensor, quantization: Tensor) -> Tensor:
    """About the bits (B,) that coding the change of latents (B,L) takes at ``quantization`` (B,1)."""
    return torch.log2(1 + 2 * quantization * (second - first).abs()).sum(1)


def losses(
    network: Face68, pictures: Pictures, landmarks: Landmarks, images: int, pairs: int, rate: float,
    rng: torch.Generator,
) -> tuple[Tensor, dict[str, float]]:  # fmt: skip
    """Loss of a batch of :meth:`Faces.sample`."""
    truth = torch.from_numpy(landmarks)
    there = torch.isfinite(truth).all(-1).all(-1)
    batch = tensors(pictures).contiguous(memory_format=torch.channels_last)
    latents, presence, guess = network.encode_details(batch)
    low, high = (math.log(v) for v in STEPS)
    steps = torch.exp(low + (high - low) * torch.rand(len(latents), 1, generator=rng))
    noise = (torch.rand(latents.shape, generator=rng) - 0.5) / steps
    found = network.decode(latents + noise)[there]
    parts = {
        "wing": wing(found, truth[there]),
        "guess": wing(guess[there], truth[there]),
        "presence": F.binary_cross_entropy_with_logits(presence, there.float()),
        "bits": bits(
            latents[images : images + pairs], latents[images + pairs : images + 2 * pairs],
            steps[images : images + pairs],
        ).mean(),
    }  # fmt: skip
    total = parts["wing"] + GUESS * parts["guess"] + 2 * parts["presence"] + rate * parts["bits"]
    with torch.no_grad():
        parts["nme"] = normalized_errors(found, truth[there]).mean()
        parts["seen"] = ((presence > 0) == there).float().mean()
    return total, {name: float(value.detach()) for name, value in parts.items()}


def watch(network: Face68, faces: Faces) -> dict[str, float]:
    """Figures on a fixed sample of the people held out."""
    network.eval()
    rng = np.random.default_rng(7)
    pictures, landmarks = faces.sample(128, 64, 32, rng)
    with torch.inference_mode():
        latents, presence = network.encode(tensors(pictures))
        found = network.decode(torch.round(latents * 100) / 100)
    network.train()
    truth = torch.from_numpy(landmarks)
    errors = normalized_errors(found[:256], truth[:256]).mean(1)
    change = bits(latents[128:192], latents[192:256], torch.full((64, 1), 100.0))
    return {
        "images": float(errors[:128].median()),
        "clips": float(errors[128:].median()),
        "images_mean": float(errors[:128].mean()),
        "bits": float(change.mean()),
        "presence": float(((presence > 0) == torch.isfinite(truth[:, 0, 0])).float().mean()),
    }


@click.group()
def main() -> None:
    """Train the landmark network and its mapping to keypoints."""


@main.command()
@click.option(
    "--images", type=(click.Path(path_type=Path), click.Path(path_type=Path)), multiple=True,
    metavar="TABLE FOLDER", help="A CSV of the published layout and its folder of images; may be repeated.",
)  # fmt: skip
@click.option("--clips", type=click.Path(path_type=Path, exists=True), help="A clips.csv.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where the clips lie.")
@click.option("--landmarks", type=click.Path(path_type=Path, exists=True), help="The clips' landmarks (npz).")
@click.option("--side", default=192, show_default=True)
@click.option("--stride", default=12, show_default=True, help="Take two of every so many frames of a clip.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def cache(
    images: tuple[tuple[Path, Path], ...],
    clips: Path | None,
    folder: Path | None,
    landmarks: Path | None,
    side: int,
    stride: int,
    out: Path,
) -> None:
    """Decode labelled images and clips once; rows that cannot be used are listed."""
    rows = clips_from_csv(clips, folder, "train") if clips and folder else []
    report = write_cache(out, side, images, rows, landmarks, stride)
    click.echo("\n".join(report.lines()))


@main.command()
@click.option("--cache", "cache_dir", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--width", default=0.5, show_default=True, help="Factor on MobileNetV2's channels.")
@click.option("--latent", default=32, show_default=True, help="Dimensions of the latent.")
@click.option(
    "--minutes", default=60.0, show_default=True, help="The learning rate falls to its end by then."
)
@click.option("--images", default=20, show_default=True, help="Images in a step.")
@click.option("--pairs", default=8, show_default=True, help="Pairs of neighbouring frames in a step.")
@click.option("--nothing", default=3, show_default=True, help="Crops without a face in a step.")
@click.option("--rate", default=2e-3, show_default=True)
@click.option("--bandwidth", default=0.02, show_default=True, help="Loss of one bit of the latent's change.")
@click.option("--average", default=0.998, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=1, show_default=True)
def run(
    cache_dir: Path, out: Path, width: float, latent: int, minutes: float, images: int, pairs: int,
    nothing: int, rate: float, bandwidth: float, average: float, seed: int, threads: int,
) -> None:  # fmt: skip
    """Train, or go on training."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    training, held_out = Faces(cache_dir), Faces(cache_dir, held_out=True)
    network = Face68(width, latent)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not (out / "state.pt").exists():
        examples = training.sample(600, 0, 0, np.random.default_rng(seed))[1]
        network.start_from(torch.from_numpy(examples))
    ema = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-3)
    np_rng = np.random.default_rng(seed)
    rng = torch.Generator().manual_seed(seed)
    step, spent = 0, 0.0
    state_file = out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        if state["config"] != {"width": width, "latent": latent}:
            raise click.ClickException(f"{state_file} holds a network of another shape")
        network.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
        rng.set_state(state["rng"])
        np_rng.bit_generator.state = json.loads(state["np_rng"])
    began = last = saved = time.time()
    sums: dict[str, float] = {}
    count = 0

    def save() -> None:
        part = out / "state.part"
        torch.save(
            {
                "model": network.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict(),
                "step": step, "spent": spent + time.time() - began, "rng": rng.get_state(),
                "np_rng": json.dumps(np_rng.bit_generator.state),
                "config": {"width": width, "latent": latent},
            },
            part,
        )  # fmt: skip
        part.replace(state_file)

    network.train()
    while (used := (spent + time.time() - began) / 60) < minutes:
        lr = rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * used / minutes)))
        for group in optimizer.param_groups:
            group["lr"] = lr
        pictures, landmarks = training.sample(images, pairs, nothing, np_rng)
        total, figures = losses(network, pictures, landmarks, images, pairs, bandwidth, rng)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 20.0)
        optimizer.step()
        step += 1
        _follow(ema, network, min(average, 1 - 1 / (step + 1)))
        count += 1
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + value
        if time.time() - last > 120:
            means = {k: round(v / count, 3) for k, v in sums.items()}
            test = {k: round(v, 3) for k, v in watch(ema, held_out).items()}
            click.echo(f"step {step}, {used:.1f} minutes, train {means}, held out {test}")
            sums, count, last = {}, 0, time.time()
        if time.time() - saved > 180:
            save()
            saved = time.time()
    save()
    click.echo(f"step {step}, done, held out {watch(ema, held_out)}")


def _follow(average: torch.nn.Module, network: torch.nn.Module, share: float) -> None:
    """Exponential moving average of the weights; statistics of batch norms likewise."""
    with torch.no_grad():
        other = network.state_dict()
        for name, value in average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(other[name], 1 - share)
            else:
                value.copy_(other[name])


@main.command()
@click.option("--state", type=click.Path(path_type=Path, exists=True), required=True, help="Of a run.")
@click.option("--cache", "cache_dir", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--pairs", default=1500, show_default=True, help="Neighbouring frames to order the latent by.")
def ship(state: Path, cache_dir: Path, out: Path, pairs: int) -> None:
    """Make a model file of a run's average weights, the latent turned so that the most lively comes first."""
    stored = torch.load(state, weights_only=True)
    network = Face68(**stored["config"])
    network.load_state_dict(stored["ema"])
    network.eval()
    faces, rng = Faces(cache_dir), np.random.default_rng(5)
    steps = []
    for _ in range(math.ceil(pairs / 50)):
        pictures, _landmarks = faces.sample(0, 50, 0, rng)
        with torch.inference_mode():
            latents = network.encode(tensors(pictures))[0]
        steps.append(latents[50:] - latents[:50])
    turn_latent(network, torch.cat(steps))
    tensors_ = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    model = models.save(
        out, tensors_, name=out.stem, architecture="face68", size=SIDE, keypoints=0,
        config=stored["config"], half=True,
    )  # fmt: skip
    click.echo(f"{out}: {out.stat().st_size} bytes, {model.hash[:16]}")


def turn_latent(network: Face68, changes: Tensor) -> None:
    """Rotate the latent, which changes nothing else, to the principal axes of ``changes`` (n,L)."""
    _, vectors = torch.linalg.eigh(changes.double().T @ changes.double())
    turn = vectors.flip(1).T.float()
    first = network.dense[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        for layer in (network.from_guess, network.to_latent):
            layer.weight.copy_(turn @ layer.weight)
        network.from_guess.bias.copy_(turn @ network.from_guess.bias)
        for layer in (network.linear, first):
            layer.weight.copy_(layer.weight @ turn.T)


@main.command("map")
@click.option("--model", default=models.DEFAULT_LANDMARKS, show_default=True, metavar="NAME|FILE")
@click.option("--motion", default=models.DEFAULT_MOTION, show_default=True, metavar="NAME|FILE")
@click.option("--clips", type=click.Path(path_type=Path, exists=True), required=True, help="A clips.csv.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--stride", default=20, show_default=True, help="Take every so many-th frame.")
@click.option("--out", type=click.Path(path_type=Path), help="The result.  [default: replaces the model]")
@click.option("--threads", default=1, show_default=True)
def fit_mapping(
    model: str, motion: str, clips: Path, folder: Path, stride: int, out: Path | None, threads: int
) -> None:
    """Fit the mapping from landmarks to a motion model's keypoints on the training people's clips.

    To be run again whenever the motion model's weights change; takes a few minutes.
    """
    from neurocodec.models.device import BATCH
    from neurocodec.models.engine import Engine
    from neurocodec.models.landmark_engine import LandmarkEngine

    torch.set_num_threads(threads)
    description, driven = models.find(model, "landmarks"), models.find(motion, "motion")
    engine, landmarks = Engine(driven, "cpu"), LandmarkEngine(description, "cpu")
    inputs, outputs, clip_of = [], [], []
    for number, (path, _person) in enumerate(tqdm(clips_from_csv(clips, folder, "train"), desc="clips")):
        frames = every_frame(path, driven.size, stride)
        for k in range(0, len(frames), BATCH):
            some = frames[k : k + BATCH]
            points, presence = landmarks.landmarks(some)
            there = presence > 0.5
            inputs.append(points[there])
            outputs.append(engine.keypoints(some)[there])
            clip_of += [number] * int(there.sum())
    x = 2 * np.concatenate(inputs).reshape(len(clip_of), -1) - 1
    y = np.concatenate(outputs).reshape(len(clip_of), -1)
    mapping = fit_linear(x, y, np.array(clip_of))
    error, spread = (np.abs(within(v, np.array(clip_of))).mean() for v in (y - x @ mapping[:, :-1].T, y))
    network = models.load(description)
    config = {**description.config, "keypoints": driven.keypoints, "motion": driven.hash[:16]}
    tensors_ = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    tensors_["mapping"] = torch.from_numpy(mapping.astype(np.float32))
    made = models.save(
        out or description.path, tensors_, name=description.name, architecture="face68", size=SIDE,
        keypoints=driven.keypoints, config=config, half=True,
    )  # fmt: skip
    click.echo(
        f"{len(x)} frames; within a clip keypoints move by {spread:.4f}, the mapping is {error:.4f} off; "
        f"{made.path}: {made.hash[:16]}"
    )


def every_frame(path: Path, side: int, stride: int) -> Pictures:
    """Every ``stride``-th frame of a clip, (n,side,side,3)."""
    capture = cv2.VideoCapture(str(path))
    found = []
    t = 0
    while True:
        good, frame = capture.read()
        if not good:
            break
        if t % stride == 0:
            frame = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
            found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        t += 1
    capture.release()
    return np.stack(found) if found else np.zeros((0, side, side, 3), np.uint8)


def within(values: NDArray[np.floating], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows (n,M) less the mean of their group (n,)."""
    out = np.asarray(values, np.float64).copy()
    for group in np.unique(groups):
        out[groups == group] -= out[groups == group].mean(0)
    return out


def fit_linear(
    x: NDArray[np.floating], y: NDArray[np.floating], groups: NDArray[np.int64], ridge: float = 1e-4,
    between: float = 0.2,
) -> NDArray[np.float64]:  # fmt: skip
    """Ridge regression of y (n,M) on x (n,K): (M,K+1), the last column being the offset.

    What differs within a group (a clip) counts fully, what differs between groups by ``between``, since a
    reference and the frames rendered from it always show the same person.
    """
    inner_x, inner_y = within(x, groups), within(y, groups)
    outer_x, outer_y = x - inner_x, y - inner_y
    mean_x, mean_y = outer_x.mean(0), outer_y.mean(0)
    rows_x = np.concatenate([inner_x, between * (outer_x - mean_x)])
    rows_y = np.concatenate([inner_y, between * (outer_y - mean_y)])
    system = rows_x.T @ rows_x + ridge * len(x) * np.eye(x.shape[1])
    matrix = np.linalg.solve(system, rows_x.T @ rows_y).T
    return np.concatenate([matrix, (mean_y - matrix @ mean_x)[:, None]], 1)


@main.command()
@click.option("--model", default=models.DEFAULT_LANDMARKS, show_default=True, metavar="NAME|FILE")
@click.option(
    "--images", type=(click.Path(path_type=Path), click.Path(path_type=Path)), multiple=True,
    metavar="TABLE FOLDER", help="As for cache; only people kept out of training are measured.",
)  # fmt: skip
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Clips of others.")
@click.option("--landmarks", type=click.Path(path_type=Path, exists=True), help="Their landmarks (npz).")
@click.option("--every", default=10, show_default=True, help="Measure every so many-th frame of a clip.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of the worst; not for publishing.")
@click.option("--threads", default=1, show_default=True)
def errors(
    model: str, images: tuple[tuple[Path, Path], ...], folder: Path | None, landmarks: Path | None,
    every: int, sheet: Path | None, threads: int,
) -> None:  # fmt: skip
    """Normalised mean error (outer eye corners) of a landmark model, by kind of face."""
    from neurocodec.models.landmark_engine import LandmarkEngine
    from neurocodec.training.landmark_errors import measure_clips, measure_images, summary, worst_cases

    torch.set_num_threads(threads)
    engine = LandmarkEngine(models.find(model, "landmarks"), "cpu")
    cases = []
    if images:
        cases += measure_images(engine, images)
    if folder and landmarks:
        cases += measure_clips(engine, folder, landmarks, every)
    click.echo("\n".join(summary(cases)))
    if sheet:
        worst_cases(cases, sheet)


@main.command("compare")
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--every", default=10, show_default=True, help="Measure every so many-th frame.")
@click.option("--quality", "qualities", type=float, multiple=True, default=(50.0,), show_default=True)
@click.option("--refresh", default="lookahead", show_default=True)
@click.option("--lpips", type=click.Path(path_type=Path, exists=True), help="AlexNet LPIPS weights.")
def compare_modes(
    clips: tuple[Path, ...], seconds: float, every: int, qualities: tuple[float, ...], refresh: str,
    lpips: Path | None,
) -> None:  # fmt: skip
    """Learned keypoints beside 68 landmarks on CLIPS (square): rate, quality, bits a frame."""
    from neurocodec.measure.pictures import Lpips
    from neurocodec.training import landmark_modes

    metric = Lpips(lpips) if lpips else None
    rows = [
        r for c in clips for r in landmark_modes.compare_modes(c, seconds, every, metric, qualities, refresh)
    ]
    click.echo("\n".join(landmark_modes.mode_lines(rows)))


@main.command("region")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), required=True, help="Clips.")
@click.option(
    "--landmarks", type=click.Path(path_type=Path, exists=True), required=True, help="Theirs (npz)."
)
@click.option("--every", default=25, show_default=True)
@click.option("--model", default=models.DEFAULT_LANDMARKS, show_default=True, metavar="NAME|FILE")
def region(folder: Path, landmarks: Path, every: int, model: str) -> None:
    """How steady the square of --region face is, by the detector's boxes and by landmarks."""
    from neurocodec.models.landmark_engine import LandmarkEngine
    from neurocodec.training.landmark_modes import region_lines

    engine = LandmarkEngine(models.find(model, "landmarks"), "cpu")
    click.echo("\n".join(region_lines(engine, folder, landmarks, every)))


if __name__ == "__main__":
    main()
