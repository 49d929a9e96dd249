"""Runs the perceptual distance: numpy pictures in, distances out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurocodec.errors import UnsupportedError
from neurocodec.models.device import choose_device, has_fast_bfloat16
from neurocodec.models.model_files import ModelDescription, load
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.perceptual import Perceptual, on_levels
from neurocodec.types import Picture, Pictures

_GROUP = 8
"""Pictures that are looked at in one go; fewer at the end."""
_AT_ONCE = 32
"""Pairs whose originals have to be remembered together."""
_REMEMBERED = 64
"""Originals whose features are remembered, about 0.7 MB each in bfloat16 at 256x256."""


class DistanceEngine:
    """A perceptual distance ready to measure with.

    What it finds in the second pictures is remembered for a while: an encoder compares many renderings with
    the same original.

    Raises:
        InputError: the weights are damaged.
        UnsupportedError: the model measures no distance, or there is no such device.
    """

    def __init__(
        self, description: ModelDescription, device: str = "auto", remembered: int = _REMEMBERED
    ) -> None:
        if description.architecture != "perceptual":
            raise UnsupportedError(f"{description.name} ({description.path}) measures no distance")
        self.description = description
        self.device = choose_device(device)
        network = cast(Perceptual, load(description))
        on_levels(cast(Any, network.layers[0])[0])
        fuse_activations(network)
        self._network = network
        cast(Any, self._network).to(self.device, memory_format=torch.channels_last)
        self._half = self.device.type == "cuda" or has_fast_bfloat16()
        if self._half and self.device.type == "cpu":
            self._network.layers.to(torch.bfloat16)
        self._middle = torch.tensor(127.5, dtype=next(network.layers.parameters()).dtype)
        self._count = remembered
        self._remembered = self._space(0, 0)
        self._found = self._space(0, 0)
        self._rows: OrderedDict[int, tuple[Picture, int]] = OrderedDict()

    def __call__(self, a: Pictures, b: Sequence[Picture]) -> NDArray[np.float64]:
        """Pictures (B,S,S,3) and as many (S,S,3) -> distances (B,), 0 = alike, on the scale of LPIPS."""
        return self._measured(a, b, self._network.compare)

    def places(self, a: Pictures, b: Sequence[Picture], grid: int) -> NDArray[np.float64]:
        """Shares of the distances by place (B,grid,grid), which add up to the distances."""
        height, width = b[0].shape[:2]
        return self._measured(a, b, lambda x, y: self._network.compare_places(x, y, height, width, grid))

    def _measured(
        self, a: Pictures, b: Sequence[Picture], compare: Callable[[Tensor, Tensor], Tensor]
    ) -> NDArray[np.float64]:
        enabled = self._half and self.device.type != "cpu"
        out: list[Tensor] = []
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled),
        ):
            for k in range(0, len(a), _AT_ONCE):
                out += self._compared(a[k : k + _AT_ONCE], b[k : k + _AT_ONCE], compare)
        return torch.cat(out).double().cpu().numpy()

    def _compared(
        self, pictures: Pictures, originals: Sequence[Picture], compare: Callable[[Tensor, Tensor], Tensor]
    ) -> Iterator[Tensor]:
        """What ``compare`` makes of at most ``_AT_ONCE`` pairs, in parts."""
        new, rows = self._remember(originals)
        waiting = [*new, *pictures]
        done = 0
        while done < len(waiting):
            left = len(waiting) - done
            some = waiting[done : done + (_GROUP if left > 6 else 4 if left > 2 else 2)]
            found = self._features(some)
            first = min(max(len(new) - done, 0), len(some))
            for k in range(first):
                self._remembered[self._rows[id(some[k])][1]] = found[k]
            if first < len(some):
                start = done + first - len(new)
                wanted = rows[start : start + len(some) - first]
                yield compare(found[first:], self._remembered[wanted])
            done += len(some)

    def _remember(self, originals: Sequence[Picture]) -> tuple[list[Picture], list[int]]:
        """Originals whose features are to be found, and where those of all are, or will be."""
        size = self._network.feature_count(*originals[0].shape[:2])
        if size != self._remembered.shape[1]:
            self._remembered, self._found = self._space(self._count, size), self._space(_GROUP, size)
            self._rows.clear()
        new: list[Picture] = []
        for picture in originals:
            if id(picture) in self._rows:
                self._rows.move_to_end(id(picture))
        for picture in originals:
            if id(picture) not in self._rows:
                full = len(self._rows) == self._count
                row = self._rows.popitem(last=False)[1][1] if full else len(self._rows)
                self._rows[id(picture)] = picture, row
                new.append(picture)
        return new, [self._rows[id(p)][1] for p in originals]

    def _features(self, pictures: list[Picture]) -> Tensor:
        """Features (B,F), until the next call, of pictures looked at together.

        There are always 2, 4 or 8 of them: oneDNN takes its time for every new size.
        """
        count = max(2, 1 << (len(pictures) - 1).bit_length())
        levels = torch.from_numpy(np.stack([*pictures, *pictures[:1] * (count - len(pictures))]))
        levels = levels.to(self.device)
        centred = torch.sub(levels, self._middle.to(self.device)).permute(0, 3, 1, 2)
        return self._network.scales(centred, self._found[:count])[: len(pictures)]

    def _space(self, count: int, size: int) -> Tensor:
        """Space for the features of ``count`` pictures."""
        kind = torch.bfloat16 if self._half else torch.float32
        return torch.empty(count, size, dtype=kind, device=self.device)
