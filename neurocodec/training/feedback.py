"""Training of the feedback network: it learns the measured verdict from the rendering and its reference.

    python -m neurocodec.training.feedback --cache CACHE --out gauge.pt [--minutes 10]

Renderings are those of the shipped motion model, references have been through the reference coder.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from neurocodec import models
from neurocodec.engine import DistanceEngine, Engine
from neurocodec.networks.gauge import Gauge
from neurocodec.training.data import FramePairs
from neurocodec.verdict import measured_verdict


class Renderings:
    """A growing store of (rendering, reference, verdict) at 128x128."""

    def __init__(self, cache: Path, people: set[str] | None, held_out: set[str], size: int) -> None:
        self.pairs = FramePairs(cache, exclude=held_out, only=people, in_memory=False)
        self.engine = Engine(models.find(models.DEFAULT_MOTION, "motion"))
        self.meter = DistanceEngine(models.find(models.DEFAULT_DISTANCE, "distance"))
        self.pictures = np.zeros((size, 2, 128, 128, 3), np.uint8)
        self.verdicts = np.zeros(size, np.float32)
        self.count = 0

    def add(self, rng: np.random.Generator) -> None:
        """Render one frame from one new reference."""
        batch = self.pairs.sample(1, rng, compressed=1.0)
        reference = self.engine.reference(batch.reference[0])
        keypoints = self.engine.keypoints(batch.target)
        quantized = reference.keypoints + np.rint(100 * (keypoints - reference.keypoints)) / 100
        rendering = self.engine.render([reference], quantized.astype(np.float32))[0]
        place = self.count % len(self.verdicts)
        for k, picture in enumerate((rendering, reference.picture)):
            self.pictures[place, k] = _half(picture)
        verdict = measured_verdict(self.meter(rendering[None], batch.target))
        self.verdicts[place] = np.clip(verdict[0], 0, 1)
        self.count += 1

    def batch(self, count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Renderings and references (B,3,128,128) in [0,1], verdicts (B,)."""
        rows = rng.integers(0, min(self.count, len(self.verdicts)), count)
        pair = torch.from_numpy(self.pictures[rows]).permute(0, 1, 4, 2, 3).float() / 255
        if rng.random() < 0.5:
            pair = pair.flip(-1)
        return pair[:, 0], pair[:, 1], torch.from_numpy(self.verdicts[rows])


def _half(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    h, w = picture.shape[:2]
    factor = h // 128
    blocks = picture.reshape(128, factor, w // factor, factor, 3).astype(np.float32).mean((1, 3))
    return (blocks + 0.5).astype(np.uint8)


@click.command()
@click.option("--cache", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--renderings", default=4000, show_default=True)
@click.option("--held-out", default=12, show_default=True, help="Training people kept for testing.")
@click.option("--seed", default=1, show_default=True)
def main(cache: Path, out: Path, minutes: float, renderings: int, held_out: int, seed: int) -> None:
    """Train the feedback network; prints rank correlation on people held out."""
    from scipy.stats import spearmanr

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    people = sorted({e["identity"] for e in json.loads((cache / "index.json").read_text())})
    kept = set(people[3 :: max(1, len(people) // held_out)][:held_out])
    train = Renderings(cache, None, kept, renderings)
    test = Renderings(cache, kept, set(), 400)
    for _ in range(400):
        test.add(rng)
    for _ in range(renderings):
        train.add(rng)
    click.echo(f"{renderings} renderings, mean verdict {train.verdicts.mean():.3f}")
    network = Gauge()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    began = last = time.time()
    step = 0
    while (used := (time.time() - began) / 60) < minutes:
        for group in optimizer.param_groups:
            group["lr"] = (
                2e-3 * min(1, (step + 1) / 50) * (0.01 + 0.5 * (1 + math.cos(math.pi * used / minutes)))
            )
        rendering, reference, verdict = train.batch(32, rng)
        loss = F.binary_cross_entropy_with_logits(network(rendering, reference), verdict)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if time.time() - last > 30:
            last = time.time()
            click.echo(
                f"step {step}, {used:.1f} minutes, loss {float(loss):.4f}, {_test(network, test, spearmanr)}"
            )
    click.echo(_test(network, test, spearmanr))
    tensors = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    models.save(
        out, tensors, name=models.DEFAULT_FEEDBACK, architecture="gauge", size=256, keypoints=0,
        config={"width": 24}, half=True,
    )  # fmt: skip


def _test(network: Gauge, test: Renderings, spearmanr: object) -> str:
    network.eval()
    pair = torch.from_numpy(test.pictures).permute(0, 1, 4, 2, 3).float() / 255
    with torch.inference_mode():
        guess = network.verdict(pair[:, 0], pair[:, 1]).numpy()
    network.train()
    rank = spearmanr(guess, test.verdicts).statistic  # type: ignore[operator]
    error = np.abs(guess - test.verdicts).mean()
    return f"people held out: Spearman {rank:.3f}, mean error {error:.3f}"


if __name__ == "__main__":
    main()
