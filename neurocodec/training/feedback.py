"""Trainings of feedback networks: our own, which learns LPIPS from renderings, and the original's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neurocodec.errors import UsageError
from neurocodec.measure.pictures import Lpips
from neurocodec.models import files as models
from neurocodec.models.engine import Engine
from neurocodec.training import loop, machine
from neurocodec.training import renderings as judged
from neurocodec.training.clips import find_clips
from neurocodec.training.config import FeedbackConfig
from neurocodec.training.data import FramePairs, build_cache, split_people
from neurocodec.training.renderings import Judged

SAMPLES, CACHE = "samples", "cache"
TRUTH = "LPIPS (AlexNet)"
_FIRST = 5
"""Place in the list of people of the first one that is held out."""


@dataclass
class Files:
    """``data``, ``clips``, ``cache``, ``landmarks`` as in :class:`neurocodec.training.motion.Files`.

    ``lpips``: the true distance's weights; ``model``: whose renderings are judged.
    """

    out: Path
    data: Path | None = None
    clips: Path | None = None
    cache: Path | None = None
    lpips: Path | None = None
    model: str | None = None


def samples(config: FeedbackConfig, files: Files, fabric: Any) -> tuple[Judged, Judged]:
    """Samples to learn from, and those of people held out.

    Every process but the first reads what the first has made.

    Raises:
        UsageError: clips or LPIPS are missing, or there would be too few samples.
        InputError: the file of LPIPS is none.
    """
    if files.data is None and files.cache is None:
        raise UsageError("give --data DIR (clips) or --cache DIR (decoded ones)")
    if config.samples.count < judged.TOGETHER or config.samples.test < 3:
        raise UsageError(f"[samples] count must be at least {judged.TOGETHER}, test at least 3")
    if files.lpips is None:
        raise UsageError("the feedback network learns LPIPS: give its weights with --lpips")
    maker = _Maker(config, files, Lpips(files.lpips), fabric.device.type)
    result = None
    for turn in (True, False):
        if machine.is_first(fabric) is turn:
            result = maker.both()
        fabric.barrier()
    assert result
    return result


class _Maker:
    """Makes samples, or finds those made before, in ``out``/samples."""

    def __init__(self, config: FeedbackConfig, files: Files, distance: Lpips, device: str) -> None:
        self._config, self._files, self._distance, self._device = config, files, distance, device
        self._model = models.find(files.model or models.DEFAULT_MOTION, "motion")

    def both(self) -> tuple[Judged, Judged]:
        """Of people to learn from, and of people held out (every so manieth from the _FIRST-th on)."""
        config, files = self._config, self._files
        cache = files.cache or files.out / CACHE
        if files.cache is None and files.data is not None:
            config.data.size = self._model.size
            clips = find_clips(files.data, config.data.min_face, table=files.clips)
            build_cache(clips, cache, config.data)
        people, held_out = split_people(cache, config.data.held_out, _FIRST)
        seed = config.optimizer.seed
        return (
            self._part("train", cache, config.samples.count, people, seed),
            self._part("test", cache, config.samples.test, held_out or people, seed + 1),
        )

    def _part(self, part: str, cache: Path, count: int, people: set[str], seed: int) -> Judged:
        held, vary = self._config.samples.held, self._config.samples.vary
        recipe = {
            "part": part, "count": count, "people": sorted(people), "seed": seed, "model": self._model.hash,
            "distance": TRUTH, "held": held, "vary": vary, "cache": str(cache.resolve()),
        }  # fmt: skip

        def build() -> Judged:
            engine = Engine(self._model, self._device, self._config.machine.threads or None)
            return judged.make(FramePairs(cache, people), count, engine, self._distance, seed, held, vary)

        return judged.kept(self._files.out / SAMPLES / part, recipe, build)


def _report(task: loop.Task, average: nn.Module, what: str) -> list[str]:
    figures = task.validate(average)
    return [f"{what}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items())]


def _written(path: Path | None, average: nn.Module, name: str, architecture: str, fields: Any) -> list[str]:
    if path is None:
        return []
    tensors = {k: v for k, v in average.state_dict().items() if not k.endswith("num_batches_tracked")}
    model = models.save(
        path, tensors, name=name, architecture=architecture, size=256, keypoints=0, config=fields,
        half=architecture != "classic-feedback",
    )  # fmt: skip
    return [f"{model.name} ({model.hash[:16]}) -> {model.path}"]


def _trained(
    task: loop.Task, config: FeedbackConfig, out: Path, fabric: Any, init: Path | None, quiet: bool
) -> nn.Module:
    return loop.train(
        task, config.optimizer, config.machine, config.watch, out, fabric, init=init, quiet=quiet
    ).cpu()  # fmt: skip


def run_feedback(
    config: FeedbackConfig, files: Files, init: Path | None, export_to: Path | None, quiet: bool
) -> list[str]:
    """Train a likeness on renderings, their originals and LPIPS; lines to print."""
    from neurocodec.training.distance_task import LikenessTask

    if config.optimizer.batch % judged.TOGETHER:
        raise UsageError(
            f"[optimizer] batch must be a multiple of {judged.TOGETHER}, whose renderings are compared"
        )
    fabric = machine.start(config.machine, config.optimizer.seed)
    train, test = samples(config, files, fabric)
    try:
        task = LikenessTask(config.model, train, test, config.optimizer.batch, fabric.device)
    except (TypeError, ValueError) as error:
        raise UsageError(f"[model] makes no likeness: {error}") from None
    average = _trained(task, config, files.out, fabric, init, quiet)
    if not machine.is_first(fabric):
        return []
    lines = [f"{len(train)} renderings judged by {TRUTH}, mean distance {np.mean(train.distances):.3f}"]
    alone = LikenessTask(config.model, test, test, 1, torch.device("cpu"))
    lines += _report(alone, average, "people held out")
    return lines + _written(export_to, average, config.name, "likeness", config.model)


def run_classic(
    config: FeedbackConfig, train: Path, test: Path, out: Path, init: Path | None, export_to: Path | None,
    quiet: bool,
) -> list[str]:  # fmt: skip
    """Train the original's feedback network from class folders; lines to print."""
    from neurocodec.training.class_folders import ClassicTask

    fabric = machine.start(config.machine, config.optimizer.seed)
    task = ClassicTask(train, test, config.optimizer.batch, fabric.device)
    average = _trained(task, config, out, fabric, init, quiet)
    if not machine.is_first(fabric):
        return []
    lines = [f"distorted (0): {task.classes[0]!r}, real (1): {task.classes[1]!r}"]
    lines += _report(ClassicTask(train, test, 1, torch.device("cpu")), average, "test pictures")
    return lines + _written(export_to, average, config.name, "classic-feedback", {})
