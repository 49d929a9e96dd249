"""Training of the light motion model on galleries of one clip, beside a larger one that has its keypoints.

The keypoint network is the teacher's and stays as it is, so that both models code the same landmarks.  The
teacher's flow is a target beside the originals (distillation; Hinton et al., 2015), for as long as
``loss.flow`` is more than zero.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.errors import UsageError
from neurocodec.models.device import fold_batch_norms
from neurocodec.models.model_files import ModelDescription, find, load, save
from neurocodec.networks.swift import Swift, SwiftConfig
from neurocodec.networks.talk import Talk, _resize, blended
from neurocodec.training import loop, machine
from neurocodec.training.augment import PreparedGallery, prepare_gallery
from neurocodec.training.config import StudentConfig
from neurocodec.training.galleries import Galleries
from neurocodec.training.keypoint_ties import attention
from neurocodec.training.losses import PerceptualLosses, weighted
from neurocodec.training.setup import Files, cached_clips, check, written
from neurocodec.training.state import fill, generators, to_ship

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_SHEET_ROWS = 8
_CLOSE_UP = 64
"""Side of the enlarged pieces around eyes and mouth."""


def swift_config(fields: dict[str, Any]) -> SwiftConfig:
    """A model's shape from a configuration.

    Raises:
        UsageError: unknown fields, or values that make no model.
    """
    try:
        config = SwiftConfig(**fields)
        if config.size % 16 or config.size < 32:
            raise ValueError("the size is a multiple of 16 and at least 32")
    except (TypeError, ValueError) as error:
        raise UsageError(f"[model] makes no motion model: {error}") from None
    return config


def close_ups(landmarks: Tensor) -> Tensor:
    """(B,68,2) fractions -> (3B,2,3), what ``F.affine_grid`` takes to see both eyes and the mouth enlarged.

    Where no face was found: the middle of the picture.
    """
    points = torch.nan_to_num(landmarks * 2 - 1, nan=0.0)
    centres = [points[:, a:b].mean(1) for a, b in ((36, 42), (42, 48), (48, 68))]
    apart = (centres[0] - centres[1]).norm(dim=-1).clamp(0.1, 0.6)
    apart = torch.where(torch.isfinite(landmarks).all(-1).all(-1), apart, torch.full_like(apart, 0.4))
    theta = landmarks.new_zeros(3, len(landmarks), 2, 3)
    for k, (centre, share) in enumerate(zip(centres, (0.4, 0.4, 0.65), strict=True)):
        theta[k, :, 0, 0] = theta[k, :, 1, 1] = share * apart
        theta[k, :, :, 2] = centre
    return theta.flatten(0, 1)


def closely(pictures: Tensor, theta: Tensor) -> Tensor:
    """Pictures (B,3,S,S) seen through :func:`close_ups`: (3B,3,64,64)."""
    grid = F.affine_grid(theta, [len(theta), 3, _CLOSE_UP, _CLOSE_UP], align_corners=False)
    grid = grid.unflatten(0, (3, -1)).transpose(0, 1).flatten(1, 2)  # (B,3*64,64,2)
    seen = F.grid_sample(pictures.float(), grid, padding_mode="reflection", align_corners=False)
    return seen.unflatten(2, (3, _CLOSE_UP)).transpose(1, 2).flatten(0, 1)


class StudentTask(loop.Task):
    """The light motion model; ``train`` is sampled from, ``watched`` shown in the contact sheet."""

    optional = ("keypoint_net",)  # the teacher's

    def __init__(
        self, config: StudentConfig, files: Files, train: Galleries, watched: Galleries, device: torch.device
    ) -> None:
        super().__init__()
        self.config, self.files, self._device, self._galleries = config, files, device, train
        self.network: Swift = Swift(swift_config(config.model))
        del self.network.landmark_basis
        self.perceptual = PerceptualLosses(files.squeeze, files.vgg)
        teacher = load(find(config.teacher, "motion"))
        if not isinstance(teacher, Talk):
            raise UsageError(f"{config.teacher} cannot be a teacher: its keypoints are of another kind")
        self.network.keypoint_net.load_state_dict(teacher.keypoint_net.state_dict())
        self.network.keypoint_net.requires_grad_(False)
        fold_batch_norms(teacher)
        self.teacher = teacher.requires_grad_(False)
        rng, generator, _ = generators(7, 0, 0)
        self._shown = prepare_gallery(watched.sample(_SHEET_ROWS, 2, 1, rng, 1.0), generator, 0.0)

    def train(self, mode: bool = True) -> StudentTask:
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(
        self, references: Tensor, originals: Tensor, targets: Tensor, landmarks: Tensor, seed: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Fields of :class:`neurocodec.training.augment.PreparedGallery`, and a seed of random numbers.

        Returns the loss and its parts (scalars, without gradients).
        """
        rng = torch.Generator().manual_seed(seed)
        model, augment, factors = self.network, self.config.augment, self.config.loss
        (b, count), (each, _, size, _) = references.shape[:2], targets.shape[1:]
        device, n = targets.device, b * each
        pictures = references.transpose(0, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        originals = originals.transpose(0, 1).flatten(0, 1)
        target = targets.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        marks = landmarks.flatten(0, 1)
        with torch.no_grad():
            points = self.teacher.keypoints(torch.cat([pictures, target]))
        kp_references, kp = points[: count * b], points[count * b :]
        span = math.log(augment.finest / augment.coarsest)
        quantization = torch.exp(torch.rand(n, 1, 1, generator=rng) * span + math.log(augment.coarsest))
        noise = (torch.rand(kp.shape, generator=rng) - 0.5) / quantization
        kp = kp + noise.to(device)

        made = model.encode_reference(pictures, kp_references)
        used = [
            type(made)(x.unflatten(0, (count, b))[k].repeat_interleave(each, 0) for x in made)
            for k in range(count)
        ]
        out = model.render_details(used, kp)

        # without the blend in some of the samples: the generator has to learn to paint
        keep = (torch.rand(n, 1, 1, 1, generator=rng) >= augment.painted).float().to(device)
        prediction = blended(out, keep)
        weight = attention(marks, size, factors.attention)
        side = min(size, size // 4 + 32)
        top, left = torch.randint(0, size - side + 1, (2,), generator=rng).tolist()
        some = slice(int(torch.randint(each, (), generator=rng)), None, each)
        window = some, slice(None), slice(top, top + side), slice(left, left + side)
        theta = close_ups(marks)
        near, truth = closely(prediction, theta), closely(target, theta)
        parts = {
            "pixel": ((prediction - target).abs() * weight).mean(),
            **self.perceptual(prediction, target, window, weight),
            "closeups": self.perceptual.first(near, truth) + (near - truth).abs().mean(),
            "painted": (out["painted"] - target).abs().mean(),
            "deformed": ((out["deformed"] - target).abs() * weight).mean(),
            "cleaned": (made[0] - originals).abs().mean(),
        }
        if factors.flow:
            small = torch.cat([_resize(u[0].detach().clamp(0, 1), 64) for u in used])
            sources = torch.cat([u[-1] for u in used])
            with torch.no_grad():
                taught = self.teacher.motion_net(small, sources, kp.repeat(count, 1, 1))
            parts["flow"] = (out["flow"] - taught["flow"]).abs().mean()
        total, figures = weighted(factors, parts)
        for name in ("mask", "amount"):
            figures[name] = out[name].detach().float().mean()
        return total, figures

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        augment, data = self.config.augment, self.config
        count = 1 + int(rng.choice(3, p=data.references))
        each = data.targets
        drawn = self._galleries.sample(
            max(1, self.config.optimizer.batch // each), count, each, rng, augment.compressed
        )
        return (*prepare_gallery(drawn, generator, augment.affine, augment.tilt, augment.smaller), seed)

    @torch.no_grad()
    def sheet(self, average: nn.Module) -> NDArray[np.uint8]:
        """Columns: both references, the frame, the rendering, what is painted, what is warped, the mask."""
        assert isinstance(average, Swift)
        average.eval()
        shown = PreparedGallery(*(t.to(self._device) for t in self._shown))
        made = []
        for k in (0, 1):
            picture = shown.references[:, k]
            made.append(average.encode_reference(picture, average.keypoints(picture)))
        target = shown.targets[:, 0]
        out = average.render_details(made, average.keypoints(target))
        mask = out["mask"].expand(-1, 3, -1, -1)
        columns = [shown.references[:, 0], shown.references[:, 1], target]
        columns += [out["prediction"], out["painted"], out["deformed"], mask]
        sheet = torch.cat([torch.cat([*c.clamp(0, 1).float()], 1) for c in columns], 2)
        return cast("NDArray[np.uint8]", (sheet * 255).round().byte().permute(1, 2, 0).cpu().numpy())

    def recipe(self) -> dict[str, Any]:
        shape = self.network.config.as_dict()
        del shape["teacher"]  # a hash, known when the model is written
        return {"architecture": "swift", "model": shape, "teacher": self.config.teacher}

    def export(self, average: nn.Module, path: Path) -> ModelDescription:
        """Write the averaged network as a model, with the teacher's keypoints and their basis."""
        return export(average.state_dict(), self.config, path)


def run(config: StudentConfig, files: Files, export_to: Path | None, quiet: bool) -> list[str]:
    """Train, or go on training; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    swift_config(config.model)
    check(config, files)
    fabric: Fabric = machine.start(config.machine, config.optimizer.seed)
    cache, people, kept = cached_clips(config, files, fabric)
    train = Galleries(cache, people, fabric.device)
    watched = Galleries(cache, kept or people)
    task = StudentTask(config, files, train, watched, fabric.device)
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet)
    if not machine.is_first(fabric):
        return []
    lines = [
        f"{len(people)} people, {len(kept)} held out; losses: {task.perceptual.describe()}",
        f"state, logs and contact sheets: {files.out}",
    ]
    if export_to:
        lines.append(written(task.export(average.cpu(), export_to)))
    return lines


def export(weights: dict[str, Tensor], config: StudentConfig, path: Path) -> ModelDescription:
    """Write a light model as float16, with the keypoint network and the landmark basis of its teacher.

    Raises:
        InputError: no such teacher.
        OutputError: the file cannot be written.
    """
    shape = swift_config(config.model)
    network = Swift(shape)
    fill(network, {k: v.cpu() for k, v in weights.items()}, "the state")
    described = find(config.teacher, "motion")
    teacher = cast(Talk, load(described))
    network.keypoint_net.load_state_dict(teacher.keypoint_net.state_dict())
    return save(
        path, {**to_ship(network), "landmark_basis": cast(Tensor, teacher.landmark_basis)}, name=config.name,
        architecture="swift", size=shape.size, keypoints=network.num_keypoints, half=True,
        config=replace(shape, teacher=described.hash[:16]).as_dict(),
    )  # fmt: skip
