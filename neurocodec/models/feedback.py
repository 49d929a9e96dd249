"""The feedback network: how good is a rendering?

Two architectures can say.  ``perceptual`` measures the perceptual distance to the original, which an encoder
holds; ``classic-feedback``, the original codec's, looks at the rendering alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.models.device import BATCH, choose_device, fold_batch_norms
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.judge import Judge
from neurocodec.models.model_files import ModelDescription, find, installed, load
from neurocodec.models.tensors import picture_tensor
from neurocodec.types import Picture, Pictures

WORST_DISTANCE = 0.3
"""The distance, on the scale of LPIPS, of the verdict 0."""


class FeedbackNetwork(Protocol):
    """Renderings (B,S,S,3) and as many originals (S,S,3) -> verdicts (B,), 1 = perfect."""

    @property
    def description(self) -> ModelDescription:
        """Whose verdicts these are."""

    def __call__(self, renderings: Pictures, originals: Sequence[Picture]) -> NDArray[np.float64]:
        """Verdicts, at most 1."""


class DistanceFeedback:
    """Verdicts that fall with how bad a rendering looks, and are not bounded from below."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.distance = DistanceEngine(description, device)
        self._judge = Judge(self.distance)

    def __call__(self, renderings: Pictures, originals: Sequence[Picture]) -> NDArray[np.float64]:
        return 1 - self._judge(renderings, originals) / WORST_DISTANCE


class OriginalFeedback:
    """Verdicts of the original codec's network, in [0,1]; originals are not looked at."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.device = choose_device(device)
        network = load(description)
        fold_batch_norms(network)
        self._network: Any = network.to(self.device)

    def __call__(self, renderings: Pictures, originals: Sequence[Picture]) -> NDArray[np.float64]:
        with torch.inference_mode():
            out = [
                self._network.verdict(picture_tensor(renderings[k : k + BATCH], self.device))
                for k in range(0, len(renderings), BATCH)
            ]
            return torch.cat(out).double().cpu().numpy()


class CountedFeedback:
    """Another network's verdicts; ``verdicts`` and the ``seconds`` they took are counted."""

    def __init__(self, network: FeedbackNetwork) -> None:
        self._network = network
        self.verdicts, self.seconds = 0, 0.0

    @property
    def description(self) -> ModelDescription:
        """The other network's description."""
        return self._network.description

    def __call__(self, renderings: Pictures, originals: Sequence[Picture]) -> NDArray[np.float64]:
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
    here = {m.name for m in installed()}
    return find(next((name for name in others if name in here), last), "feedback")


def open_feedback(description: ModelDescription, device: str = "auto") -> FeedbackNetwork:
    """A model of kind ``feedback``, ready to give verdicts.

    Raises:
        InputError: its weights are damaged.
        UnsupportedError: there is no such device.
    """
    if description.architecture == "classic-feedback":
        return OriginalFeedback(description, device)
    return DistanceFeedback(description, device)
