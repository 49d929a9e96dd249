"""Training of the landmark network: 68 points from a picture, through a latent that is cheap to send.

The loss is a wing loss (Feng et al., CVPR 2018) in per cent of the distance between the eyes, plus what the
latent costs: the latent carries the noise of a quantizer's step while it is trained, and changes between
neighbouring frames of a clip are charged their bits.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.networks.face68 import Face68
from neurocodec.training import loop, machine
from neurocodec.training.config import LandmarkConfig
from neurocodec.training.landmark_samples import Faces
from neurocodec.types import Pictures

OUTER_EYES = (36, 45)
STEPS = (60.0, 140.0)
"""Quantizations that the latent is trained for; they are those that ``encode --quality`` chooses from."""
_WING, _CURVE = 10.0, 2.0
_GUESS, _PRESENCE = 0.7, 2.0
"""Weights of the first guess's own loss, and of there being a face."""
_STARTING_FACES = 600
_WATCHED = (128, 64, 32)
"""Images, pairs and faceless crops that a validation looks at."""


def tensors(pictures: Pictures) -> Tensor:
    """(B,S,S,3) uint8 -> (B,3,S,S) in [0,1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)


def _eyes(truth: Tensor) -> Tensor:
    """Distances (B,) of the outer eye corners of landmarks (B,68,2)."""
    return (truth[:, OUTER_EYES[0]] - truth[:, OUTER_EYES[1]]).norm(dim=-1)


def normalized_errors(found: Tensor, truth: Tensor) -> Tensor:
    """Distances (B,68) of landmarks (B,68,2), in per cent of the distance of the outer eye corners."""
    return 100 * (found - truth).norm(dim=-1) / _eyes(truth).clamp(min=1e-3)[:, None]


def wing(found: Tensor, truth: Tensor) -> Tensor:
    """Wing loss of landmarks (B,68,2); errors in per cent of the distance of the outer eye corners."""
    error = 100 * (found - truth).abs() / _eyes(truth).clamp(min=0.05)[:, None, None]
    near = _WING * torch.log1p(error / _CURVE)
    constant = _WING - _WING * math.log1p(_WING / _CURVE)
    return torch.where(error < _WING, near, error - constant).mean()


def bits(first: Tensor, second: Tensor, quantization: Tensor) -> Tensor:
    """About the bits (B,) that coding the change of latents (B,L) takes at ``quantization`` (B,1)."""
    return torch.log2(1 + 2 * quantization * (second - first).abs()).sum(1)


class LandmarkTask(loop.Task):
    """The landmark network, on the cache of :func:`neurocodec.training.landmark_samples.write_cache`."""

    def __init__(self, config: LandmarkConfig, cache: Path, device: torch.device) -> None:
        super().__init__()
        self.config, self._device = config, device
        self._train, self._test = Faces(cache), Faces(cache, held_out=True)
        self.network: Face68 = Face68(**config.model)
        examples = self._train.sample(_STARTING_FACES, 0, 0, np.random.default_rng(config.optimizer.seed))[1]
        self.network.start_from(torch.from_numpy(examples))

    def forward(self, pictures: Tensor, truth: Tensor, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,S,S) in [0,1], landmarks (B,68,2), NaN without a face -> loss and figures."""
        rng = torch.Generator().manual_seed(seed)
        images, pairs = self.config.samples.images, self.config.samples.pairs
        first, second = slice(images, images + pairs), slice(images + pairs, images + 2 * pairs)
        there = torch.isfinite(truth).all(-1).all(-1)
        latents, presence, guess = self.network.encode_details(pictures)
        low, high = (math.log(v) for v in STEPS)
        steps = torch.exp(low + (high - low) * torch.rand(len(latents), 1, generator=rng)).to(truth.device)
        noise = (torch.rand(latents.shape, generator=rng) - 0.5).to(truth.device) / steps
        found = self.network.decode(latents + noise)[there]
        parts = {
            "wing": wing(found, truth[there]),
            "guess": wing(guess[there], truth[there]),
            "presence": F.binary_cross_entropy_with_logits(presence, there.float()),
            "bits": bits(latents[first], latents[second], steps[first]).mean(),
        }
        total = parts["wing"] + _GUESS * parts["guess"] + _PRESENCE * parts["presence"]
        total = total + self.config.bandwidth * parts["bits"]
        with torch.no_grad():
            parts["nme"] = normalized_errors(found, truth[there]).mean()
            parts["seen"] = ((presence > 0) == there).float().mean()
        return total, {name: value.detach() for name, value in parts.items()}

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        some = self.config.samples
        pictures, landmarks = self._train.sample(some.images, some.pairs, some.nothing, rng)
        batch = tensors(pictures).contiguous(memory_format=torch.channels_last)
        return batch.to(self._device), torch.from_numpy(landmarks).to(self._device), seed

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "face68", "model": self.config.model}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Figures on a fixed sample of the people held out."""
        assert isinstance(average, Face68)
        average.eval()
        images, pairs, _ = _WATCHED
        pictures, landmarks = self._test.sample(*_WATCHED, np.random.default_rng(7))
        with torch.inference_mode():
            latents, presence = (x.cpu() for x in average.encode(tensors(pictures).to(self._device)))
            found = average.decode((torch.round(latents * 100) / 100).to(self._device)).cpu()
        truth = torch.from_numpy(landmarks)
        faces = images + 2 * pairs
        errors = normalized_errors(found[:faces], truth[:faces]).mean(1)
        first, second = latents[images : images + pairs], latents[images + pairs : faces]
        return {
            "images": float(errors[:images].median()),
            "clips": float(errors[images:].median()),
            "images_mean": float(errors[:images].mean()),
            "bits": float(bits(first, second, torch.full((pairs, 1), 100.0)).mean()),
            "presence": float(((presence > 0) == torch.isfinite(truth[:, 0, 0])).float().mean()),
        }


def run(config: LandmarkConfig, cache: Path, out: Path, quiet: bool) -> list[str]:
    """Train, or go on training; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    fabric = machine.start(config.machine, config.optimizer.seed)
    task = LandmarkTask(config, cache, fabric.device)
    average = loop.train(task, config, out, fabric, quiet=quiet)
    figures = ", ".join(f"{name} {value:.3f}" for name, value in task.validate(average).items())
    return [f"people held out: {figures}", f"state and logs: {out}"]
