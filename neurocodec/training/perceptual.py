"""Training of the perceptual distance: it learns LPIPS (AlexNet) place by place, at all five depths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor
from torch.nn import functional as F

from neurocodec.datasets.clips import find_clips
from neurocodec.errors import UsageError
from neurocodec.measure.lpips import Lpips
from neurocodec.models.model_files import find, save
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.networks.perceptual import Perceptual
from neurocodec.training import coded_pairs, loop, machine
from neurocodec.training.coded_pairs import TAUGHT, Pairs
from neurocodec.training.config import PerceptualConfig
from neurocodec.training.frame_cache import build_cache
from neurocodec.training.frame_pairs import FramePairs
from neurocodec.training.setup import Files, cached_clips, check, training_clips, written
from neurocodec.training.state import to_ship

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_SLIGHT = 0.05
"""Distance from which on errors count by their ratio to it."""
_TESTED = ("av1", "hevc", "h264", "vp9", "vvc")
_BATCH = 8


class PerceptualTask(loop.Task):
    """The distance on ``pairs``; the network is shaped by ``fields``."""

    def __init__(
        self, config: PerceptualConfig, pairs: Pairs, frames: FramePairs, lpips: Lpips, device: torch.device
    ) -> None:
        super().__init__()
        self.network: Perceptual = Perceptual(**config.model)
        self._config, self._pairs, self._frames, self._device = config, pairs, frames, device
        self._lpips = lpips
        kinds = np.array(pairs.kinds)
        self._rows = {str(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}
        self._all = np.arange(len(kinds))

    def forward(self, a: Tensor, b: Tensor, truth: Tensor, *true: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,S,S) twice in [0,1], LPIPS (B,) and its maps (B,h,w) -> loss and figures."""
        count = len(a)
        both = [x.split(count) for x in self.network.features(torch.cat([a, b]))]
        found = self.network.maps([x for x, _ in both], [y for _, y in both])
        places = torch.stack(
            [(m - t).abs().mean() / t.mean().clamp(min=1e-3) for m, t in zip(found, true, strict=True)]
        )
        measured = torch.stack([m.mean((1, 2)) for m in found]).sum(0)
        error = measured - truth
        whole = (error.abs() / (truth + _SLIGHT)).mean()
        favour = error.mean().abs() / truth.mean().clamp(min=_SLIGHT)
        figures = {"error": error.detach().abs().mean(), "whole": whole.detach(), "favour": favour.detach()}
        return places.mean() + 2 * whole + favour, {**figures, "places": places.detach().mean()}

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        count = self._config.optimizer.batch
        alone = rng.random() < self._config.alone  # of one codec, so that none is favoured
        spoilt = 0 if alone else round(count * self._config.spoilt)
        likely = self._rows[str(rng.choice(list(self._rows)))] if alone else self._all
        rows = rng.choice(likely, count - spoilt)
        a, b = list(self._pairs.pictures[rows]), list(self._pairs.originals[rows])
        for _ in range(spoilt):
            _, _, frames = self._frames.stretch(2, rng)
            original, other = (np.ascontiguousarray(f.numpy()) for f in frames)
            a.append(coded_pairs.spoilt(original, other, rng))
            b.append(original)
        pictures = [
            torch.from_numpy(np.stack(x)).to(self._device).permute(0, 3, 1, 2).float() / 255 for x in (a, b)
        ]
        order = torch.randperm(3, generator=generator) if rng.random() < 0.2 else torch.arange(3)
        gain = 0.75 + 0.4 * torch.rand(count, 3, 1, 1, generator=generator)
        zoom = float(rng.uniform(0.6, 1.6)) if rng.random() < 0.5 else 1.0
        side = max(64, min(256, round(256 * min(1.0, 1 / zoom)))) if zoom != 1 else 256
        top, left = rng.integers(0, 256 - side + 1, 2)
        flips = [axis for axis in (-1, -2) if rng.random() < (0.5 if axis == -1 else 0.2)]
        out = []
        for x in pictures:
            x = (x * gain.to(x.device)).clamp(0, 1)[:, order, top : top + side, left : left + side]
            if zoom != 1:
                to = max(96, round(side * zoom))
                x = F.interpolate(x, (to, to), mode="bilinear", antialias=zoom < 1)
            out.append(x.flip(flips) if flips else x)
        if rng.random() < 0.3:
            out.reverse()
        with torch.no_grad():
            true = [m.float() for m in self._lpips.maps(*out)]
        return (*out, torch.stack([m.mean((1, 2)) for m in true]).sum(0), *true)

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "perceptual", "model": self._config.model}


def agreement(network: Perceptual, pairs: Pairs, lpips: Lpips) -> dict[str, dict[str, float]]:
    """By what made the pictures, and together: ``pearson``, ``spearman``, and ``favour``.

    ``favour`` is the mean signed error relative to the mean distance: negative where the network finds
    pictures better than LPIPS does.
    """
    network = network.eval().cpu()
    found, truth = [], []
    with torch.inference_mode():
        for k in range(0, len(pairs.kinds), _BATCH):
            a, b = (
                torch.from_numpy(np.array(x[k : k + _BATCH])).permute(0, 3, 1, 2).float() / 255
                for x in (pairs.pictures, pairs.originals)
            )
            found += network(a, b).tolist()
            truth += torch.stack([m.mean((1, 2)) for m in lpips.maps(a, b)]).sum(0).tolist()
    measured, true, kinds = np.array(found), np.array(truth), np.array(pairs.kinds)
    out = {}
    for kind in ("together", *dict.fromkeys(pairs.kinds)):
        some = np.ones(len(kinds), bool) if kind == "together" else kinds == kind
        x, y = measured[some], true[some]
        out[kind] = {
            "count": float(some.sum()),
            "distance": float(y.mean()),
            "pearson": float(pearsonr(x, y).statistic),
            "spearman": float(spearmanr(x, y).statistic),
            "favour": float((x - y).mean() / y.mean()),
        }
    return out


def _training_pairs(config: PerceptualConfig, files: Files, cache: Path, people: set[str]) -> Pairs:
    """The pairs that are learned from: made, or found in ``out``/pairs."""
    folder = files.out / "pairs"
    if (folder / "kinds.json").is_file():
        return coded_pairs.load(folder)
    clips = [c for c in training_clips(config, files) if c.identity in people]
    size, seed = config.data.size, config.optimizer.seed
    parts = [coded_pairs.coded(clips, TAUGHT * config.passes, size, seed)]
    engine = MotionEngine(find(files.model or "talk256", "motion"), "auto", config.machine.threads or None)
    parts.append(coded_pairs.rendered(FramePairs(cache, people), config.renderings, engine, seed))
    coded_pairs.save(coded_pairs.joined(parts), folder)
    return coded_pairs.load(folder)


def _test_pairs(config: PerceptualConfig, files: Files) -> Pairs:
    """Pairs of people never seen, by codecs that were learned from and by others."""
    folder = files.out / "test"
    if (folder / "kinds.json").is_file():
        return coded_pairs.load(folder)
    assert files.validate is not None
    clips = find_clips(files.validate, split="val")
    cache = files.out / "validation"
    build_cache(clips, cache, config.data, None)
    parts = [coded_pairs.coded(clips, [n for n in _TESTED for _ in range(3)], config.data.size, 99)]
    for name in config.tested_models:
        engine = MotionEngine(find(name, "motion"), "auto", config.machine.threads or None)
        parts.append(coded_pairs.rendered(FramePairs(cache), 240, engine, 98))
    coded_pairs.save(coded_pairs.joined(parts), folder)
    return coded_pairs.load(folder)


def run(config: PerceptualConfig, files: Files, export_to: Path | None, quiet: bool) -> list[str]:
    """Train, or go on training; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    check(config, files)
    if files.lpips is None:
        raise UsageError("the distance learns LPIPS: give its weights with --lpips")
    if files.data is None:
        raise UsageError("the distance learns from clips that are coded anew: give --data DIR")
    lpips = Lpips(files.lpips)
    fabric: Fabric = machine.start(config.machine, config.optimizer.seed)
    cache, people, _ = cached_clips(config, files, fabric)
    pairs = machine.in_turns(fabric, lambda: _training_pairs(config, files, cache, people))
    try:
        task = PerceptualTask(config, pairs, FramePairs(cache, people), lpips, fabric.device)
    except (TypeError, ValueError) as error:
        raise UsageError(f"[model] makes no distance: {error}") from None
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet).cpu()
    if not machine.is_first(fabric):
        return []
    lines = [f"{len(pairs.kinds)} pairs of {len(people)} people"]
    if files.validate is not None:
        assert isinstance(average, Perceptual)
        for kind, found in agreement(average, _test_pairs(config, files), lpips).items():
            lines.append(
                f"{kind}: {found['count']:.0f} pictures, LPIPS {found['distance']:.3f}, "
                f"Pearson {found['pearson']:.3f}, Spearman {found['spearman']:.3f}, "
                f"signed {100 * found['favour']:+.1f} %"
            )
    if export_to:
        model = save(
            export_to, to_ship(average), name=config.name, architecture="perceptual", size=256, keypoints=0,
            config=config.model, half=True,
        )  # fmt: skip
        lines.append(written(model))
    return lines
