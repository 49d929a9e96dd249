"""Training of the perceptual distance: it learns LPIPS from renderings and their originals.

    python -m neurocodec.training.likeness --cache CACHE --lpips WEIGHTS --out likeness.safetensors

Pictures are those it will have to judge: renderings of the motion model from one or two references that have
been through the reference coder, and (one in eight) such references held still.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from neurocodec import models
from neurocodec.engine import Engine
from neurocodec.metrics import Lpips
from neurocodec.networks.likeness import Likeness
from neurocodec.training.data import FramePairs

_BATCH = 16
_HELD = 0.125


class Judged:
    """Pairs of pictures (count,256,256,3) and their LPIPS."""

    def __init__(self, pairs: FramePairs, count: int, engine: Engine, lpips: Lpips, seed: int) -> None:
        rng = np.random.default_rng(seed)
        size = engine.size
        self.renderings = np.empty((count, size, size, 3), np.uint8)
        self.originals = np.empty_like(self.renderings)
        self.distances = np.empty(count, np.float32)
        for k in range(count):
            batch = pairs.sample(1, rng, compressed=0.85)
            if rng.random() < _HELD:
                rendering = batch.reference[0]
            else:
                references = [engine.reference(p) for p in (batch.reference[0], batch.other[0])]
                used = references[: 1 + (rng.random() < 0.6)]
                noise = (rng.random((1, engine.num_keypoints, 2)) - 0.5) / 100
                points = engine.keypoints(batch.target) + noise
                rendering = engine.render(used, points.astype(np.float32))[0]
            self.renderings[k], self.originals[k] = rendering, batch.target[0]
            self.distances[k] = lpips(rendering, batch.target[0])

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B,3,S,S) in [0,1] twice, LPIPS (B,)."""
        a, b = (
            torch.from_numpy(x[rows]).permute(0, 3, 1, 2).float() / 255
            for x in (self.renderings, self.originals)
        )
        return a, b, torch.from_numpy(self.distances[rows])


def agreement(network: Likeness, test: Judged) -> str:
    """Rank correlation, linear correlation and mean error on pairs never trained on."""
    from scipy.stats import pearsonr, spearmanr

    network.eval()
    guesses = []
    with torch.inference_mode():
        for k in range(0, len(test.distances), _BATCH):
            a, b, _ = test.batch(np.arange(k, min(k + _BATCH, len(test.distances))))
            guesses.append(network(a, b).numpy())
    network.train()
    guess, truth = np.concatenate(guesses), test.distances
    rank, line = spearmanr(guess, truth).statistic, pearsonr(guess, truth).statistic
    return f"Spearman {rank:.3f}, Pearson {line:.3f}, mean error {np.abs(guess - truth).mean():.4f}"


@click.command()
@click.option("--cache", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--lpips", "weights", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", default=12.0, show_default=True)
@click.option("--pairs", "count", default=1400, show_default=True)
@click.option("--held-out", default=12, show_default=True, help="Training people kept for testing.")
@click.option("--seed", default=1, show_default=True)
def main(cache: Path, weights: Path, out: Path, minutes: float, count: int, held_out: int, seed: int) -> None:
    """Train the perceptual distance; prints its agreement with LPIPS on people held out."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    people = sorted({e["identity"] for e in json.loads((cache / "index.json").read_text())})
    kept = set(people[5 :: max(1, len(people) // held_out)][:held_out])
    engine, lpips = Engine(models.find(models.DEFAULT_MOTION, "motion")), Lpips(weights)
    train = Judged(FramePairs(cache, exclude=kept, in_memory=False), count, engine, lpips, seed)
    test = Judged(FramePairs(cache, only=kept, in_memory=False), max(count // 6, 8), engine, lpips, seed + 1)
    network = Likeness()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    began, step = time.time(), 0
    while (used := (time.time() - began) / 60 / minutes) < 1:
        rate = min(1, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * used)))
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * rate
        a, b, truth = train.batch(rng.integers(0, count, _BATCH))
        if rng.random() < 0.5:
            a, b = a.flip(-1), b.flip(-1)
        if rng.random() < 0.3:
            a, b = b, a
        with torch.autocast("cpu", dtype=torch.bfloat16):
            guess = network(a, b)
        loss = ((guess - truth).abs() / (truth + 0.05)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            click.echo(f"step {step}, loss {float(loss.detach()):.4f}")
    click.echo(f"people held out: {agreement(network, test)}")
    models.save(
        out, network.state_dict(), name=models.DEFAULT_DISTANCE, architecture="likeness", size=256,
        keypoints=0, config={}, half=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
