"""Our own feedback network as a task, a perceptual distance: it learns LPIPS from renderings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn

from neurocodec.networks.likeness import Likeness
from neurocodec.training import loop
from neurocodec.training.renderings import TOGETHER, Renderings

_BATCH = 16
_SLIGHT = 0.05
"""Distance from which on errors count by their ratio to it."""


class DistanceTask(loop.Task):
    """The distance: relative errors of it, and of its differences within a group of samples.

    (An encoder compares renderings of one clip with one another.)  ``fields`` shape the network, ``batch`` is
    a multiple of ``TOGETHER``.
    """

    def __init__(
        self, fields: dict[str, Any], train: Renderings, test: Renderings, batch: int, device: torch.device
    ) -> None:
        super().__init__()
        self.network = Likeness(**fields)
        self._fields, self._batch, self._device = fields, batch, device
        self._train, self._test = train, test

    def forward(self, a: Tensor, b: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,S,S) twice in [0,1], LPIPS (B,) -> loss and figures; groups lie together."""
        error = self.network(a, b) - truth
        alone = (error.abs() / (truth + _SLIGHT)).mean()
        groups, true = error.unflatten(0, (-1, TOGETHER)), truth.unflatten(0, (-1, TOGETHER))
        between = (groups[:, :, None] - groups[:, None]).abs().mean((1, 2))
        within = (between / (true.mean(1) + _SLIGHT)).mean()
        return alone + within, {"error": error.detach().abs().mean(), "within": within.detach()}

    def _tensors(self, samples: Renderings, rows: NDArray[np.integer]) -> tuple[Tensor, Tensor, Tensor]:
        a, b = (
            torch.from_numpy(x[rows]).to(self._device).permute(0, 3, 1, 2).float() / 255
            for x in (samples.pictures, samples.originals)
        )
        return a, b, torch.from_numpy(samples.distances[rows]).to(self._device)

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        groups = rng.integers(0, len(self._train.distances) // TOGETHER, self._batch // TOGETHER)
        rows = (groups[:, None] * TOGETHER + np.arange(TOGETHER)).flatten()
        a, b, truth = self._tensors(self._train, rows)
        for axis in (-1, -2):
            if rng.random() < 0.5:
                a, b = a.flip(axis), b.flip(axis)
        if rng.random() < 0.3:
            a, b = b, a
        return a, b, truth

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "likeness", **self._fields}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Agreement with LPIPS on people never trained on."""
        average.eval()
        truth = np.asarray(self._test.distances)
        found = []
        with torch.inference_mode():
            for rows in np.split(np.arange(len(truth)), range(_BATCH, len(truth), _BATCH)):
                a, b, _ = self._tensors(self._test, rows)
                found.append(average(a, b).cpu().numpy())
        measured = np.concatenate(found)
        return {
            "spearman": float(spearmanr(measured, truth).statistic),
            "pearson": float(pearsonr(measured, truth).statistic),
            "mean_error": float(np.abs(measured - truth).mean()),
        }
