"""Training of the motion model (keypoints, dense motion, generator) on pairs of frames of one clip."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocodec.errors import InputError, UsageError
from neurocodec.models import files as models
from neurocodec.networks.talk import Talk, TalkConfig
from neurocodec.training import loop, machine
from neurocodec.training.augment import Prepared, prepare
from neurocodec.training.clips import Clip, find_clips
from neurocodec.training.config import MotionConfig
from neurocodec.training.data import FramePairs, build_cache, restore_references, split_people
from neurocodec.training.export import export
from neurocodec.training.objective import MotionObjective
from neurocodec.training.sheet import contact_sheet
from neurocodec.training.state import STATE, fill, generators, weights_of

CACHE = "cache"
_SHEET_ROWS = 8


@dataclass
class Files:
    """What a training is given beside its settings.

    ``data``: folder of clips; ``clips``: a table in place of its own clips.csv; ``cache``: clips already
    decoded (None: ``out``/cache is made from ``data``); ``landmarks``: npz, see
    :func:`neurocodec.training.data.read_landmarks`; ``squeeze``, ``vgg``: networks of losses; ``validate``:
    folder of clips to encode and decode, ``lpips``: to judge them by.
    """

    out: Path
    data: Path | None = None
    clips: Path | None = None
    cache: Path | None = None
    landmarks: Path | None = None
    init: Path | None = None
    squeeze: Path | None = None
    vgg: Path | None = None
    validate: Path | None = None
    lpips: Path | None = None


def talk_config(fields: dict[str, Any]) -> TalkConfig:
    """A model's shape from a configuration.

    Raises:
        UsageError: unknown fields, or values that make no model.
    """
    try:
        config = TalkConfig(**fields)
        widths = (config.keypoint_width, config.motion_width, config.generator_width)
        if type(config.restorer_width) is not int or config.restorer_width < 0:
            raise ValueError("restorer_width is a whole number")
        integers = (config.size, config.num_tps, *widths)
        if any(type(v) is not int or v < 1 for v in integers) or config.size % 16 or config.size < 32:
            raise ValueError("sizes and widths are whole numbers, size a multiple of 16 and at least 32")
        if config.num_tps > 51:
            raise ValueError("at most 51 splines (255 keypoints)")
    except (TypeError, ValueError) as error:
        raise UsageError(f"[model] makes no motion model: {error}") from None
    return config


def untrained(config: TalkConfig) -> Talk:
    """A network without the landmark basis, which is learned when it is exported."""
    network = Talk(config)
    del network.landmark_basis
    return network


class MotionTask:
    """The motion model as a :class:`neurocodec.training.loop.Task`.

    ``train`` is sampled from, ``watched`` shown in the contact sheet.
    """

    def __init__(
        self, config: MotionConfig, files: Files, train: FramePairs, watched: FramePairs, device: torch.device
    ) -> None:
        self.config, self.files, self._device, self._pairs = config, files, device, train
        self.network: Talk = untrained(talk_config(config.model))
        if self.network.restorer is not None:  # trained by itself; references come cleaned
            self.network.restorer.requires_grad_(False)
        self.objective = MotionObjective(self.network, config.loss, config.augment, files.squeeze, files.vgg)
        rng, generator, _ = generators(7, 0, 0)
        self._shown = prepare(watched.sample(_SHEET_ROWS, rng, 1.0), generator, 0.0)

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        augment = self.config.augment
        drawn = self._pairs.sample(self.config.optimizer.batch, rng, augment.compressed)
        return (*prepare(drawn, generator, augment.affine, augment.tilt).tensors(), seed)

    def sheet(self, average: nn.Module) -> NDArray[np.uint8]:
        assert isinstance(average, Talk)
        shown = Prepared(*(t.to(self._device) for t in self._shown.tensors()))
        return contact_sheet(average, shown)

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "talk", "model": self.network.config.as_dict()}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Encode and decode the validation clips with the averaged weights as they are now."""
        from neurocodec.training.evaluate import Measure, evaluate

        assert self.files.validate
        assert isinstance(average, Talk)
        clips = find_clips(self.files.validate, split="val")
        measure = Measure(lpips=self.files.lpips)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "validation.safetensors"
            self.export(average, model, people=min(12, self.config.watch.people))
            results = [
                evaluate(c.path, self.config.watch.validate_seconds, measure, 5, model=str(model))
                for c in clips
            ]
        names = [n for n in measure.names if n in results[0]]
        return {n: float(np.mean([r[n] for r in results])) for n in ["kbps", *names]}

    def export(self, average: Talk, path: Path, people: int) -> models.ModelDescription:
        """Write the averaged network as a model, with a landmark basis of the training clips."""
        return export(
            average.state_dict(), average.config, path, name=self.config.name,
            clips=training_clips(self.config, self.files), people=people, region=self.config.data.region,
        )  # fmt: skip


def training_clips(config: MotionConfig, files: Files) -> list[Clip]:
    """The clips of ``--data``; none without it."""
    if files.data is None:
        return []
    return find_clips(files.data, config.data.min_face, table=files.clips)


def _cleaned(config: MotionConfig, files: Files, cache: Path, fabric: Any) -> Path | None:
    """The cache's references, cleaned with the restorer that the training starts from, if there is one."""
    state = files.out / STATE
    source = state if state.is_file() else files.init
    network = untrained(talk_config(config.model))
    if source is None or network.restorer is None:
        return None
    fill(network, weights_of(source), source)
    weights = {k: v for k, v in network.state_dict().items() if k.startswith("restorer.")}
    network.to(fabric.device).eval()
    path = None
    for turn in (True, False):
        if machine.is_first(fabric) is turn:
            path = restore_references(cache, network, models.weights_hash(weights), fabric.device)
        fabric.barrier()
    return path


def run(config: MotionConfig, files: Files, export_to: Path | None, quiet: bool) -> list[str]:
    """Train, or go on training; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    talk_config(config.model)
    if files.data is None and files.cache is None:
        raise UsageError("give --data DIR (clips) or --cache DIR (decoded ones)")
    if export_to and files.data is None:
        raise UsageError("--export learns the landmark basis from clips: give --data DIR as well")
    if files.validate is not None:
        find_clips(files.validate, split="val")
        if files.data is None:
            raise UsageError("--validate learns a landmark basis from clips: give --data DIR as well")
    else:
        config.watch.validate = 0
    if config.optimizer.batch < 1:
        raise UsageError("batch must be at least 1")
    fabric = machine.start(config.machine, config.optimizer.seed)
    cache = files.cache or files.out / CACHE
    if files.cache is None and machine.is_first(fabric):
        clips: Sequence[Clip] = training_clips(config, files)
        build_cache(clips, cache, config.data, files.landmarks)
    if files.init is not None and not files.init.exists():
        raise InputError(f"no weights {files.init}")
    fabric.barrier()
    people, kept = split_people(cache, config.data.held_out)
    cleaned = _cleaned(config, files, cache, fabric)
    train = FramePairs(cache, people, fabric.device, cleaned)
    watched = FramePairs(cache, kept or people, references=cleaned)
    task = MotionTask(config, files, train, watched, fabric.device)
    average = loop.train(
        task, config.optimizer, config.machine, config.watch, files.out, fabric, init=files.init, quiet=quiet
    )
    if not machine.is_first(fabric):
        return []
    lines = [f"{len(people)} people, {len(kept)} held out; losses: {task.objective.describe()}"]
    lines.append(f"state, logs and contact sheets: {files.out}")
    if export_to:
        assert isinstance(average, Talk)
        model = task.export(average.cpu(), export_to, config.watch.people)
        lines.append(f"{model.name} ({model.hash[:16]}) -> {model.path}")
    return lines
