"""Training of the motion model (keypoints, dense motion, generator) on pairs of frames of one clip.

    python -m neurocodec.training.motion cache --clips clips.csv --folder CLIPS --out CACHE
    python -m neurocodec.training.motion run --cache CACHE --out RUN --lpips-squeeze FILE --vgg19 FILE

A run is resumed from ``RUN/state.pt`` (weights, average, optimizer, step, random states) when it is there.
"""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from neurocodec.networks.talk import Talk, TalkConfig
from neurocodec.training.data import FramePairs, build_cache, build_references, clips_from_csv
from neurocodec.training.losses import MIRRORED, SqueezeDistance, Vgg19Distance, attention, tied_points

TIED = len(MIRRORED)
PAIRS = 0.75
"""Share of the steps whose frames have two references."""


@dataclass
class Prepared:
    """Float pictures (B,3,S,S) in [0,1] and landmarks (B,68,2), augmented alike."""

    reference: Tensor
    other: Tensor
    target: Tensor
    following: Tensor
    landmarks: Tensor
    mirrored: Tensor


def _affine(count: int, spread: float, rng: torch.Generator) -> Tensor:
    """Random similarity transforms (B,2,3): +-``spread`` in scale and shift, +-60*spread degrees."""
    u = torch.rand(count, 4, generator=rng) * 2 - 1
    angle = u[:, 0] * spread * 60 / 180 * math.pi
    scale = 1 + u[:, 1] * spread
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cos, -sin, u[:, 2] * spread], -1), torch.stack([sin, cos, u[:, 3] * spread], -1)]
    return torch.stack(rows, 1)


def _transform(images: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(images.shape), align_corners=True)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=True)


def _undo(points: Tensor, theta: Tensor) -> Tensor:
    """Where the points (B,N,2) of a picture lie after ``_transform(picture, theta)``."""
    return torch.linalg.solve(
        theta[:, None, :, :2].double(), (points - theta[:, None, :, 2]).double()[..., None]
    )[..., 0].float()


def prepare(batch: object, rng: torch.Generator, augment: float) -> Prepared:
    """Batch of uint8 frames -> float, with colour jitter, mirroring and a common similarity transform."""
    images = [
        torch.from_numpy(getattr(batch, name)).permute(0, 3, 1, 2).float() / 255
        for name in ("reference", "other", "target", "following")
    ]
    landmarks = torch.from_numpy(batch.landmarks)  # type: ignore[attr-defined]
    b = len(landmarks)
    gain = 1 + 0.2 * (torch.rand(b, 3, 1, 1, generator=rng) - 0.5)
    gamma = torch.exp(0.4 * (torch.rand(b, 1, 1, 1, generator=rng) - 0.5))
    images = [(x.clamp(min=1e-4) ** gamma * gain).clamp(0, 1) for x in images]
    mirrored = torch.rand(b, generator=rng) < 0.5
    images = [torch.where(mirrored[:, None, None, None], x.flip(-1), x) for x in images]
    flipped = landmarks.clone()
    flipped[..., 0] = 1 - flipped[..., 0]
    landmarks = torch.where(mirrored[:, None, None], flipped, landmarks)
    if augment > 0:
        theta = _affine(b, augment, rng)
        images = [_transform(x, theta) for x in images]
        landmarks = (_undo(landmarks * 2 - 1, theta) + 1) / 2
    images = [x.contiguous(memory_format=torch.channels_last) for x in images]
    reference, other, target, following = images
    return Prepared(reference, other, target, following, landmarks, mirrored)


@dataclass
class Weights:
    """Factors of the losses."""

    squeeze: float = 3.0
    vgg: float = 0.25
    pixel: float = 3.0
    painted: float = 1.0
    deformed: float = 1.5
    ties: float = 4.0
    equivariance: float = 2.0
    rate: float = 0.04
    attention: float = 3.0


def losses(
    model: Talk,
    data: Prepared,
    squeeze: SqueezeDistance,
    vgg: Vgg19Distance,
    w: Weights,
    rng: torch.Generator,
) -> tuple[Tensor, dict[str, float]]:
    b, _, size, _ = data.target.shape
    quarter = max(1, b // 4)
    theta = _affine(quarter, 0.25, rng)
    bent = _transform(data.target[:quarter], theta)
    count = 2 if torch.rand((), generator=rng) < PAIRS else 1
    pictures = [data.reference, data.other][:count]
    points = model.keypoints(torch.cat([data.target, data.following, bent, *pictures]))
    kp, kp_next, kp_bent, *kp_references = points.split([b, b, quarter, *[b] * count])

    quantization = torch.exp(torch.rand(b, 1, 1, generator=rng) * math.log(200 / 25) + math.log(25))
    noise = (torch.rand(kp.shape, generator=rng) - 0.5) / quantization
    features = [model.encode_reference(*pair) for pair in zip(pictures, kp_references, strict=True)]
    out = model.render_details(features, kp + noise)

    mask = out["mask"]
    keep = (torch.rand(b, 1, 1, 1, generator=rng) < 0.5).float()
    prediction = out["painted"] + mask * keep * (out["deformed"] - out["painted"])
    weight = attention(data.landmarks, size, w.attention)
    parts: dict[str, Tensor] = {}
    parts["squeeze"] = squeeze(prediction, data.target, weight)
    crop = min(size, size // 4 + 32)
    top, left = torch.randint(0, size - crop + 1, (2,), generator=rng).tolist()
    window = (..., slice(top, top + crop), slice(left, left + crop))
    parts["vgg"] = vgg(prediction[window], data.target[window])
    parts["pixel"] = ((prediction - data.target).abs() * weight).mean()
    parts["painted"] = (out["painted"] - data.target).abs().mean()
    parts["deformed"] = ((out["deformed"] - data.target).abs() * weight).mean()

    truth = tied_points(data.landmarks)
    truth = torch.where(data.mirrored[:, None, None], truth[:, list(MIRRORED)], truth)
    there = torch.isfinite(truth).all(-1).all(-1)
    if there.any():
        parts["ties"] = (kp[there, :TIED] - truth[there]).abs().mean()
    inside = (kp_bent.abs() < 0.95).all(-1)
    bent_error = (_undo(kp[:quarter].detach() * 0.5 + kp[:quarter] * 0.5, theta) - kp_bent).abs().mean(-1)
    parts["equivariance"] = (bent_error * inside).mean()
    parts["rate"] = torch.log2(1 + 100 * (kp_next - kp).abs()).mean()
    total = sum(getattr(w, name) * value for name, value in parts.items())
    assert isinstance(total, Tensor)
    figures = {name: float(value.detach()) for name, value in parts.items()}
    figures["mask"] = float(mask.detach().mean())
    return total, figures


def contact_sheet(model: Talk, data: Prepared, path: Path, rows: int = 8) -> None:
    """Two references, target, rendering from both and from the first, painted, warp, mask, mixture."""
    model.eval()
    with torch.no_grad():
        first, second, target = data.reference[:rows], data.other[:rows], data.target[:rows]
        kp = model.keypoints(target)
        features = [model.encode_reference(x, model.keypoints(x)) for x in (first, second)]
        out, single = (model.render_details(f, kp) for f in (features, features[:1]))
        b = len(target)
        share = out["confidence64"].unflatten(0, (2, b)).softmax(0)[0]
    model.train()
    size = target.shape[-1]

    def picture(x: Tensor) -> np.ndarray:
        x = F.interpolate(x.float().expand(-1, 3, -1, -1), size=(size, size))
        return (x.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).numpy().copy()

    columns = [
        picture(x)
        for x in (
            first, second, target, out["prediction"], single["prediction"], out["painted"], out["deformed"],
            out["mask"], share,
        )
    ]  # fmt: skip
    for column, points in ((0, features[0][-1]), (1, features[1][-1]), (2, kp)):
        for row in range(b):
            for i, (x, y) in enumerate(((points[row] + 1) / 2 * (size - 1)).tolist()):
                colour = (255, 60, 60) if i < TIED else (60, 255, 60)
                cv2.circle(columns[column][row], (round(x), round(y)), max(1, size // 128), colour, -1)
    sheet = np.concatenate([np.concatenate(list(c), 0) for c in columns], 1)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


@click.group()
def main() -> None:
    """Train the motion model."""


@main.command()
@click.option("--clips", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--landmarks", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--size", default=128, show_default=True)
@click.option("--stride", default=4, show_default=True)
@click.option("--min-face", default=0, show_default=True, help="Leave out faces smaller in the source.")
@click.option("--references", default=0, show_default=True, help="Frames a clip to code as references.")
def cache(
    clips: Path,
    folder: Path,
    landmarks: Path | None,
    out: Path,
    size: int,
    stride: int,
    min_face: int,
    references: int,
) -> None:
    """Decode clips into a cache of frame pairs, with some frames sent through the reference coder."""
    build_cache(clips_from_csv(clips, folder, "train", min_face), out, size, stride, landmarks)
    if references:
        build_references(out, references, (38, 61))


@main.command()
@click.option("--cache", "cache_dir", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--lpips-squeeze", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--vgg19", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--init", type=click.Path(path_type=Path, exists=True), help="state.pt to start from.")
@click.option("--steps", default=100_000, show_default=True)
@click.option("--batch", default=16, show_default=True)
@click.option("--rate", default=6e-4, show_default=True)
@click.option("--minutes", default=1e9, help="Stop after this long; the rate decays to its end by then.")
@click.option("--augment", default=0.1, show_default=True)
@click.option("--compressed", default=0.0, show_default=True, help="Share of coded references.")
@click.option("--attention", "strength", default=3.0, show_default=True)
@click.option("--average", default=0.999, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--held-out", default=6, show_default=True, help="Training people kept for watching.")
def run(
    cache_dir: Path,
    out: Path,
    lpips_squeeze: Path,
    vgg19: Path,
    init: Path | None,
    steps: int,
    batch: int,
    rate: float,
    minutes: float,
    augment: float,
    compressed: float,
    strength: float,
    average: float,
    seed: int,
    threads: int,
    held_out: int,
) -> None:
    """Train, or go on training."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    people = sorted({e["identity"] for e in json.loads((cache_dir / "index.json").read_text())})
    watch = set(people[:: max(1, len(people) // held_out)][:held_out]) if held_out else set()
    pairs = FramePairs(cache_dir, exclude=watch)
    watched = FramePairs(cache_dir, only=watch, in_memory=False) if watch else pairs
    model = Talk(TalkConfig())
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    np_rng = np.random.default_rng(seed)
    rng = torch.Generator().manual_seed(seed)
    step, spent = 0, 0.0
    ema = copy.deepcopy(model)
    state_file = out / "state.pt"
    source = state_file if state_file.exists() else init
    if source:
        state = torch.load(source, weights_only=True)
        for network, weights_of in ((model, "model"), (ema, "ema")):
            missing, unexpected = network.load_state_dict(state[weights_of], strict=False)
            if unexpected or not all("confidence" in name or "basis" in name for name in missing):
                raise click.ClickException(f"{source} holds another model")
        if state_file.exists():
            optimizer.load_state_dict(state["optimizer"])
            step, spent = state["step"], state["spent"]
            rng.set_state(state["rng"])
            np_rng.bit_generator.state = json.loads(state["np_rng"])
    squeeze, vgg = SqueezeDistance(lpips_squeeze), Vgg19Distance(vgg19)
    sheet = prepare(watched.sample(8, np.random.default_rng(7)), torch.Generator().manual_seed(7), 0.0)
    weights = Weights(attention=strength)
    log = (out / "log.jsonl").open("a")
    sums: dict[str, float] = {}
    began = last = time.time()

    def save() -> None:
        part = out / "state.part"
        torch.save(
            {
                "model": model.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict(),
                "step": step, "spent": spent + time.time() - began, "rng": rng.get_state(),
                "np_rng": json.dumps(np_rng.bit_generator.state),
            },
            part,
        )  # fmt: skip
        part.replace(state_file)

    model.train()
    saved = time.time()
    while step < steps:
        used = (spent + time.time() - began) / 60
        if used > minutes:
            break
        progress = max(step / steps, used / minutes)
        lr = rate * min(1, (step + 1) / 300) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = lr
        data = prepare(pairs.sample(batch, np_rng, compressed), rng, augment)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            total, figures = losses(model, data, squeeze, vgg, weights, rng)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        step += 1
        decay = min(average, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, p in zip(ema.parameters(), model.parameters(), strict=True):
                a.lerp_(p, 1 - decay)
            for held, now in zip(ema.buffers(), model.buffers(), strict=True):
                held.copy_(now)
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + value
        if step % 50 == 0:
            speed = 50 * batch / (time.time() - last)
            last = time.time()
            line = {"step": step, "minutes": round(used, 2), "speed": round(speed, 1), "lr": round(lr, 6)}
            line |= {name: round(value / 50, 5) for name, value in sums.items()}
            sums = {}
            log.write(json.dumps(line) + "\n")
            log.flush()
            click.echo(json.dumps(line))
        if step % 500 == 0:
            contact_sheet(ema, sheet, out / "sheet.png")
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()
    contact_sheet(ema, sheet, out / "sheet.png")


if __name__ == "__main__":
    main()
