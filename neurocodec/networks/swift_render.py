"""The :class:`~neurocodec.networks.swift.Swift` renderer as a CPU likes it.

Arithmetic is that of ``Swift.render``; how the data moves is told in
:mod:`neurocodec.networks.talk_render`, whose tools these are.  Besides, pictures are warped as bytes (in
steps of a 32nd of a pixel).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.networks.swift import (
    FURTHEST_STEP,
    PARTS,
    Swift,
    _pyramid,
    expression_maps,
    openness,
)
from neurocodec.networks.talk import MOST_SHARPENED, MOTION_SIZE, POINTS_PER_TPS, _resize
from neurocodec.networks.talk_render import (
    TiedTables,
    _bilinear,
    _buffer,
    _Corners,
    _detail,
    _opened,
    _put_up,
    _rows,
)
from neurocodec.networks.tps import coordinate_grid, fit_tps, keypoint_heatmaps
from neurocodec.networks.warp import Warp, warps_of
from neurocodec.types import Picture

_TILE = 4
"""Frames rendered together: more do not fit the caches."""


@dataclass(frozen=True)
class FlatReference:
    """What is computed once per reference.

    ``picture`` (S,S,3), cleaned; ``small`` (1,3,64,64) in float32, ``tables`` of features, each (h*h,
    channels) float32 at S/2, S/4 and S/8, ``keypoints`` (1,N,2), ``blobs`` (1,N,64,64): their heat maps,
    ``opened`` (1,3): how far mouth and eyes are open.
    """

    picture: Picture
    small: Tensor
    tables: tuple[Tensor, ...]
    keypoints: Tensor
    blobs: Tensor
    opened: Tensor


class SwiftRenderer:
    """Renders with a :class:`Swift` whose batch norms are folded, on the CPU.

    Args:
        network: its convolutions are used as they are, in ``dtype``; its keypoint network is left alone.
        dtype: float32, or bfloat16 where the CPU multiplies matrices of it.
    """

    def __init__(self, network: Swift, dtype: torch.dtype = torch.float32) -> None:
        self._motion, self._generator, self._dtype = network.motion_net, network.generator, dtype
        self._reference = network.reference_net
        for part in (self._motion, self._generator, self._reference):
            for module in part.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._tables = TiedTables()

    def encode_reference(self, image: Tensor, keypoints: Tensor) -> FlatReference:
        """Coded picture (1,3,S,S) in [0,1] and its keypoints (1,N,2) -> what rendering from it needs."""
        cleaned, *features = self._reference(image)
        cleaned = cleaned.clamp(0, 1)
        picture = cleaned[0].permute(1, 2, 0).mul(255).round().to(torch.uint8).contiguous().numpy()
        tables = tuple(_rows(t).flatten(0, 2).float().contiguous() for t in features)
        blobs = keypoint_heatmaps(keypoints, MOTION_SIZE, MOTION_SIZE, self._motion.variance)
        small = _resize(cleaned, MOTION_SIZE).contiguous()
        return FlatReference(picture, small, tables, keypoints, blobs, openness(keypoints))

    def render(
        self, references: Sequence[FlatReference], keypoints: Tensor, warps: list[Warp] | None = None
    ) -> Tensor:
        """Keypoints (B,N,2) -> pictures (B,S,S,3) uint8, from one to three references.

        To ``warps``, if given, one is appended for each picture.
        """
        tiles = [self._render(references, some, warps) for some in keypoints.split(_TILE)]
        return tiles[0] if len(tiles) == 1 else torch.cat(tiles)

    def _move(self, references: Sequence[FlatReference], kp: Tensor) -> dict[str, Tensor]:
        """Flow (count,B,2,64,64), occlusion and confidence (count,B,1,h,h) at 32, 64, 128, features."""
        m, dtype = self._motion, self._dtype
        b, count, side, k = len(kp), len(references), MOTION_SIZE, self._motion.num_tps + 1
        driving = keypoint_heatmaps(kp, side, side, m.variance)
        around = driving.view(b, m.num_tps, POINTS_PER_TPS, side, side).amax(2)
        points = kp.view(b, m.num_tps, POINTS_PER_TPS, 2)
        sources = torch.cat([r.keypoints.expand(b, -1, 2) for r in references])
        splines = fit_tps(
            points.repeat(count, 1, 1, 1), sources.view(count * b, *points.shape[1:]), m.regularization
        )
        grid = coordinate_grid(side, side)
        flows = torch.empty(count * b, k, side, side, 2)
        flows[:, 0] = grid
        flows[:, 1:] = splines.warp(grid).clamp_(-4, 4)
        small = torch.cat([r.small for r in references])
        warped = F.grid_sample(
            small, flows.view(count, b * k * side, side, 2), padding_mode="border", align_corners=True
        )
        places = expression_maps(kp, torch.ones(b, 1, len(PARTS)), side)  # Gaussians of height 1
        opened = openness(kp)
        shown = places * opened[:, :, None, None]
        n = driving.shape[1]
        e = n + 3 * k
        x = _buffer(count * b, e + 2 * len(PARTS), side, dtype)
        for i, r in enumerate(references):
            rows = slice(i * b, (i + 1) * b)
            x[rows, :n] = driving - r.blobs
            x[rows, e::2] = shown
            x[rows, e + 1 :: 2] = places * r.opened[:, :, None, None]
        by_frame = (warped - 0.5).view(count, 3, b, k, side, side).permute(0, 2, 3, 1, 4, 5)
        x[:, n:e] = by_frame.reshape(count * b, 3 * k, side, side)
        x0 = m.stem(x)
        x1 = m.down1(x0)
        deep = m.down2(x1)
        both = _buffer(count * b, deep.shape[1] + x1.shape[1], x1.shape[-1], dtype)
        _put_up(both, deep)
        both[:, deep.shape[1] :] = x1
        up = m.up1(both)
        both = _buffer(count * b, up.shape[1] + x0.shape[1], x0.shape[-1], dtype)
        _put_up(both, up)
        both[:, up.shape[1] :] = x0
        features = m.up0(both)
        maps = F.pixel_shuffle(m.maps(features).float(), 2)
        maps.view(count, b, k, side, side)[:, :, 1:] += m.nearness[:, None, None] * around
        mixture = torch.softmax(maps.contiguous(), 1)
        flow = torch.einsum("bkyx,bkyxd->bdyx", mixture, flows)
        flow += FURTHEST_STEP * torch.tanh(F.pixel_shuffle(m.step(features).float(), 2))
        occlusion, confidence = m.occlusion(features).float().sigmoid_(), m.confidence(features).float()
        out = {"flow": flow.nan_to_num_(), "features": features}
        out |= {f"occlusion{level}": v for level, v in _pyramid(occlusion).items()}
        out |= {f"confidence{level}": v for level, v in _pyramid(confidence).items()}
        return {**{name: v.unflatten(0, (count, b)) for name, v in out.items()}, "shown": shown}

    @staticmethod
    def _shares(motion: dict[str, Tensor], level: str, side: int) -> Tensor:
        """Weights of the references (count,B,side,side), from what the motion network trusts."""
        confidence = motion[f"confidence{level}"]
        if len(confidence) == 1:
            return torch.ones(()).expand(1, confidence.shape[1], side, side)
        return _bilinear(confidence, side)[:, :, 0].softmax(0)

    def _render(
        self, references: Sequence[FlatReference], kp: Tensor, warps: list[Warp] | None
    ) -> Tensor:
        g, dtype = self._generator, self._dtype
        b, size = len(kp), references[0].picture.shape[0]
        motion = self._move(references, kp)
        tables = self._tables(references)

        def seen(table: Tensor, side: int, level: str) -> Tensor:
            """Warped, hidden and averaged features (B,side,side,C)."""
            visible = _bilinear(motion[f"occlusion{level}"], side)[:, :, 0]
            corners = _Corners(_bilinear(motion["flow"], side, corners=True))
            return corners.sum(table, visible * self._shares(motion, level, side))

        deformed = self._deformed(references, motion, size)  # (B,S,S,3), 0 to 255
        eighth, quarter, half = size // 8, size // 4, size // 2

        deep = seen(tables[2], eighth, "32")
        context = self._mean(_bilinear(motion["features"], eighth), self._shares(motion, "32", eighth))
        x = _buffer(b, deep.shape[-1] + context.shape[1], eighth, dtype)
        _rows(x)[..., : deep.shape[-1]] = deep
        x[:, deep.shape[-1] :] = context
        x = g.reduce1(g.body(g.merge2(x)))

        middle = seen(tables[1], quarter, "64")
        c, parts = x.shape[1], len(PARTS)
        at = np.cumsum([c, middle.shape[-1], parts, 48])
        merged = _buffer(b, int(at[-1]), quarter, dtype)
        _put_up(merged, x)
        rows = _rows(merged)
        rows[..., c : at[1]] = middle
        merged[:, at[1] : at[2]] = (
            motion["shown"] if quarter == MOTION_SIZE else _bilinear(motion["shown"][None], quarter)[0]
        )
        rows[..., at[2] :] = _gathered(deformed, 4).mul_(1 / 255).sub_(0.5)
        x = g.reduce0(g.merge1(merged))

        fine = seen(tables[0], half, "128")
        c = x.shape[1]
        merged = _buffer(b, c + fine.shape[-1] + 12, half, dtype)
        _put_up(merged, x)
        rows = _rows(merged)
        rows[..., c : c + fine.shape[-1]] = fine
        places = _gathered(deformed, 2)
        rows[..., c + fine.shape[-1] :] = places * (1 / 255) - 0.5
        out = _rows(g.head(g.merge0(merged))).float().sigmoid_()
        painted, mask, amount = out[..., :12].unflatten(-1, (3, 4)), out[..., None, 12:16], out[..., 16:]
        if warps is not None:
            shares = self._shares(motion, "128", half)
            warps += warps_of(motion["flow"], shares, _opened(mask)[..., 0])
        blend = torch.lerp(painted.mul_(255), places.unflatten(-1, (3, 4)), mask)
        picture, amount = _opened(blend), _opened(amount[..., None, :]).mul_(MOST_SHARPENED)
        detail = torch.from_numpy(np.stack([_detail(p) for p in picture.numpy()]))
        return picture.addcmul_(detail, amount).round_().clamp_(0, 255).to(torch.uint8)

    @staticmethod
    def _mean(x: Tensor, shares: Tensor) -> Tensor:
        """(count,B,C,H,W) -> (B,C,H,W)."""
        if len(x) == 1:
            return x[0]
        return (x * shares[:, :, None].to(x.dtype)).sum(0)

    def _deformed(self, references: Sequence[FlatReference], motion: dict[str, Tensor], size: int) -> Tensor:
        """The references' pictures, warped and averaged, (B,S,S,3) in 0 to 255."""
        count, b = motion["flow"].shape[:2]
        places = ((_bilinear(motion["flow"], size, corners=True) + 1) * (0.5 * (size - 1))).numpy()
        shares = self._shares(motion, "128", size).numpy()
        out: NDArray[np.float32] = np.empty((b, size, size, 3), np.float32)
        for i in range(b):
            for k, reference in enumerate(references):
                x, y = places[k, i]
                warped = cv2.remap(reference.picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                if count == 1:
                    out[i] = warped
                elif k == 0:
                    np.multiply(warped, shares[k, i][..., None], out=out[i])
                else:
                    out[i] += warped * shares[k, i][..., None]
        return torch.from_numpy(out)


def _gathered(pictures: Tensor, side: int) -> Tensor:
    """(B,S,S,3) -> (B,S/side,S/side,3*side*side), as ``pixel_unshuffle`` orders channels."""
    b, s = pictures.shape[:2]
    h = s // side
    return pictures.view(b, h, side, h, side, 3).permute(0, 1, 3, 5, 2, 4).reshape(b, h, h, -1)
