"""Training of the feedback network: it learns how far a rendering is off from it and its reference alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.networks.gauge import SIDE, Gauge
from neurocodec.training.judged import Judged, halved
from neurocodec.verdict import measured_verdict


class GaugeObjective(nn.Module):
    """Cross entropy of the verdict."""

    def __init__(self, network: Gauge) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, rendering: Tensor, reference: Tensor, verdict: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,S,S) in [0,1], verdicts (B,) in [0,1] -> loss and figures."""
        logits = self.network(rendering, reference)
        loss = F.binary_cross_entropy_with_logits(logits, verdict)
        return loss, {"error": (torch.sigmoid(logits.detach()) - verdict).abs().mean()}


class GaugeTask:
    """As :class:`neurocodec.training.loop.Task`."""

    def __init__(
        self, fields: dict[str, Any], train: Judged, test: Judged, batch: int, device: torch.device
    ) -> None:
        self.network = Gauge(**fields)
        self.objective = GaugeObjective(self.network)
        self._fields, self._batch, self._device = fields, batch, device
        self._train, self._test = (self._small(j, device) for j in (train, test))

    @staticmethod
    def _small(judged: Judged, device: torch.device) -> tuple[Tensor, Tensor]:
        """Renderings and references (count,2,3,128,128) uint8, verdicts (count,)."""
        both = np.stack([halved(x, SIDE) for x in (judged.renderings, judged.references)], 1)
        verdicts = np.clip(measured_verdict(np.asarray(judged.distances, np.float64)), 0, 1)
        pictures = torch.from_numpy(both).permute(0, 1, 4, 2, 3)
        return pictures.to(device), torch.from_numpy(verdicts.astype(np.float32)).to(device)

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        pictures, verdicts = self._train
        rows = torch.from_numpy(rng.integers(0, len(verdicts), self._batch)).to(self._device)
        pair = pictures[rows].float() / 255
        mirrored = torch.from_numpy(rng.random(self._batch) < 0.5).to(self._device)
        pair = torch.where(mirrored[:, None, None, None, None], pair.flip(-1), pair)
        # other light, the same for both: few people must not be told apart by their colours
        gain = torch.from_numpy(rng.uniform(0.8, 1.2, (self._batch, 1, 3, 1, 1)).astype(np.float32))
        gamma = torch.from_numpy(np.exp(rng.uniform(-0.2, 0.2, (self._batch, 1, 1, 1, 1))).astype(np.float32))
        pair = (pair.clamp(min=1e-4) ** gamma.to(self._device) * gain.to(self._device)).clamp(0, 1)
        return pair[:, 0], pair[:, 1], verdicts[rows]

    def sheet(self, average: nn.Module) -> None:
        return None

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "gauge", "model": self._fields}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Rank correlation and mean error on people never trained on."""
        from scipy.stats import spearmanr

        assert isinstance(average, Gauge)
        average.eval()
        pictures, verdicts = self._test
        with torch.inference_mode():
            guess = torch.cat(
                [average.verdict(*(p[:, k].float() / 255 for k in (0, 1))) for p in pictures.split(32)]
            )
        found, truth = guess.cpu().numpy(), verdicts.cpu().numpy()
        return {"spearman": rank(found, truth, spearmanr), "mean_error": float(np.abs(found - truth).mean())}


def rank(found: NDArray[np.floating], truth: NDArray[np.floating], spearmanr: Any) -> float:
    """Rank correlation; 0 where one of the two does not vary."""
    if np.ptp(found) == 0 or np.ptp(truth) == 0:
        return 0.0
    return float(spearmanr(found, truth).statistic)
