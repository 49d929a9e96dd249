"""Linear systems by plain elimination."""

from __future__ import annotations

import torch

from neurocodec.networks import elimination


def test_elimination_solves() -> None:
    rng = torch.Generator().manual_seed(5)
    system = torch.randn(4, 3, 8, 8, generator=rng, dtype=torch.float64)
    system[0, 0, 0, 0] = 0  # needs another pivot
    values = torch.randn(4, 3, 8, 2, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(elimination.solve(system, values), torch.linalg.solve(system, values))
    singular = torch.zeros(1, 3, 3)
    assert elimination.solve(singular, torch.ones(1, 3, 1)).isfinite().all()
