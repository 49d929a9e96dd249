"""Trainings of feedback networks: our own, which learns LPIPS from renderings, and the original's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from neurocodec.errors import UsageError
from neurocodec.measure.lpips import Lpips
from neurocodec.models.model_files import find, save
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import DEFAULT_MOTION
from neurocodec.training import loop, machine
from neurocodec.training.classic import ClassicTask
from neurocodec.training.config import FeedbackConfig
from neurocodec.training.distance import DistanceTask
from neurocodec.training.frame_pairs import FramePairs
from neurocodec.training.renderings import TOGETHER, Renderings, kept, render
from neurocodec.training.setup import Files, cached_clips, check, written
from neurocodec.training.state import to_ship

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAMPLES = "samples"
TRUTH = "LPIPS (AlexNet)"
_FIRST = 5
"""Place in the list of people of the first one that is held out."""


def samples(config: FeedbackConfig, files: Files, fabric: Fabric) -> tuple[Renderings, Renderings]:
    """Samples to learn from, and those of people held out, in ``out``/samples: made, or found there.

    Raises:
        UsageError: LPIPS is missing, or there would be too few samples.
        InputError: the file of LPIPS is none.
    """
    if config.samples.count < TOGETHER or config.samples.test < 3:
        raise UsageError(f"[samples] count must be at least {TOGETHER}, test at least 3")
    if files.lpips is None:
        raise UsageError("the feedback network learns LPIPS: give its weights with --lpips")
    distance = Lpips(files.lpips)
    model = find(files.model or DEFAULT_MOTION, "motion")
    if files.cache is None:
        config.data.size = model.size
    cache, people, held_out = cached_clips(config, files, fabric, _FIRST)
    held, vary, seed = config.samples.held, config.samples.vary, config.optimizer.seed

    def part(name: str, count: int, some: set[str], seed: int) -> Renderings:
        recipe = {
            "part": name, "count": count, "people": sorted(some), "seed": seed, "model": model.hash,
            "distance": TRUTH, "held": held, "vary": vary, "cache": str(cache.resolve()),
        }  # fmt: skip

        def build() -> Renderings:
            engine = MotionEngine(model, fabric.device.type, config.machine.threads or None)
            return render(FramePairs(cache, some), count, engine, distance, seed, held, vary)

        return machine.in_turns(fabric, lambda: kept(files.out / SAMPLES / name, recipe, build))

    return (
        part("train", config.samples.count, people, seed),
        part("test", config.samples.test, held_out or people, seed + 1),
    )


def _report(task: loop.Task, average: nn.Module, what: str) -> str:
    return f"{what}: " + ", ".join(f"{k} {v:.3f}" for k, v in task.validate(average).items())


def _save(path: Path, average: nn.Module, name: str, architecture: str, fields: dict[str, Any]) -> str:
    return written(
        save(
            path, to_ship(average), name=name, architecture=architecture, size=256, keypoints=0,
            config=fields, half=architecture != "classic-feedback",
        )
    )  # fmt: skip


def train_distance(config: FeedbackConfig, files: Files, export_to: Path | None, quiet: bool) -> list[str]:
    """Train our own network on renderings, their originals and LPIPS; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    check(config, files)
    if config.optimizer.batch % TOGETHER:
        raise UsageError(f"[optimizer] batch must be a multiple of {TOGETHER}, whose renderings are compared")
    fabric = machine.start(config.machine, config.optimizer.seed)
    train, test = samples(config, files, fabric)
    try:
        task = DistanceTask(config.model, train, test, config.optimizer.batch, fabric.device)
    except (TypeError, ValueError) as error:
        raise UsageError(f"[model] makes no likeness: {error}") from None
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet).cpu()
    if not machine.is_first(fabric):
        return []
    alone = DistanceTask(config.model, test, test, 1, torch.device("cpu"))
    mean = np.mean(train.distances)
    lines = [
        f"{len(train.distances)} renderings judged by {TRUTH}, mean distance {mean:.3f}",
        _report(alone, average, "people held out"),
    ]
    if export_to:
        lines.append(_save(export_to, average, config.name, "likeness", config.model))
    return lines


def train_classic(
    config: FeedbackConfig, files: Files, train: Path, test: Path, export_to: Path | None, quiet: bool
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
    lines = [
        f"distorted (0): {task.classes[0]!r}, real (1): {task.classes[1]!r}",
        _report(alone, average, "test pictures"),
    ]
    if export_to:
        lines.append(_save(export_to, average, config.name, "classic-feedback", {}))
    return lines
