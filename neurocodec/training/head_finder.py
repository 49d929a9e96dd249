"""Training of the head finder: faces of all sizes in scenes made of clips.

The middles of faces are learned with the focal loss of CornerNet (Law and Deng, ECCV 2018), boxes with GIoU
(Rezatofighi et al., CVPR 2019) and the distance of their numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.errors import UsageError
from neurocodec.faces.yunet import faces_by
from neurocodec.models.head_engine import overlaps, suppressed
from neurocodec.models.model_files import save
from neurocodec.networks.head_finder import SIZES, STRIDES, HeadFinder, boxes
from neurocodec.training import loop, machine
from neurocodec.training.config import HeadFinderConfig
from neurocodec.training.head_scenes import Heads, Scene, photographs, write_cache
from neurocodec.training.setup import Files, check, training_clips, written
from neurocodec.training.state import to_ship

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RANGES = ((8.0, 46.0), (32.0, 100.0), (72.0, 1e4))
"""Sides of the faces, in pixels, that each stride is to find; some are found at two."""
_NEARLY = 1.35
"""A face out of a stride's range by less than this factor is neither right nor wrong there."""
_SPREAD, _CELL = 0.12, 0.5
"""Standard deviation of the map around a middle, in sides of the face, and at least in cells."""
_MIDDLE, _LOOSE = 0.35, 0.15
"""Of the map: from which on a cell counts as a middle, so that it makes no difference where between cells a
face is, and from which on a place near one is ignored."""
_GIOU, _NUMBERS = 2.0, 1.0
_WATCHED = 160
_SURE = 0.5
SIZE_CLASSES = (12, 24, 48, 96, 400)


def targets(scene: Scene, side: int) -> list[NDArray[np.float32]]:
    """What the network should say of a scene: for each stride (7,h,w).

    Channels: the map of middles, 1 in the cells around that of a face; how much the box of the cell counts;
    the four numbers of the box; whether the cell counts at all.
    """
    out = []
    for stride, (least, most) in zip(STRIDES, RANGES, strict=True):
        cells = side // stride
        maps = np.zeros((7, cells, cells), np.float32)
        maps[6] = 1
        places = (np.arange(cells, dtype=np.float32) + 0.5) * stride
        for x, y, w, h in scene.ignored:
            maps[6] *= ~(_within(places, y, h)[:, None] & _within(places, x, w)[None])
        for x, y, w, h in scene.faces:
            cx, cy, size = x + w / 2, y + h / 2, float(np.sqrt(w * h))
            across = (places - cx) / max(_SPREAD * w, _CELL * stride)
            down = (places - cy) / max(_SPREAD * h, _CELL * stride)
            near = np.exp(-0.5 * (across[None] ** 2 + down[:, None] ** 2))
            if not least <= size < most:
                if least / _NEARLY <= size < most * _NEARLY:
                    maps[6] *= near < _LOOSE
                continue
            row, column = (min(cells - 1, max(0, int(v / stride))) for v in (cy, cx))
            near[row, column] = 1.0
            better = (near > maps[1]) & (near > _MIDDLE)
            maps[0] = np.where(better, 1.0, np.maximum(maps[0], near))
            maps[1] = np.where(better, near, maps[1])
            numbers = (
                np.broadcast_to((cx - places) / stride, near.shape),
                np.broadcast_to(((cy - places) / stride)[:, None], near.shape),
                np.log(w / (SIZES * stride)), np.log(h / (SIZES * stride)),
            )  # fmt: skip
            for channel, values in enumerate(numbers, 2):
                maps[channel] = np.where(better, values, maps[channel])
        out.append(maps)
    return out


def _within(places: NDArray[np.float32], begin: float, length: float) -> NDArray[np.bool_]:
    return np.asarray((places >= begin) & (places <= begin + length))


def middles_loss(logits: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """Focal loss, summed, of logits (B,h,w) against a map that is 1 at the middles of faces."""
    sure = torch.sigmoid(logits)
    right = (1 - sure).square() * F.logsigmoid(logits)
    wrong = (1 - truth).pow(4) * sure.square() * F.logsigmoid(-logits)
    return -(torch.where(truth == 1, right, wrong) * counts).sum()


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalized intersection over union of boxes (...,4), left, top, width, height: (...), in [-1,1]."""
    low, high = (
        torch.maximum(a[..., :2], b[..., :2]),
        torch.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]),
    )
    common = (high - low).clamp(min=0).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common
    around = torch.maximum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - torch.minimum(
        a[..., :2], b[..., :2]
    )
    hull = around.prod(-1).clamp(min=1e-6)
    return common / union.clamp(min=1e-6) - (hull - union) / hull


class HeadFinderTask(loop.Task):
    """The finder, on scenes of the heads of a cache."""

    def __init__(self, config: HeadFinderConfig, heads: Heads, device: torch.device) -> None:
        super().__init__()
        self.network: HeadFinder = HeadFinder(**config.model)
        self._config, self._heads, self._device = config, heads, device

    def forward(self, pictures: Tensor, *truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures (B,3,S,S) in [0,1], maps (B,7,h,w) of :func:`targets` -> loss and figures."""
        found = [m.float() for m in self.network(pictures)]
        middles = sum(
            (middles_loss(m[:, 0], t[:, 0], t[:, 6]) for m, t in zip(found, truth, strict=True)),
            start=torch.zeros((), device=pictures.device),
        )
        faces = sum(float((t[:, 0] == 1).sum()) for t in truth)
        weights = torch.cat([(t[:, 1] * t[:, 6]).flatten(1) for t in truth], 1)
        there = weights > 0
        apart = torch.cat(
            [(m[:, 1:] - t[:, 2:6]).abs().sum(1).flatten(1) for m, t in zip(found, truth, strict=True)], 1
        )
        right = boxes([torch.cat([t[:, :1], t[:, 2:6]], 1) for t in truth])[0]
        wrong = 1 - giou(boxes(found)[0][there], right[there])
        whole = weights[there].sum().clamp(min=1)
        parts = {
            "middles": middles / max(faces, 1.0),
            "giou": (wrong * weights[there]).sum() / whole,
            "numbers": (apart[there] * weights[there]).sum() / whole,
        }
        total = parts["middles"] + _GIOU * parts["giou"] + _NUMBERS * parts["numbers"]
        return total, {name: value.detach() for name, value in parts.items()}

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        side = int(rng.choice(self._config.sides))
        scenes = [self._heads.scene(side, rng) for _ in range(self._config.optimizer.batch)]
        pictures = _tensor(np.stack([s.picture for s in scenes]))
        maps = [torch.from_numpy(np.stack(m)) for m in zip(*(targets(s, side) for s in scenes), strict=True)]
        return (pictures.to(self._device), *(m.to(self._device) for m in maps))

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "head-finder", "model": self._config.model}


def _tensor(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)


def figures(network: nn.Module, heads: Heads, side: int) -> list[str]:
    """How many faces of which sides are found in scenes never seen, and false alarms: lines to print."""
    rng = np.random.default_rng(7)
    found_of = {most: [0, 0] for most in SIZE_CLASSES}
    alarms = 0
    network = network.eval().cpu()
    for _ in range(_WATCHED):
        scene = heads.scene(side, rng)
        with torch.inference_mode():
            places, logits = boxes(network(_tensor(scene.picture[None])))
        scores = torch.sigmoid(logits)[0].numpy()
        sure = suppressed(places[0].numpy()[scores > _SURE], scores[scores > _SURE])[:, :4]
        for face in scene.faces:
            size = float(np.sqrt(face[2] * face[3]))
            tally = found_of[next(c for c in SIZE_CLASSES if size < c)]
            tally[0] += 1
            tally[1] += int(len(sure) > 0 and overlaps(face, sure)[0].max() > 0.4)
        there = np.concatenate([scene.faces, scene.ignored])
        alarms += sum(not len(there) or overlaps(box, there)[0].max() < 0.2 for box in sure)
    shares = ", ".join(f"below {most} px {hit}/{count}" for most, (count, hit) in found_of.items())
    return [f"faces found in scenes of people held out: {shares}; {alarms} false alarms in {_WATCHED} scenes"]


def run(
    config: HeadFinderConfig, files: Files, backgrounds: Path | None, detector: Path | None,
    export_to: Path | None, quiet: bool,
) -> list[str]:  # fmt: skip
    """Train, or go on training; lines to print.

    ``backgrounds``: a folder of pictures without faces; ``detector``: YuNet's weights, for faces besides the
    one of the landmarks.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    check(config, files)
    if any(side % STRIDES[-1] or side < 2 * STRIDES[-1] for side in config.sides) or not config.sides:
        raise UsageError(f"sides must be multiples of {STRIDES[-1]}, from {2 * STRIDES[-1]} on")
    fabric: Fabric = machine.start(config.machine, config.optimizer.seed)
    cache = files.cache or files.out / "cache"
    if files.cache is None and not (cache / "people.json").is_file():
        finder = faces_by(str(detector)) if detector else None
        clips = training_clips(config, files)
        machine.in_turns(
            fabric,
            lambda: write_cache(clips, cache, config.data.size, config.pictures, files.landmarks, finder),
        )
    grounds = photographs(backgrounds)
    heads = Heads(cache, grounds, config.data.held_out)
    try:
        task = HeadFinderTask(config, heads, fabric.device)
    except (TypeError, ValueError) as error:
        raise UsageError(f"[model] makes no head finder: {error}") from None
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet).cpu()
    if not machine.is_first(fabric):
        return []
    lines = []
    if config.data.held_out:
        lines += figures(
            average, Heads(cache, grounds, config.data.held_out, held_out=True), max(config.sides)
        )
    if export_to:
        model = save(
            export_to, to_ship(average), name=config.name, architecture="head-finder", size=320, keypoints=0,
            config=config.model, half=True,
        )  # fmt: skip
        lines.append(written(model))
    return lines
