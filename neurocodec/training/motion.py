"""Training of the motion model (keypoints, dense motion, generator) on pairs of frames of one clip."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurocodec.datasets.clips import find_clips
from neurocodec.errors import UsageError
from neurocodec.evaluation.codec import Measure, evaluate
from neurocodec.models.model_files import ModelDescription, weights_hash
from neurocodec.networks.talk import Talk, TalkConfig, blended
from neurocodec.training import loop, machine
from neurocodec.training.augment import Prepared, moved, prepare, similarities, transform
from neurocodec.training.config import MotionConfig
from neurocodec.training.export import export
from neurocodec.training.frame_cache import restore_references
from neurocodec.training.frame_pairs import FramePairs
from neurocodec.training.keypoint_ties import attention, tie_distance
from neurocodec.training.losses import PerceptualLosses, weighted
from neurocodec.training.motion_sheet import contact_sheet
from neurocodec.training.setup import Files, cached_clips, check, training_clips, written
from neurocodec.training.state import STATE, fill, generators, weights_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_SHEET_ROWS = 8
_VALIDATION_EVERY, _VALIDATION_PEOPLE = 5, 12


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


class MotionTask(loop.Task):
    """The motion model; ``train`` is sampled from, ``watched`` shown in the contact sheet."""

    def __init__(
        self, config: MotionConfig, files: Files, train: FramePairs, watched: FramePairs, device: torch.device
    ) -> None:
        super().__init__()
        self.config, self.files, self._device, self._pairs = config, files, device, train
        self.network: Talk = untrained(talk_config(config.model))
        if self.network.restorer is not None:  # trained by itself; references come cleaned
            self.network.restorer.requires_grad_(False)
        self.perceptual = PerceptualLosses(files.squeeze, files.vgg)
        rng, generator, _ = generators(7, 0, 0)
        self._shown = prepare(watched.sample(_SHEET_ROWS, rng, 1.0), generator, 0.0)

    def forward(
        self, reference: Tensor, other: Tensor, target: Tensor, following: Tensor,
        landmarks: Tensor, mirrored: Tensor, seed: int,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """Fields of :class:`neurocodec.training.augment.Prepared`, and what its random numbers come from.

        Returns the loss and its parts (scalars, without gradients).
        """
        rng = torch.Generator().manual_seed(seed)
        device, (b, _, size, _) = target.device, target.shape
        model, augment = self.network, self.config.augment
        quarter = max(1, b // 4)
        theta = similarities(quarter, 0.25, rng).to(device)
        bent = transform(target[:quarter], theta)
        count = 2 if float(torch.rand((), generator=rng)) < augment.pairs else 1
        pictures = [reference, other][:count]
        points = model.keypoints(torch.cat([target, following, bent, *pictures]))
        kp, kp_next, kp_bent, *kp_references = points.split([b, b, quarter, *[b] * count])

        span = math.log(augment.finest / augment.coarsest)
        quantization = torch.exp(torch.rand(b, 1, 1, generator=rng) * span + math.log(augment.coarsest))
        noise = (torch.rand(kp.shape, generator=rng) - 0.5) / quantization
        features = [model.encode_restored(*pair) for pair in zip(pictures, kp_references, strict=True)]
        out = model.render_details(features, kp + noise.to(device))

        # without the blend in half of the samples: the generator has to learn to paint
        keep = (torch.rand(b, 1, 1, 1, generator=rng) < 0.5).float().to(device)
        prediction = blended(out, keep)
        weight = attention(landmarks, size, self.config.loss.attention)
        side = min(size, size // 4 + 32)
        top, left = torch.randint(0, size - side + 1, (2,), generator=rng).tolist()
        window = slice(None), slice(None), slice(top, top + side), slice(left, left + side)
        parts = {
            "pixel": ((prediction - target).abs() * weight).mean(),
            **self.perceptual(prediction, target, window, weight),
            "painted": (out["painted"] - target).abs().mean(),
            "deformed": ((out["deformed"] - target).abs() * weight).mean(),
            "ties": tie_distance(kp, landmarks, mirrored),
        }
        inside = (kp_bent.abs() < 0.95).all(-1)
        halfway = kp[:quarter].detach() * 0.5 + kp[:quarter] * 0.5
        parts["equivariance"] = ((moved(halfway, theta) - kp_bent).abs().mean(-1) * inside).mean()
        parts["rate"] = torch.log2(1 + 100 * (kp_next - kp).abs()).mean()
        total, figures = weighted(self.config.loss, parts)
        for name in {"mask", "amount"} & out.keys():
            figures[name] = out[name].detach().float().mean()
        return total, figures

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        augment = self.config.augment
        drawn = self._pairs.sample(self.config.optimizer.batch, rng, augment.compressed)
        return (*prepare(drawn, generator, augment.affine, augment.tilt), seed)

    def sheet(self, average: nn.Module) -> NDArray[np.uint8]:
        assert isinstance(average, Talk)
        return contact_sheet(average, Prepared(*(t.to(self._device) for t in self._shown)))

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "talk", "model": self.network.config.as_dict()}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Encode and decode the validation clips with the averaged weights as they are now."""
        assert self.files.validate
        clips = find_clips(self.files.validate, split="val")
        measure = Measure(lpips=self.files.lpips)
        seconds, people = self.config.watch.validate_seconds, self.config.watch.people
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "validation.safetensors"
            self.export(average, model, min(_VALIDATION_PEOPLE, people))
            results = [evaluate(c.path, seconds, measure, _VALIDATION_EVERY, model=str(model)) for c in clips]
        return {n: float(np.mean([r[n] for r in results])) for n in ("kbps", *measure.names)}

    def export(self, average: nn.Module, path: Path, people: int) -> ModelDescription:
        """Write the averaged network as a model, with a landmark basis of the training clips."""
        return export(
            average.state_dict(), self.network.config, path, name=self.config.name,
            clips=training_clips(self.config, self.files), people=people, region=self.config.data.region,
        )  # fmt: skip


def _references(config: MotionConfig, files: Files, cache: Path, fabric: Fabric) -> str:
    """The cache's array of references, cleaned with the restorer that the training starts from, if any."""
    state = files.out / STATE
    source = state if state.is_file() else files.init
    network = untrained(talk_config(config.model))
    if source is None or network.restorer is None:
        return "references"
    fill(network, weights_of(source), source)
    weights = {k: v for k, v in network.state_dict().items() if k.startswith("restorer.")}
    made_by = weights_hash(weights)
    network.to(fabric.device).eval()
    return machine.in_turns(fabric, lambda: restore_references(cache, network, made_by, fabric.device))


def run(config: MotionConfig, files: Files, export_to: Path | None, quiet: bool) -> list[str]:
    """Train, or go on training; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    talk_config(config.model)
    check(config, files)
    if export_to and files.data is None:
        raise UsageError("--export learns the landmark basis from clips: give --data DIR as well")
    if files.validate is not None:
        find_clips(files.validate, split="val")
        if files.data is None:
            raise UsageError("--validate learns a landmark basis from clips: give --data DIR as well")
    else:
        config.watch.validate = 0
    fabric = machine.start(config.machine, config.optimizer.seed)
    cache, people, kept = cached_clips(config, files, fabric)
    references = _references(config, files, cache, fabric)
    train = FramePairs(cache, people, fabric.device, references)
    watched = FramePairs(cache, kept or people, references=references)
    task = MotionTask(config, files, train, watched, fabric.device)
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet)
    if not machine.is_first(fabric):
        return []
    lines = [
        f"{len(people)} people, {len(kept)} held out; losses: {task.perceptual.describe()}",
        f"state, logs and contact sheets: {files.out}",
    ]
    if export_to:
        lines.append(written(task.export(average.cpu(), export_to, config.watch.people)))
    return lines
