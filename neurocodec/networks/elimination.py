"""Solving small linear systems with nothing but arithmetic, for places that have no linear algebra (ONNX)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST_PIVOT = 1e-7
"""Size below which a pivot is taken for zero."""


def solve(system: Tensor, values: Tensor) -> Tensor:
    """X of ``system`` (..., M, M) X = ``values`` (..., M, C), by Gauss-Jordan elimination with row pivots.

    The loop is unrolled over M, so M should be small.  Pivots nearer to zero than 1e-7 count as 1e-7.
    """
    count = system.shape[-1]
    rows = torch.cat([system, values], -1)
    free = torch.ones_like(rows[..., 0])
    order = []
    for k in range(count):
        column = rows[..., k]
        best = (column.abs() * free - (1 - free)).argmax(-1)
        chosen = F.one_hot(best, count).to(rows.dtype)
        pivot_row = (chosen[..., None] * rows).sum(-2)
        pivot = pivot_row[..., k : k + 1]
        guarded = torch.where(pivot < 0, pivot.clamp(max=-SMALLEST_PIVOT), pivot.clamp(min=SMALLEST_PIVOT))
        pivot_row = pivot_row / guarded
        rows = rows - (column - chosen)[..., None] * pivot_row[..., None, :]
        free = free * (1 - chosen)
        order.append(chosen)
    permutation = torch.stack(order, -2)
    return torch.matmul(permutation, rows[..., count:])
