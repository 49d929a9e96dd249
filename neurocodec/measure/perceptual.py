"""The perceptual distance that comes along, as a metric: our estimate of LPIPS."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from neurocodec.errors import InputError
from neurocodec.measure.clips import Frames
from neurocodec.measure.metric import Metric, Values
from neurocodec.models.model_files import ModelDescription, find, load
from neurocodec.networks.perceptual import LEAST_SIDE, Perceptual
from neurocodec.options import DEFAULT_FEEDBACK
from neurocodec.types import Picture

_MOST_PLACES = 640 * 360
"""Pixels of pictures that are looked at together, at most."""


class PerceptualDistance:
    """Distances of pictures to their originals, whole and by place."""

    def __init__(self, description: ModelDescription) -> None:
        self._network = cast(Perceptual, load(description))
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, originals: Frames, pictures: Frames) -> list[Tensor]:
        """Pictures (B,H,W,3) -> distances by place, (B,h,w) at five depths; their means add up."""
        count = len(originals)
        both = torch.from_numpy(np.concatenate([originals, pictures])).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            features = [x.split(count) for x in self._network.features(both)]
            return self._network.maps([a for a, _ in features], [b for _, b in features])

    def __call__(self, original: Picture, picture: Picture) -> float:
        """Distance of two pictures (H,W,3), 0 = equal."""
        return sum(float(m.mean()) for m in self.maps(original[None], picture[None]))


def distance_model() -> ModelDescription | None:
    """The distance that comes along, if it is installed."""
    try:
        return find(DEFAULT_FEEDBACK, "feedback")
    except InputError:
        return None


@lru_cache(maxsize=1)
def _opened(name: str) -> PerceptualDistance:
    return PerceptualDistance(find(name, "feedback"))


class Perceptuality(Metric):
    """The perceptual distance, our estimate of LPIPS."""

    name, title, better = "perceptual", "perceptual distance", "lower"
    explained = (
        "our estimate of LPIPS (AlexNet), by a network of ours that was taught it; on people and codecs that "
        "it has not seen the correlation with LPIPS is .98 or more (docs/compare.md)"
    )

    def missing(self, width: int, height: int) -> str | None:
        if distance_model() is None:
            return f"the model {DEFAULT_FEEDBACK} is not installed"
        if min(width, height) < LEAST_SIDE:
            return f"pictures must be at least {LEAST_SIDE} pixels a side"
        return None

    def identity(self) -> str:
        model = distance_model()
        return f"{self.name} {model.hash if model else '-'}"

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        distance = _opened(DEFAULT_FEEDBACK)
        out: Values = [None] * len(source)
        rows: Any = range(0, len(source), every)
        together = max(1, _MOST_PLACES // (source.shape[1] * source.shape[2]))
        for k in range(0, len(rows), together):
            some = list(rows[k : k + together])
            found = distance.maps(source[some], decoded[some])
            for row, value in zip(some, torch.stack([m.mean((1, 2)) for m in found]).sum(0), strict=True):
                out[row] = float(value)
        return out
