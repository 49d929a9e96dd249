"""Training of the original codec's feedback network from its own layout: a folder for each class of pictures.

``TRAIN/<class>/*.png`` and ``TEST/<class>/*.png``: two classes, in order of name the distorted pictures (0)
and those that look real (1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.errors import InputError
from neurocodec.networks.classic_feedback import IMAGE_SIZE, ClassicFeedback
from neurocodec.training.clips import PICTURES

_BATCH = 16


def find_pictures(folder: Path) -> tuple[list[str], list[tuple[Path, int]]]:
    """Names of the two classes, and every picture with its class.

    Raises:
        InputError: no folder, not two classes, or one without pictures.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    classes = sorted(p for p in folder.iterdir() if p.is_dir())
    if len(classes) != 2:
        raise InputError(f"{folder} has {len(classes)} class folders, not two (distorted, real)")
    found: list[tuple[Path, int]] = []
    for number, one in enumerate(classes):
        pictures = sorted(p for p in one.rglob("*") if p.suffix.lower() in PICTURES)
        if not pictures:
            raise InputError(f"no pictures in {one}")
        found += [(p, number) for p in pictures]
    return [c.name for c in classes], found


def read_picture(path: Path) -> Tensor:
    """(3,256,256) in [0,1], blue first, squeezed to the square as the original does.

    Raises:
        InputError: it is no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{path} is not a picture")
    small = cv2.resize(picture, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(small, np.uint8)).permute(2, 0, 1).float() / 255


class ClassicObjective(nn.Module):
    """Cross entropy of the score."""

    def __init__(self, network: ClassicFeedback) -> None:
        super().__init__()
        self.network = network

    def forward(self, bgr: Tensor, label: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,256,256), labels (B,) 0 or 1 -> loss and figures."""
        score = self.network(bgr).float()
        right = ((score.detach() > 0.5).float() == label).float().mean()
        with torch.autocast(bgr.device.type, enabled=False):
            return F.binary_cross_entropy(score, label), {"accuracy": right}


class ClassicTask:
    """As :class:`neurocodec.training.loop.Task`."""

    def __init__(self, train: Path, test: Path, batch: int, device: torch.device) -> None:
        self.classes, self._train = find_pictures(train)
        others, self._test = find_pictures(test)
        if others != self.classes:
            raise InputError(f"{test} has the classes {others}, {train} has {self.classes}")
        self._by_class = [[p for p, c in self._train if c == k] for k in (0, 1)]
        self.network = ClassicFeedback()
        self.objective = ClassicObjective(self.network)
        self._batch, self._device = batch, device

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        labels = rng.integers(0, 2, self._batch)
        paths = [self._by_class[k][rng.integers(len(self._by_class[k]))] for k in labels]
        pictures = torch.stack([read_picture(p) for p in paths])
        mirrored = torch.from_numpy(rng.random(self._batch) < 0.5)
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        return pictures.to(self._device), torch.from_numpy(labels).float().to(self._device)

    def sheet(self, average: nn.Module) -> None:
        return None

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "classic-feedback"}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Share of test pictures that are told right, and the mean score of each class."""
        average.eval()
        scores, labels = [], np.array([c for _, c in self._test])
        with torch.inference_mode():
            for k in range(0, len(self._test), _BATCH):
                pictures = torch.stack([read_picture(p) for p, _ in self._test[k : k + _BATCH]])
                scores.append(average(pictures.to(self._device)).float().cpu().numpy())
        found = np.concatenate(scores)
        return {
            "accuracy": float(((found > 0.5) == labels).mean()),
            "score_of_distorted": float(found[labels == 0].mean()),
            "score_of_real": float(found[labels == 1].mean()),
        }
