"""Training of a motion model's restorer: from coded references to the pictures that they were.

It is trained on its own, on pieces of references: what coding does to a picture is a local matter, and a
piece is learned from in a sixteenth of the time of a rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurocodec.errors import InputError, UsageError
from neurocodec.measure.lpips import Lpips
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import ModelDescription, find, save
from neurocodec.models.model_files import load as load_model
from neurocodec.networks.restore import Restorer
from neurocodec.networks.talk import Talk
from neurocodec.options import DEFAULT_FEEDBACK
from neurocodec.training import loop, machine
from neurocodec.training.config import RestorationConfig
from neurocodec.training.frame_cache import load, rows_of_people
from neurocodec.training.losses import PerceptualLosses, weighted
from neurocodec.training.setup import Files, cached_clips, check, written
from neurocodec.training.state import to_ship
from neurocodec.types import Picture

_ARRAYS = ("frames", "references", "reference_of")
_PART = "restorer."
_VALIDATED = 64
_SHOWN = 8


class CodedPairs:
    """Coded references of a cache and the frames they were, people drawn evenly.

    Raises:
        InputError: ``cache`` holds no coded references of ``people``.
    """

    def __init__(self, cache: Path, people: set[str]) -> None:
        if not (cache / "references.npy").is_file():
            raise InputError(f"{cache} holds no coded references")
        self._frames, self._coded, self._rows = (load(cache, name) for name in _ARRAYS)
        of = [
            [k for start, n in clips for k in range(*np.searchsorted(self._rows, [start, start + n]))]
            for clips in rows_of_people(cache, people)
        ]
        self.places = [places for places in of if places]
        if not self.places:
            raise InputError(f"{cache} holds no coded references of the people that are wanted")
        self.size = int(self._frames.shape[1])

    def pair(self, place: int) -> tuple[Picture, Picture]:
        """A coded reference and the frame that it was, (S,S,3)."""
        return self._coded[place], self._frames[self._rows[place]]

    def spread(self, count: int) -> list[int]:
        """``count`` places (or fewer), evenly over all people's."""
        every = [k for places in self.places for k in places]
        return every[:: max(1, len(every) // count)][:count]

    def pieces(self, count: int, side: int, clean: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Pieces (B,3,side,side) of coded references and of their frames, mirrored at random.

        A share ``clean`` of the former are of the frames themselves: what is good must stay as it is.
        """
        coded, true = [], []
        for _ in range(count):
            places = self.places[rng.integers(len(self.places))]
            a, b = self.pair(places[rng.integers(len(places))])
            top, left = 2 * rng.integers(0, (self.size - side) // 2 + 1, 2)
            window = slice(top, top + side), slice(left, left + side)
            a, b = a[window], b[window]
            if rng.random() < clean:
                a = b
            step = -1 if rng.random() < 0.5 else 1
            coded.append(a[:, ::step])
            true.append(b[:, ::step])
        return _tensor(coded), _tensor(true)


def _tensor(pictures: Iterable[Picture]) -> Tensor:
    batch = torch.from_numpy(np.stack(list(pictures))).permute(0, 3, 1, 2).float().div_(255)
    return batch.contiguous(memory_format=torch.channels_last)


class RestorationTask(loop.Task):
    """The restorer: pieces of ``train`` shall be like the true ones; ``test`` is looked at and measured."""

    def __init__(
        self, config: RestorationConfig, files: Files, train: CodedPairs, test: CodedPairs,
        device: torch.device,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config, self._device, self._train, self._test = config, device, train, test
        self.network = Restorer(config.width)
        self.perceptual = PerceptualLosses(files.squeeze, files.vgg)
        self._lpips = files.lpips

    def forward(self, coded: Tensor, true: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(B,3,S,S) twice in [0,1] -> loss and its parts (scalars, without gradients)."""
        restored = self.network(coded)
        some, edge = max(1, len(true) // 2), true.shape[-1] // 4  # half of the pieces, their middles
        window = slice(0, some), slice(None), slice(edge, -edge), slice(edge, -edge)
        parts = {"pixel": (restored - true).abs().mean(), **self.perceptual(restored, true, window)}
        return weighted(self.config.loss, parts)

    def batch(self, rng: np.random.Generator, generator: torch.Generator, seed: int) -> tuple[Any, ...]:
        side = min(self.config.piece, self._train.size)
        pair = self._train.pieces(self.config.optimizer.batch, side, self.config.clean, rng)
        return tuple(x.to(self._device) for x in pair)

    def _restored(self, average: nn.Module, coded: Picture) -> Picture:
        with torch.inference_mode():
            out = average(_tensor([coded]).to(self._device)).clamp(0, 1).mul(255).round().byte()
        return np.ascontiguousarray(out[0].permute(1, 2, 0).cpu().numpy())

    def sheet(self, average: nn.Module) -> Picture:
        """Rows: coded, restored, true."""
        rows = []
        for place in self._test.spread(_SHOWN):
            coded, true = self._test.pair(place)
            rows.append(np.concatenate([coded, self._restored(average, coded), true], 1))
        return np.concatenate(rows)

    def recipe(self) -> dict[str, Any]:
        return {"architecture": "restorer", "width": self.config.width}

    def validate(self, average: nn.Module) -> dict[str, float]:
        """Mean distance from the true pictures of people held out: ``coded``, and ``restored``.

        By LPIPS (AlexNet) where its weights are given, else by our own distance.
        """
        distance = Lpips(self._lpips) if self._lpips else _own_distance()
        before, after = [], []
        for place in self._test.spread(_VALIDATED):
            coded, true = (np.array(x) for x in self._test.pair(place))
            before.append(distance(coded, true))
            after.append(distance(self._restored(average, coded), true))
        return {"coded": float(np.mean(before)), "restored": float(np.mean(after))}


def _own_distance() -> Callable[[Picture, Picture], float]:
    engine = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"))
    return lambda a, b: float(engine(a[None], [b])[0])


def with_restorer(
    model: ModelDescription, restorer: Restorer, width: int, path: Path, name: str
) -> ModelDescription:
    """Write a motion model with another restorer.

    Raises:
        OutputError: the file cannot be written.
    """
    network = load_model(model)
    assert isinstance(network, Talk)
    config = replace(network.config, restorer_width=width)
    tensors = {k: v for k, v in to_ship(network).items() if not k.startswith(_PART)}
    tensors |= {_PART + k: v for k, v in to_ship(restorer).items()}
    return save(
        path, tensors, name=name, architecture="talk", size=model.size, keypoints=model.keypoints,
        config=config.as_dict(), half=True,
    )  # fmt: skip


def run(config: RestorationConfig, files: Files, export_to: Path | None, quiet: bool) -> list[str]:
    """Train, or go on training; lines to print.

    Raises:
        UsageError, InputError, OutputError, UnsupportedError: options, data, files or machine.
    """
    check(config, files)
    if config.width < 1:
        raise UsageError("width must be at least 1")
    if config.piece < 64 or config.piece % 16:
        raise UsageError("piece must be a multiple of 16, at least 64")
    model = find(files.model or "talk256", "motion")
    if model.architecture != "talk":
        raise UsageError(f"{model.name} ({model.architecture}) has no place for a restorer")
    fabric = machine.start(config.machine, config.optimizer.seed)
    cache, people, kept = cached_clips(config, files, fabric)
    train, test = CodedPairs(cache, people), CodedPairs(cache, kept or people)
    task = RestorationTask(config, files, train, test, fabric.device)
    average = loop.train(task, config, files.out, fabric, init=files.init, quiet=quiet)
    if not machine.is_first(fabric):
        return []
    average.cpu()
    found = RestorationTask(config, files, train, test, torch.device("cpu")).validate(average)
    what = "LPIPS (AlexNet)" if files.lpips else "perceptual"
    lines = [
        f"{len(people)} people, {len(kept)} held out; {what} of their references: "
        f"coded {found['coded']:.4f}, restored {found['restored']:.4f}",
        f"state, logs and contact sheets: {files.out}",
    ]
    if export_to:
        assert isinstance(average, Restorer)
        lines.append(written(with_restorer(model, average, config.width, export_to, config.name)))
    return lines
