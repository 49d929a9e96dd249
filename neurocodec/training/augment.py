"""Samples as the network gets to see them: colours, mirroring, similarities, tilts.

Random numbers come from a generator on the CPU, so that a step sees the same on every kind of device.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from neurocodec.training.frame_pairs import Batch
from neurocodec.training.galleries import Gallery


class Prepared(NamedTuple):
    """Float pictures (B,3,S,S) in [0,1], landmarks (B,68,2) augmented alike, mirrored (B,)."""

    reference: Tensor
    other: Tensor
    target: Tensor
    following: Tensor
    landmarks: Tensor
    mirrored: Tensor


def similarities(count: int, spread: float, rng: torch.Generator) -> Tensor:
    """Random similarity transforms (B,2,3): +-``spread`` in scale and shift, +-60*spread degrees."""
    u = torch.rand(count, 4, generator=rng) * 2 - 1
    angle = u[:, 0] * spread * 60 / 180 * math.pi
    scale = 1 + u[:, 1] * spread
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cos, -sin, u[:, 2] * spread], -1), torch.stack([sin, cos, u[:, 3] * spread], -1)]
    return torch.stack(rows, 1)


def tilts(count: int, degrees: float, rng: torch.Generator) -> Tensor:
    """Rotations (B,2,3) by up to +-``degrees``, small ones more often than large ones."""
    u = torch.rand(count, generator=rng) * 2 - 1
    angle = u * u.abs() * degrees / 180 * math.pi
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros(count)
    return torch.stack([torch.stack([cos, -sin, zero], -1), torch.stack([sin, cos, zero], -1)], 1)


def transform(images: Tensor, theta: Tensor) -> Tensor:
    """Images (B,C,S,S) seen through ``theta`` (B,2,3), as ``F.affine_grid`` has it; edges mirrored."""
    with torch.autocast(images.device.type, enabled=False):
        grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=True)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=True)


def moved(points: Tensor, theta: Tensor) -> Tensor:
    """Where the points (B,N,2) of a picture lie after ``transform(picture, theta)``."""
    theta = theta.to(points.device)
    return torch.linalg.solve(
        theta[:, None, :, :2].double(), (points - theta[:, None, :, 2]).double()[..., None]
    )[..., 0].float()


def prepare(batch: Batch, rng: torch.Generator, affine: float, tilt: float = 0.0) -> Prepared:
    """Batch of uint8 frames -> float, with colour jitter, mirroring and a common similarity transform.

    ``tilt``: in one of four, all frames are turned by up to so many degrees; in as many others, the second
    reference alone is turned by up to half as many, as a head that leans would.
    """
    *pictures, landmarks = batch
    images = [x.permute(0, 3, 1, 2).float() / 255 for x in pictures]
    device, b = images[0].device, len(images[0])
    landmarks = landmarks.to(device)
    gain = (1 + 0.2 * (torch.rand(b, 3, 1, 1, generator=rng) - 0.5)).to(device)
    gamma = torch.exp(0.4 * (torch.rand(b, 1, 1, 1, generator=rng) - 0.5)).to(device)
    images = [(x.clamp(min=1e-4) ** gamma * gain).clamp(0, 1) for x in images]
    mirrored = (torch.rand(b, generator=rng) < 0.5).to(device)
    images = [torch.where(mirrored[:, None, None, None], x.flip(-1), x) for x in images]
    flipped = landmarks.clone()
    flipped[..., 0] = 1 - flipped[..., 0]
    landmarks = torch.where(mirrored[:, None, None], flipped, landmarks)
    if affine > 0:
        theta = similarities(b, affine, rng)
        images = [transform(x, theta) for x in images]
        landmarks = (moved(landmarks * 2 - 1, theta) + 1) / 2
    if tilt > 0:
        quarter = max(1, b // 4)
        theta = tilts(quarter, tilt, rng)
        images = [torch.cat([transform(x[:quarter], theta), x[quarter:]]) for x in images]
        turned = (moved(landmarks[:quarter] * 2 - 1, theta) + 1) / 2
        landmarks = torch.cat([turned, landmarks[quarter:]])
        some, theta = images[1][quarter : 2 * quarter], tilts(quarter, tilt / 2, rng)
        if len(some):
            leaning = transform(some, theta[: len(some)])
            images[1] = torch.cat([images[1][:quarter], leaning, images[1][2 * quarter :]])
    images = [x.contiguous(memory_format=torch.channels_last) for x in images]
    reference, other, target, following = images
    return Prepared(reference, other, target, following, landmarks, mirrored)


class PreparedGallery(NamedTuple):
    """Float pictures (B,R,3,S,S) and (B,T,3,S,S) in [0,1]; landmarks (B,T,68,2) augmented alike."""

    references: Tensor
    originals: Tensor
    targets: Tensor
    landmarks: Tensor


def prepare_gallery(
    gallery: Gallery, rng: torch.Generator, affine: float, tilt: float = 0.0, smaller: float = 0.0
) -> PreparedGallery:
    """uint8 pictures -> float, with colour jitter, mirroring and a similarity that a gallery shares.

    Half of the galleries are not transformed, since that softens them.  ``tilt``: degrees that references
    alone are turned by in one of eight, as a head that leans would be.  ``smaller``: share of galleries whose
    references come from pictures of half to all of their side.
    """
    device, b = gallery.targets.device, len(gallery.targets)
    counts = [x.shape[1] for x in gallery[:3]]
    images = torch.cat(gallery[:3], 1).to(device).permute(0, 1, 4, 2, 3).float() / 255
    gain = (1 + 0.2 * (torch.rand(b, 1, 3, 1, 1, generator=rng) - 0.5)).to(device)
    gamma = torch.exp(0.4 * (torch.rand(b, 1, 1, 1, 1, generator=rng) - 0.5)).to(device)
    images = (images.clamp(min=1e-4) ** gamma * gain).clamp(0, 1)
    landmarks = gallery.landmarks.to(device)
    mirrored = (torch.rand(b, generator=rng) < 0.5).to(device)
    images = torch.where(mirrored[:, None, None, None, None], images.flip(-1), images)
    flipped = landmarks.clone()
    flipped[..., 0] = 1 - flipped[..., 0]
    landmarks = torch.where(mirrored[:, None, None, None], flipped, landmarks)
    some = (b + int(torch.rand((), generator=rng) < 0.5)) // 2
    if affine > 0 and some:
        theta = similarities(some, affine, rng)
        n = images.shape[1]
        moved_images = transform(images[:some].flatten(0, 1), theta.repeat_interleave(n, 0))
        images = torch.cat([moved_images.unflatten(0, (some, n)), images[some:]])
        marks = moved(landmarks[:some].flatten(1, 2) * 2 - 1, theta)
        landmarks = torch.cat([((marks + 1) / 2).unflatten(1, landmarks.shape[1:3]), landmarks[some:]])
    references, originals, targets = images.split(counts, 1)
    size, r = references.shape[-1], counts[0]
    pictures, before = references.flatten(0, 1), originals.flatten(0, 1)
    if tilt > 0 and torch.rand((), generator=rng) < 0.125:
        theta = tilts(b * r, tilt, rng)
        pictures, before = transform(pictures, theta), transform(before, theta)
    if torch.rand((), generator=rng) < smaller:
        side = 8 * int(torch.randint(size // 16, size // 8, (), generator=rng))
        pictures = torch.nn.functional.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
        pictures = torch.nn.functional.interpolate(pictures, (size, size), mode="bicubic").clamp(0, 1)
    return PreparedGallery(
        pictures.unflatten(0, (b, r)), before.unflatten(0, (b, r)), targets.contiguous(), landmarks
    )
