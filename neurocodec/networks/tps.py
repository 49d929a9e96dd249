"""Thin-plate-spline transformations between two sets of keypoints.

A spline maps coordinates of the *driving* picture to coordinates of the *source* (reference) picture:
an affine part plus one radial term per control point, chosen so that every driving keypoint lands on
its source keypoint with the least bending. The theory is F. L. Bookstein, "Principal Warps", IEEE TPAMI
1989; the use as a motion model, with K splines of N = 5 points each, is J. Zhao and H. Zhang,
"Thin-Plate Spline Motion Model for Image Animation", CVPR 2022, whose numerics are kept here so that its
published weights give the same pictures.

Coordinates are pairs (x, y) in [-1, 1], -1 being the centre of the first pixel and +1 that of the last
(``align_corners=True``). All arithmetic is in float32 or better, also under autocast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from neurocodec.networks.elimination import SMALLEST_PIVOT, solve

_LOG_FLOOR = 1e-9  # keeps r² log r² finite at r = 0
_COORDINATE_LIMIT = 1000.0  # beyond every sane coordinate; squares of squares stay finite in float32
_plain = False  # whether networks compute as an exported graph is to


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Within this, networks compute as an exported graph is to.

    Splines are fitted without linear algebra routines, and many channels are warped by gathers.
    """
    global _plain
    before, _plain = _plain, True
    try:
        yield
    finally:
        _plain = before


def is_plain() -> bool:
    """Whether :func:`plain_arithmetic` is in force."""
    return _plain


class TPSParameters(NamedTuple):
    """K fitted splines for each of B pictures; maps driving coordinates to source coordinates.

    ``affine`` (B, K, 2, 3): the affine part, rows give x and y from (x, y, 1).
    ``weights`` (B, K, N, 2): each control point's radial contribution to x and y.
    ``control_points`` (B, K, N, 2): the driving keypoints, in [-1, 1].
    """

    affine: Tensor
    weights: Tensor
    control_points: Tensor

    def warp(self, coordinates: Tensor) -> Tensor:
        """Map coordinates (..., 2), the same for all splines, to source coordinates (B, K, ..., 2).

        A grid (H, W, 2) gives (B, K, H, W, 2). The result is in the parameters' floating type, and is not
        clipped to [-1, 1]. Raises ValueError if the last side is not 2.
        """
        if coordinates.ndim < 1 or coordinates.shape[-1] != 2:
            raise ValueError(f"coordinates must be (..., 2), not {tuple(coordinates.shape)}")
        with torch.autocast(coordinates.device.type, enabled=False):
            points = coordinates.to(self.affine.dtype).reshape(-1, 2)
            linear = torch.matmul(points, self.affine[..., :2].transpose(-1, -2))
            offset = self.affine[..., 2].unsqueeze(-2)
            dx = points[:, 0] - self.control_points[..., 0].unsqueeze(-1)
            dy = points[:, 1] - self.control_points[..., 1].unsqueeze(-1)
            radial = _radial_basis(dx * dx + dy * dy)
            bent = torch.matmul(radial.transpose(-1, -2), self.weights)
            warped = linear + offset + bent
        return warped.reshape(*self.affine.shape[:2], *coordinates.shape)

    def basis(self, height: int, width: int, pictures: int) -> Tensor:
        """What splines are made of over a grid: (pictures, K, N + 3, height * width), for the first pictures.

        Radial functions of the control points, then x, y and 1: :attr:`factors` times it is the warp. It
        depends on the driving keypoints alone.
        """
        control = self.control_points[:pictures]
        grid = coordinate_grid(height, width, device=control.device, dtype=control.dtype)
        count = control.shape[2]
        out = control.new_empty(*control.shape[:2], count + 3, height, width)
        across = (grid[0, :, 0] - control[..., 0, None]).square()
        down = (grid[:, 0, 1] - control[..., 1, None]).square()
        out[:, :, :count] = _radial_basis(down[..., None] + across[..., None, :])
        out[:, :, count], out[:, :, count + 1], out[:, :, count + 2] = grid[..., 0], grid[..., 1], 1
        return out.flatten(-2)

    @property
    def factors(self) -> Tensor:
        """What :meth:`basis` is multiplied by for x and for y: (B, K, 2, N + 3)."""
        return torch.cat([self.weights.transpose(-1, -2), self.affine], -1)


def coordinate_grid(
    height: int,
    width: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The coordinates (height, width, 2) of all pixels: x = 2 i / (width - 1) - 1, y alike, in [-1, 1].

    A side of one pixel sits at 0. Raises ValueError if a side is less than 1.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a grid needs at least one row and one column, not {height}x{width}")
    exact = torch.promote_types(dtype, torch.float32)

    def axis(count: int) -> Tensor:
        if count == 1:
            return torch.zeros(1, device=device, dtype=exact)
        return torch.arange(count, device=device, dtype=exact) * 2 / (count - 1) - 1

    y, x = torch.meshgrid(axis(height), axis(width), indexing="ij")
    return torch.stack((x, y), dim=-1).to(dtype)


def fit_tps(driving: Tensor, source: Tensor, regularization: float = 0.01) -> TPSParameters:
    """Fit K thin-plate splines per picture that carry driving keypoints to source keypoints.

    ``driving`` and ``source``: (B, K, N, 2), in [-1, 1] (values are limited to +-1000, so that float32
    does not overflow). The system is [[U, P], [P^T, 0]] with U = r² log(r² + 1e-9) between the driving
    points and rows [x, y, 1] in P, and ``regularization`` is added to the whole diagonal, as in the
    published model: larger bends less. Half-precision inputs are solved in float32, float64 ones in
    float64. Finite inputs give finite parameters for any regularization > 0, coincident points included:
    where that system happens to be singular a little more is added to its diagonal.

    Raises ValueError for shapes that do not match or a regularization that is not positive.
    """
    if driving.ndim != 4 or driving.shape[-1] != 2 or driving.shape[-2] < 1:
        raise ValueError(f"driving keypoints must be (B, K, N, 2), not {tuple(driving.shape)}")
    if source.shape != driving.shape:
        raise ValueError(f"source keypoints {tuple(source.shape)} do not match {tuple(driving.shape)}")
    if not regularization > 0:
        raise ValueError(f"the regularization must be positive, not {regularization}")
    count = driving.shape[-2]
    with torch.autocast(driving.device.type, enabled=False):
        exact = torch.promote_types(torch.promote_types(driving.dtype, source.dtype), torch.float32)
        control = driving.to(exact).clamp(-_COORDINATE_LIMIT, _COORDINATE_LIMIT)
        target = source.to(exact).clamp(-_COORDINATE_LIMIT, _COORDINATE_LIMIT)
        dx = control[..., 0].unsqueeze(-1) - control[..., 0].unsqueeze(-2)
        dy = control[..., 1].unsqueeze(-1) - control[..., 1].unsqueeze(-2)
        radial = _radial_basis(dx * dx + dy * dy)
        plane = torch.cat((control, torch.ones_like(control[..., :1])), dim=-1)
        corner = control.new_zeros(*control.shape[:2], 3, 3)
        system = torch.cat(
            (torch.cat((radial, plane), dim=-1), torch.cat((plane.transpose(-1, -2), corner), dim=-1)), dim=-2
        )
        diagonal = regularization * torch.eye(count + 3, device=system.device, dtype=exact)
        system = system + diagonal
        values = torch.cat((target, control.new_zeros(*control.shape[:2], 3, 2)), dim=-2)
        if _plain:
            solution = solve(system, values)
        else:
            system = system + _is_singular(system)[..., None, None] * diagonal
            solution, _ = torch.linalg.solve_ex(system, values)
    return TPSParameters(
        affine=solution[..., count:, :].transpose(-1, -2),
        weights=solution[..., :count, :],
        control_points=control,
    )


def keypoint_heatmaps(keypoints: Tensor, height: int, width: int, variance: float) -> Tensor:
    """A Gaussian blob exp(-d² / (2 variance)) around every keypoint, peak 1.

    ``keypoints`` (B, N, 2) in [-1, 1]; ``variance`` in the same units squared, the same for both axes.
    Returns (B, N, height, width) in [0, 1], in float32 or better. Raises ValueError for other shapes or a
    variance that is not positive.
    """
    if keypoints.ndim != 3 or keypoints.shape[-1] != 2:
        raise ValueError(f"keypoints must be (B, N, 2), not {tuple(keypoints.shape)}")
    if not variance > 0:
        raise ValueError(f"the variance must be positive, not {variance}")
    exact = torch.promote_types(keypoints.dtype, torch.float32)
    points = keypoints.to(exact)
    grid = coordinate_grid(height, width, device=keypoints.device, dtype=exact)
    across = torch.exp((grid[0, :, 0] - points[..., 0:1]).square() * (-0.5 / variance))
    down = torch.exp((grid[:, 0, 1] - points[..., 1:2]).square() * (-0.5 / variance))
    return down.unsqueeze(-1) * across.unsqueeze(-2)


def _radial_basis(squared_distance: Tensor) -> Tensor:
    """Bookstein's U = r² log r², elementwise, guarded at r = 0; takes r²."""
    if _plain:  # exporters take the addition of 1e-9 for nothing and leave it out
        return squared_distance * torch.log(squared_distance.clamp(min=_LOG_FLOOR))
    return squared_distance * torch.log(squared_distance + _LOG_FLOOR)


@torch.no_grad()
def _is_singular(system: Tensor) -> Tensor:
    """Which of the matrices (B, K, M, M) a solver would divide by (nearly) zero in; bool (B, K).

    The spline's matrix is indefinite, so the regularization alone does not rule that out.
    """
    factors, _, _ = torch.linalg.lu_factor_ex(system)
    pivots = torch.diagonal(factors, dim1=-2, dim2=-1).abs()
    return pivots.amin(dim=-1) < SMALLEST_PIVOT
