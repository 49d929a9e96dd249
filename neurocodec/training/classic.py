"""The original codec's feedback network as a task, from its own layout: a folder for each class of pictures.

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

from neurocodec.datasets.clips import PICTURES, read_image
from neurocodec.errors import InputError
from neurocodec.models.model_files import save
from neurocodec.networks.classic_feedback import IMAGE_SIZE, ClassicFeedback
from neurocodec.training import loop, machine
from neurocodec.training.config import ClassicConfig
from neurocodec.training.setup import Files, check, written
from neurocodec.training.state import to_ship

_BATCH = 16


def find_pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures of the two classes, by the classes' names.

    Raises:
        InputError: no folder, not two classes, or one without pictures.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    classes = sorted(p for p in folder.iterdir() if p.is_dir())
    if len(classes) != 2:
        raise InputError(f"{folder} has {len(classes)} class folders, not two (distorted, real)")
    found = {c.name: sorted(p for p in c.rglob("*") if p.suffix.lower() in PICTURES) for c in classes}
    for one in classes:
        if not found[one.name]:
            raise InputError(f"no pictures in {one}")
    return found


def read_square(path: Path) -> Tensor:
    """(3,256,256) in [0,1], blue first, squeezed to the square as the original does.

    Raises:
        InputError: it is no picture.
    """
    small = cv2.resize(read_image(path), (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(small, np.uint8)).permute(2, 0, 1).flip(0).float() / 255


class ClassicTask(loop.Task):
    """The original's network, its cross entropy on one folder's classes, what it makes of another's."""

    def __init__(self, train: Path, test: Path, batch: int, device: torch.device) -> None:
        super().__init__()
        found, others = find_pictures(train), find_pictures(test)
        self.classes = list(found)
        if list(others) != self.classes:
            raise InputError(f"{test} has the classes {list(others)}, {train} has {self.classes}")
        self._train, self._test = list(found.values()), list(others.values())
        self.network = ClassicFeedback()
        self._batch, self._device = batch, device

    def forward(self, bgr: Tensor, label: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,256,256), labels (B,) 0 or 1 -> loss and figures."""
        score = self.network(bgr).float()
        right = ((score.detach() > 0.5).float() == label).float().mean()
        with torch.autocast(bgr.device.type, enabled=False):
            return F.binary_cross_entropy(score, label), {"accuracy": right}

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        labels = rng.integers(0, 2, self._batch)
        paths = [self._train[k][rng.integers(len(self._train[k]))] for k in labels]
        pictures = torch.stack([read_square(p) for p in paths])
        mirrored = torch.from_numpy(rng.random(self._batch) < 0.5)
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        return pictures.to(self._device), torch.from_numpy(labels).float().to(self._device)

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "classic-feedback"}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Share of test pictures that are told right, and the mean score of each class."""
        distorted, real = (self._scores(average, paths) for paths in self._test)
        right = np.concatenate([distorted <= 0.5, real > 0.5])
        return {
            "accuracy": float(right.mean()),
            "score_of_distorted": float(distorted.mean()),
            "score_of_real": float(real.mean()),
        }

    def _scores(self, average: nn.Module, paths: list[Path]) -> np.ndarray:
        average.eval()
        scores = []
        with torch.inference_mode():
            for k in range(0, len(paths), _BATCH):
                pictures = torch.stack([read_square(p) for p in paths[k : k + _BATCH]])
                scores.append(average(pictures.to(self._device)).float().cpu().numpy())
        return np.concatenate(scores)


def run(
    config: ClassicConfig, files: Files, train: Path, test: Path, export_to: Path | None, quiet: bool
) -> list[str]:
    """Train the original's feedback network from class folders; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    check(config, files, clips=False)
    fabric = machine.start(config.machine, config.optimizer.seed)
    task = ClassicTask(train, test, config.optimizer.batch, fabric.device)
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet).cpu()
    if not machine.is_first(fabric):
        return []
    alone = ClassicTask(train, test, 1, torch.device("cpu"))
    figures = ", ".join(f"{k} {v:.3f}" for k, v in alone.validate(average).items())
    lines = [
        f"distorted (0): {task.classes[0]!r}, real (1): {task.classes[1]!r}",
        f"test pictures: {figures}",
    ]
    if export_to:
        model = save(
            export_to, to_ship(average), name=config.name, architecture="classic-feedback", size=256,
            keypoints=0, config={}, half=False,
        )  # fmt: skip
        lines.append(written(model))
    return lines
