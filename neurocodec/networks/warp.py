"""How a model moved its references for one rendering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurocodec.networks.tps import coordinate_grid


@dataclass(frozen=True)
class Warp:
    """How the references were moved for one rendering, each array at a size of its own.

    ``shifts`` (references,h,h,2): where to sample less where one is, x and y, in halves of the side;
    ``shares`` (references,h,h) of the references; ``mask`` (S,S): how much of them is shown, 0 to 1.
    """

    shifts: NDArray[np.float32]
    shares: NDArray[np.float32]
    mask: NDArray[np.float32]


def warps_of(flow: Tensor, shares: Tensor, mask: Tensor) -> Iterator[Warp]:
    """The warps of a batch: flow (references,B,2,h,h) in [-1,1], shares (references,B,k,k), mask (B,S,S)."""
    side = flow.shape[-1]
    shifts = (flow.permute(1, 0, 3, 4, 2) - coordinate_grid(side, side)).float().contiguous().numpy()
    parts = shares.transpose(0, 1).float().contiguous().numpy()
    for shift, share, shown in zip(shifts, parts, mask.float().contiguous().numpy(), strict=True):
        yield Warp(shift, share, shown)
