"""Thin-plate splines against a direct float64 solution of the paper's equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocodec.networks.tps import coordinate_grid, fit_tps, keypoint_heatmaps, plain_arithmetic


def reference_warp(
    driving: np.ndarray, source: np.ndarray, points: np.ndarray, regularization: float
) -> np.ndarray:
    """One spline, (N, 2) to (N, 2), applied to points (P, 2); straight from the equations, in float64."""

    def basis(squared: np.ndarray) -> np.ndarray:
        return squared * np.log(squared + 1e-9)

    count = len(driving)
    system = np.zeros((count + 3, count + 3))
    for i in range(count):
        for j in range(count):
            system[i, j] = basis(((driving[i] - driving[j]) ** 2).sum())
        system[i, count:] = [driving[i, 0], driving[i, 1], 1]
        system[count:, i] = system[i, count:]
    system += regularization * np.eye(count + 3)
    solution = np.linalg.solve(system, np.vstack((source, np.zeros((3, 2)))))
    result = np.hstack((points, np.ones((len(points), 1)))) @ solution[count:]
    for i in range(count):
        result += basis(((points - driving[i]) ** 2).sum(1))[:, None] * solution[i]
    return result


def random_points(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 1.8 - 0.9


def test_grid_corners_and_order() -> None:
    grid = coordinate_grid(3, 5)
    assert grid.shape == (3, 5, 2)
    assert grid[0, 0].tolist() == [-1, -1]
    assert grid[2, 4].tolist() == [1, 1]
    assert grid[0, 4].tolist() == [1, -1]
    assert grid[1].tolist() == [[-1, 0], [-0.5, 0], [0, 0], [0.5, 0], [1, 0]]
    assert coordinate_grid(1, 1).tolist() == [[[0, 0]]]
    assert coordinate_grid(4, 4, dtype=torch.float64).dtype == torch.float64
    with pytest.raises(ValueError, match="at least one"):
        coordinate_grid(0, 4)


@pytest.mark.parametrize("regularization", [0.01, 0.1])
@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_matches_direct_solution(count: int, regularization: float) -> None:
    driving = random_points(count, 2, 3, count, 2)
    source = random_points(100 + count, 2, 3, count, 2)
    grid = coordinate_grid(7, 9)
    warped = fit_tps(driving.double(), source.double(), regularization).warp(grid)
    single = fit_tps(driving, source, regularization).warp(grid)
    assert warped.shape == (2, 3, 7, 9, 2)
    assert single.dtype == torch.float32
    points = coordinate_grid(7, 9, dtype=torch.float64).reshape(-1, 2).numpy()
    for b in range(2):
        for k in range(3):
            expected = reference_warp(
                driving[b, k].double().numpy(), source[b, k].double().numpy(), points, regularization
            )
            scale = np.abs(expected).max()
            assert np.abs(warped[b, k].reshape(-1, 2).numpy() - expected).max() < 1e-6 * scale
            assert np.abs(single[b, k].reshape(-1, 2).numpy() - expected).max() < 2e-3 * scale


def test_same_keypoints_give_the_identity() -> None:
    points = random_points(1, 1, 4, 5, 2)
    grid = coordinate_grid(16, 16)
    tight = fit_tps(points.double(), points.double(), 1e-7).warp(grid)
    assert (tight - grid).abs().max() < 1e-4
    # With the published regularization the identity holds up to about that amount.
    spread = torch.tensor([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8], [0.0, 0.0]])[None, None]
    assert (fit_tps(spread, spread).warp(grid) - grid).abs().max() < 0.05


def test_control_points_land_on_their_sources() -> None:
    driving = random_points(2, 1, 1, 5, 2).double()
    source = random_points(3, 1, 1, 5, 2).double()
    landed = fit_tps(driving, source, 1e-7).warp(driving[0, 0])
    assert landed.shape == (1, 1, 5, 2)
    assert (landed - source).abs().max() < 1e-3


def test_shift_moves_everything() -> None:
    driving = random_points(4, 1, 2, 5, 2).double()
    shift = torch.tensor([0.2, -0.1])
    warped = fit_tps(driving, driving + shift, 1e-7).warp(coordinate_grid(8, 8))
    assert (warped - coordinate_grid(8, 8) - shift).abs().max() < 1e-3


def coincident_cases() -> list[torch.Tensor]:
    line = torch.linspace(-0.9, 0.9, 5)
    pair = random_points(5, 5, 2)
    pair[1] = pair[0]
    return [
        torch.zeros(5, 2),
        torch.full((5, 2), 0.7),
        torch.stack((line, line), dim=-1),
        torch.stack((line, torch.zeros(5)), dim=-1),
        pair,
        random_points(6, 5, 2) * 1e-6,
        random_points(7, 5, 2) * 1e6,
        random_points(7, 5, 2) * 1e30,
    ]


@pytest.mark.parametrize("case", range(8))
@pytest.mark.parametrize("regularization", [1e-6, 0.01, 1.0])
def test_degenerate_points_stay_finite(case: int, regularization: float) -> None:
    driving = coincident_cases()[case][None, None].requires_grad_()
    source = random_points(8, 1, 1, 5, 2).requires_grad_()
    warped = fit_tps(driving, source, regularization).warp(coordinate_grid(8, 8))
    assert warped.isfinite().all()
    warped.square().mean().backward()
    assert driving.grad is not None and driving.grad.isfinite().all()
    assert source.grad is not None and source.grad.isfinite().all()


def test_singular_system_stays_finite() -> None:
    # Regularization equal to minus an eigenvalue of the unregularized system, the one way to be singular.
    driving = torch.tensor([[[[0.0, 0.0], [0.6, 0.0]]]], dtype=torch.float64)
    plain = np.zeros((5, 5))
    plain[0, 1] = plain[1, 0] = 0.36 * np.log(0.36 + 1e-9)
    plain[0, 2:] = plain[2:, 0] = [0, 0, 1]
    plain[1, 2:] = plain[2:, 1] = [0.6, 0, 1]
    for eigenvalue in np.linalg.eigvalsh(plain):
        if eigenvalue < -1e-6:
            warped = fit_tps(driving, driving.flip(2), -float(eigenvalue)).warp(coordinate_grid(4, 4))
            assert warped.isfinite().all()
            assert warped.abs().max() < 1e4


def test_gradients() -> None:
    driving = random_points(9, 1, 2, 4, 2).double().requires_grad_()
    source = random_points(10, 1, 2, 4, 2).double().requires_grad_()
    grid = coordinate_grid(3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda d, s: fit_tps(d, s, 0.05).warp(grid), (driving, source))


def test_half_precision_is_solved_in_float32() -> None:
    driving = random_points(11, 2, 3, 5, 2)
    source = random_points(12, 2, 3, 5, 2)
    grid = coordinate_grid(8, 8)
    expected = fit_tps(driving, source).warp(grid)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(fit_tps(driving, source).warp(grid), expected)
    rounded = fit_tps(driving.bfloat16(), source.bfloat16()).warp(grid.bfloat16())
    assert rounded.dtype == torch.float32
    again = fit_tps(driving.bfloat16().float(), source.bfloat16().float()).warp(grid.bfloat16())
    assert torch.equal(rounded, again)


def test_bad_shapes_are_named() -> None:
    points = random_points(13, 1, 2, 5, 2)
    with pytest.raises(ValueError, match="driving"):
        fit_tps(points[0], points[0])
    with pytest.raises(ValueError, match="do not match"):
        fit_tps(points, points[:, :1])
    with pytest.raises(ValueError, match="positive"):
        fit_tps(points, points, 0.0)
    with pytest.raises(ValueError, match="coordinates"):
        fit_tps(points, points).warp(torch.zeros(4, 3))


def test_heatmaps() -> None:
    keypoints = random_points(14, 2, 3, 2)
    maps = keypoint_heatmaps(keypoints, 6, 9, 0.01)
    distance = (coordinate_grid(6, 9)[None, None] - keypoints[:, :, None, None]).square().sum(-1)
    assert maps.shape == (2, 3, 6, 9)
    assert torch.allclose(maps, torch.exp(-0.5 * distance / 0.01), atol=1e-6)
    centre = keypoint_heatmaps(torch.zeros(1, 1, 2), 5, 5, 0.01)
    assert centre[0, 0, 2, 2] == 1 and centre.argmax() == 12
    with pytest.raises(ValueError, match="keypoints"):
        keypoint_heatmaps(keypoints[0], 6, 9, 0.01)
    with pytest.raises(ValueError, match="variance"):
        keypoint_heatmaps(keypoints, 6, 9, 0.0)


def test_splines_in_plain_arithmetic_are_the_same() -> None:
    rng = torch.Generator().manual_seed(6)
    a, b = (torch.rand(2, 6, 5, 2, generator=rng) * 2 - 1 for _ in range(2))
    usual = fit_tps(a, b, 0.001)
    with plain_arithmetic():
        plain = fit_tps(a, b, 0.001)
    torch.testing.assert_close(plain.affine, usual.affine, atol=1e-3, rtol=1e-3)
    grid = torch.rand(50, 2, generator=rng) * 2 - 1
    torch.testing.assert_close(plain.warp(grid), usual.warp(grid), atol=1e-3, rtol=1e-3)


def test_factors_times_basis_is_the_warp() -> None:
    """With two source poses for one driving pose, whose basis they share."""
    driving = random_points(5, 3, 4, 5, 2)
    splines = fit_tps(torch.cat([driving, driving]), random_points(6, 6, 4, 5, 2))
    basis, factors = splines.basis(7, 9, 3), splines.factors
    assert basis.shape == (3, 4, 8, 63) and factors.shape == (6, 4, 2, 8)
    got = torch.matmul(factors.view(2, 3, 4, 2, 8), basis).view(6, 4, 2, 7, 9)
    wanted = splines.warp(coordinate_grid(7, 9)).movedim(-1, 2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
