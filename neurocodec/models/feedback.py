"""The feedback network: how good is a rendering?

Two architectures can say.  ``likeness`` measures the perceptual distance to the original, which an encoder
holds; ``classic-feedback``, the original codec's, looks at the rendering alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.models import files as models
from neurocodec.models.device import BATCH, choose_device, fold_batch_norms
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.files import ModelDescription
from neurocodec.types import Pictures

WORST_DISTANCE = 0.3
"""Where the verdict is 0."""


def measured_verdict(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Perceptual distances on the scale of LPIPS -> verdicts, 1 = perfect, not bounded from below."""
    return 1 - distance / WORST_DISTANCE


class FeedbackNetwork(Protocol):
    """Renderings (B,S,S,3) and as many originals (S,S,3) -> verdicts (B,), 1 = perfect."""

    @property
    def description(self) -> ModelDescription:
        """Whose verdicts these are."""

    def __call__(self, renderings: Pictures, originals: Sequence[Pictures]) -> NDArray[np.float64]:
        """Verdicts, at most 1."""


class MeasuredFeedback:
    """Verdicts by the distance to the original (:func:`neurocodec.models.feedback.measured_verdict`)."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.meter = DistanceEngine(description, device)

    def __call__(self, renderings: Pictures, originals: Sequence[Pictures]) -> NDArray[np.float64]:
        return measured_verdict(self.meter(renderings, originals))


class UnaidedFeedback:
    """Verdicts of the original codec's network, in [0,1]; originals are not looked at."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.device = choose_device(device)
        network = models.load(description)
        fold_batch_norms(network)
        self._network: Any = network.to(self.device)

    def __call__(self, renderings: Pictures, originals: Sequence[Pictures]) -> NDArray[np.float64]:
        out = []
        with torch.inference_mode():
            for k in range(0, len(renderings), BATCH):
                some = torch.from_numpy(renderings[k : k + BATCH]).to(self.device)
                out.append(self._network.verdict(some.permute(0, 3, 1, 2).float().div_(255)))
            return torch.cat(out).double().cpu().numpy()


class CountedFeedback:
    """Another network's verdicts; ``verdicts`` and the ``seconds`` they took are counted."""

    def __init__(self, network: FeedbackNetwork) -> None:
        self._network = network
        self.verdicts, self.seconds = 0, 0.0

    @property
    def description(self) -> ModelDescription:
        """Of the other network."""
        return self._network.description

    def __call__(self, renderings: Pictures, originals: Sequence[Pictures]) -> NDArray[np.float64]:
        began = time.perf_counter()
        out = self._network(renderings, originals)
        self.seconds += time.perf_counter() - began
        self.verdicts += len(out)
        return out


def find_feedback(names: Sequence[str]) -> ModelDescription:
    """The feedback network with the first of these names that is installed; the last may be a file.

    Raises:
        InputError: there is none.
        UsageError: it is of another kind.
    """
    *others, last = names
    here = {m.name for m in models.installed()}
    return models.find(next((name for name in others if name in here), last), "feedback")


def open_feedback(description: ModelDescription, device: str = "auto") -> FeedbackNetwork:
    """A model of kind ``feedback``, ready to judge renderings.

    Raises:
        InputError: its weights are damaged.
        UnsupportedError: there is no such device.
    """
    if description.architecture == "classic-feedback":
        return UnaidedFeedback(description, device)
    return MeasuredFeedback(description, device)
