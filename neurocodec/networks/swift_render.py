"""The :class:`~neurocodec.networks.swift.Swift` renderer as a CPU likes it.

Arithmetic is that of ``Swift.render``; how the data moves is told in
:mod:`neurocodec.networks.talk_render`, whose tools these are.  Besides:

- a convolution of joined maps is a sum of convolutions of each, so what depends on the frame alone or on the
  reference alone is convolved once, and convolutions over one pixel at a time are applied to features of
  references before these are warped, and to small maps before these are enlarged
  (:mod:`neurocodec.networks.parts`);
- pictures are warped as bytes (in steps of a 32nd of a pixel), and blended and sharpened by OpenCV.
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

from neurocodec.networks.fused import FusedConvolution
from neurocodec.networks.parts import after, convolution, part, side_by_side
from neurocodec.networks.swift import (
    FURTHEST_STEP,
    PARTS,
    Swift,
    _pyramid,
    expression_maps,
    openness,
)
from neurocodec.networks.talk import (
    MOST_SHARPENED,
    MOTION_SIZE,
    POINTS_PER_TPS,
    _resize,
)
from neurocodec.networks.talk_render import (
    TiedTables,
    _bilinear,
    _blurred,
    _buffer,
    _Corners,
    _put_up,
    _rows,
)
from neurocodec.networks.tps import coordinate_grid, fit_tps, keypoint_heatmaps
from neurocodec.networks.warp import Warp, warps_of
from neurocodec.types import Picture

_TILE = 4
"""Frames rendered together: more do not fit the caches."""
_BLOCK = 12
"""Numbers of two by two pixels: rows, columns, colours."""


@dataclass(frozen=True)
class FlatReference:
    """What is computed once per reference.

    ``picture`` (S,S,3), cleaned; ``small`` (1,3,64,64) in float32, ``tables`` of features, each (h*h,
    channels) float32 at S/2, S/4 and S/8, ``keypoints`` (1,N,2), ``stem`` (1,C,32,32): its own part of the
    motion network's first layer, ``opened`` (1,3): how far mouth and eyes are open.
    """

    picture: Picture
    small: Tensor
    tables: tuple[Tensor, ...]
    keypoints: Tensor
    stem: Tensor
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
        self._split_stem()
        self._split_merges(network.config.deep_width, network.config.fine_width)
        heads = [getattr(self._motion, name) for name in ("maps", "step", "occlusion", "confidence")]
        self._head_sizes = [head.out_channels for head in heads]
        self._heads = side_by_side(heads)
        whole = [self._motion, self._generator, self._reference]
        for made in (*whole, self._stem_of_warped, self._heads, self._merge2, self._merge1, self._fine_up,
                     self._merge0, self._head):  # fmt: skip
            for module in made.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._tables = TiedTables()
        self._grid = coordinate_grid(MOTION_SIZE, MOTION_SIZE).permute(2, 0, 1).contiguous()

    def _split_stem(self) -> None:
        """The motion network's first layer: of the frame, of the reference, of what is warped for the two."""
        m = self._motion
        stem = convolution(m.stem)
        n, warped = m.num_tps * POINTS_PER_TPS, 3 * (m.num_tps + 1)
        heat, still = range(n), range(n, n + 3)
        shown = range(n + warped, n + warped + 2 * len(PARTS), 2)
        moved = [*range(n + 3, n + warped), *(k + 1 for k in shown)]
        self._stem_of_frame = part(stem, [*heat, *shown])
        self._stem_of_reference = part(stem, [*heat, *still], biased=False)
        self._stem_of_warped = FusedConvolution(part(stem, moved, biased=False), nn.ReLU())

    def _split_merges(self, deep: int, fine: int) -> None:
        """The generator's layers at S/8, S/4 and S/2, and its head, for maps in the order used here."""
        g = self._generator
        merge2, merge0 = convolution(g.merge2), convolution(g.merge0[0])
        self._deep_part = merge2.weight.detach()[:, :deep, 0, 0].float().t().contiguous()
        self._merge2 = FusedConvolution(part(merge2, range(deep, merge2.in_channels)), nn.ReLU())
        merge1 = convolution(g.merge1[0])
        before = merge1.in_channels - 4 * _BLOCK
        pixels = torch.arange(4 * _BLOCK).view(3, 2, 2, 2, 2).permute(1, 3, 2, 4, 0).flatten()
        reordered = part(merge1, [*range(before), *(before + pixels).tolist()])
        self._merge1 = nn.Sequential(FusedConvolution(reordered, nn.ReLU()), *list(g.merge1)[1:])
        self._fine_up = after(g.reduce0, part(merge0, range(fine), biased=False))
        self._fine_part = merge0.weight.detach()[:, fine : 2 * fine, 0, 0].float().t().contiguous()
        pixels = torch.arange(_BLOCK).view(3, 2, 2).permute(1, 2, 0).flatten()
        block = part(merge0, (2 * fine + pixels).tolist())
        self._merge0 = nn.ModuleList([FusedConvolution(block, nn.ReLU()), g.merge0[1]])
        self._head = part(g.head, range(g.head.in_channels), outputs=[*pixels.tolist(), *range(_BLOCK, 20)])

    def encode_reference(self, image: Tensor, keypoints: Tensor) -> FlatReference:
        """Coded picture (1,3,S,S) in [0,1] and its keypoints (1,N,2) -> what rendering from it needs."""
        cleaned, *features = self._reference(image)
        cleaned = cleaned.clamp(0, 1)
        picture = cleaned[0].permute(1, 2, 0).mul(255).round().to(torch.uint8).contiguous().numpy()
        fine, middle, deep = (_rows(t).flatten(0, 2).float() for t in features)
        tables = fine @ self._fine_part, middle.contiguous(), deep @ self._deep_part
        blobs = keypoint_heatmaps(keypoints, MOTION_SIZE, MOTION_SIZE, self._motion.variance)
        small = _resize(cleaned, MOTION_SIZE).contiguous()
        stem = self._stem_of_reference(torch.cat([-blobs, small - 0.5], 1))
        return FlatReference(picture, small, tables, keypoints, stem, openness(keypoints))

    def render(
        self, references: Sequence[FlatReference], keypoints: Tensor, warps: list[Warp] | None = None
    ) -> Tensor:
        """Keypoints (B,N,2) -> pictures (B,S,S,3) uint8, from one to three references.

        To ``warps``, if given, one is appended for each picture.
        """
        tiles = [self._render(references, some, warps) for some in keypoints.split(_TILE)]
        return tiles[0] if len(tiles) == 1 else torch.cat(tiles)

    def _splines(self, references: Sequence[FlatReference], kp: Tensor) -> Tensor:
        """Where the splines of keypoints (B,N,2) lead: (count,B,K,2,64,64), x and y in [-1,1]."""
        m, side = self._motion, MOTION_SIZE
        b, count = len(kp), len(references)
        points = kp.view(b, m.num_tps, POINTS_PER_TPS, 2)
        sources = torch.cat([r.keypoints.expand(b, -1, 2) for r in references])
        splines = fit_tps(
            points.repeat(count, 1, 1, 1), sources.view(count * b, *points.shape[1:]), m.regularization
        )
        basis = splines.basis(side, side, b).flatten(0, 1)
        factors = splines.factors.view(count, -1, *splines.factors.shape[2:])
        flows = torch.empty(count, b * m.num_tps, 2, side * side)
        for flow, factor in zip(flows, factors, strict=True):
            torch.bmm(factor, basis, out=flow)
        return flows.clamp_(-4, 4).view(count, b, m.num_tps, 2, side, side)

    def _stem(self, references: Sequence[FlatReference], kp: Tensor, flows: Tensor, driving: Tensor,
              shown: Tensor, places: Tensor) -> Tensor:  # fmt: skip
        """The motion network's first layer (count*B,C,32,32)."""
        side, b = MOTION_SIZE, len(kp)
        heat = driving.shape[1]
        frame = torch.empty(b, heat + len(PARTS), side, side)
        frame[:, :heat], frame[:, heat:] = driving, shown
        of_frame = self._stem_of_frame(frame)
        x = _buffer(len(references) * b, self._stem_of_warped.conv.in_channels, side, self._dtype)
        known = []
        for r, flow, rows in zip(references, flows, x.split(b), strict=True):
            grid = flow.flatten(0, 1).permute(0, 2, 3, 1)
            images = r.small.expand(len(grid), -1, -1, -1)
            warped = F.grid_sample(images, grid, padding_mode="border", align_corners=True)
            rows[:, : -len(PARTS)] = warped.sub_(0.5).view(b, -1, side, side)
            rows[:, -len(PARTS) :] = places * r.opened[:, :, None, None]
            known.append(of_frame + r.stem)
        shortcut = torch.cat(known).to(self._dtype, memory_format=torch.channels_last)
        stem: Tensor = self._stem_of_warped(x, shortcut)
        return stem

    def _move(self, references: Sequence[FlatReference], kp: Tensor) -> dict[str, Tensor]:
        """Flow (count,B,2,64,64), occlusion and confidence (count,B,1,h,h) at 32, 64, 128, features."""
        m, dtype = self._motion, self._dtype
        b, count, side = len(kp), len(references), MOTION_SIZE
        driving = keypoint_heatmaps(kp, side, side, m.variance)
        around = driving.view(b, m.num_tps, POINTS_PER_TPS, side, side).amax(2)
        places = expression_maps(kp, torch.ones(b, 1, len(PARTS)), side)  # Gaussians of height 1
        shown = places * openness(kp)[:, :, None, None]
        flows = self._splines(references, kp)
        x0 = self._stem(references, kp, flows, driving, shown, places)
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
        maps, step, occlusion, confidence = self._heads(features).float().split(self._head_sizes, 1)
        maps = F.pixel_shuffle(maps, 2)
        maps.view(count, b, -1, side, side)[:, :, 1:] += m.nearness[:, None, None] * around
        mixture = torch.softmax(maps, 1)
        flow = FURTHEST_STEP * torch.tanh(F.pixel_shuffle(step, 2))
        flow.addcmul_(mixture[:, :1], self._grid)
        for k, lead in enumerate(flows.flatten(0, 1).unbind(1)):
            flow.addcmul_(mixture[:, k + 1 : k + 2], lead)
        out = {"flow": flow.nan_to_num_(), "features": features}
        out |= {f"occlusion{level}": v.sigmoid() for level, v in _pyramid(occlusion).items()}
        out |= {f"confidence{level}": v for level, v in _pyramid(confidence).items()}
        return {**{name: v.unflatten(0, (count, b)) for name, v in out.items()}, "shown": shown}

    @staticmethod
    def _shares(motion: dict[str, Tensor], level: str, side: int) -> Tensor:
        """Weights of the references (count,B,side,side), from what the motion network trusts."""
        confidence = motion[f"confidence{level}"]
        if len(confidence) == 1:
            return torch.ones(()).expand(1, confidence.shape[1], side, side)
        if len(confidence) == 2:  # the softmax of two
            first = _bilinear(confidence[:1] - confidence[1:], side)[:, :, 0].sigmoid_()
            return torch.cat([first, 1 - first])
        return _bilinear(confidence, side)[:, :, 0].softmax(0)

    def _render(self, references: Sequence[FlatReference], kp: Tensor, warps: list[Warp] | None) -> Tensor:
        g, dtype = self._generator, self._dtype
        b, size = len(kp), references[0].picture.shape[0]
        motion = self._move(references, kp)
        tables = self._tables(references)

        def seen(table: Tensor, side: int, level: str) -> Tensor:
            """Warped, hidden and averaged features (B,side,side,C)."""
            visible = _bilinear(motion[f"occlusion{level}"], side)[:, :, 0]
            corners = _Corners(_bilinear(motion["flow"], side, corners=True))
            return corners.sum(table, visible * self._shares(motion, level, side))

        deformed = self._deformed(references, motion, size)
        eighth, quarter, half = size // 8, size // 4, size // 2
        # four pixels to a place, (B,S/2,S/2,12), channel 6*row + 3*column + colour
        places = torch.from_numpy(np.stack(deformed)).view(b, half, 2, half, 6).transpose(2, 3)
        places = places.reshape(b, half, half, _BLOCK).mul_(1 / 255).sub_(0.5)

        deep = _planes(seen(tables[2], eighth, "32")).to(dtype)
        context = self._mean(_bilinear(motion["features"], eighth), self._shares(motion, "32", eighth))
        x = g.reduce1(g.body(self._merge2(context, deep)))

        middle = seen(tables[1], quarter, "64")
        c, parts = x.shape[1], len(PARTS)
        at = np.cumsum([c, middle.shape[-1], parts, 4 * _BLOCK])
        merged = _buffer(b, int(at[-1]), quarter, dtype)
        _put_up(merged, x)
        rows = _rows(merged)
        rows[..., c : at[1]] = middle
        merged[:, at[1] : at[2]] = (
            motion["shown"] if quarter == MOTION_SIZE else _bilinear(motion["shown"][None], quarter)[0]
        )
        for down, line in enumerate(places.view(b, quarter, 2, quarter, 2 * _BLOCK).unbind(2)):
            rows[..., at[2] + 2 * _BLOCK * down :][..., : 2 * _BLOCK] = line
        x = self._fine_up(self._merge1(merged))

        fine = seen(tables[0], half, "128")
        coarse = _rows(x)[:, :, None, :, None].float()
        fine.view(b, quarter, 2, quarter, 2, -1).add_(coarse)
        x = self._merge0[0](_planes(places).to(dtype), _planes(fine).to(dtype))
        out = _rows(self._head(self._merge0[1](x))).float().sigmoid_()
        painted = _opened(out[..., :_BLOCK].mul_(255)).numpy()
        mask = _opened(out[..., _BLOCK:16])[..., 0]
        amount = _opened(out[..., 16:].mul_(MOST_SHARPENED))[..., 0].numpy()
        if warps is not None:
            warps += warps_of(motion["flow"], self._shares(motion, "128", half), mask)
        made = zip(painted, deformed, mask.numpy(), amount, strict=True)
        return torch.from_numpy(np.stack([_finished(*frame) for frame in made]))

    @staticmethod
    def _mean(x: Tensor, shares: Tensor) -> Tensor:
        """(count,B,C,H,W) -> (B,C,H,W)."""
        if len(x) == 1:
            return x[0]
        return (x * shares[:, :, None].to(x.dtype)).sum(0)

    def _deformed(
        self, references: Sequence[FlatReference], motion: dict[str, Tensor], size: int
    ) -> list[NDArray[np.float32]]:
        """The references' pictures, warped and averaged: B of (S,S,3), 0 to 255."""
        places = _bilinear((motion["flow"] + 1) * (0.5 * (size - 1)), size, corners=True).numpy()
        shares = self._shares(motion, "128", size).numpy()
        out = []
        for i in range(places.shape[1]):
            warped = [
                cv2.remap(reference.picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
                    np.float32
                )
                for reference, (x, y) in zip(references, places[:, i], strict=True)
            ]
            mean, weight = warped[0], shares[0, i]
            for other, share in zip(warped[1:], shares[1:, i], strict=True):
                mean, weight = cv2.blendLinear(mean, other, weight, share), weight + share
            out.append(mean)
        return out


def _planes(x: Tensor) -> Tensor:
    """(B,H,W,C) -> (B,C,H,W), the same in memory."""
    return x.permute(0, 3, 1, 2)


def _opened(x: Tensor) -> Tensor:
    """Four pixels to a place (B,h,h,4*C), channel 2*C*row + C*column + c -> (B,2h,2h,C)."""
    b, h, _, c = x.shape
    rows = x.unflatten(-1, (2, c // 2)).transpose(2, 3)
    return rows.reshape(b, 2 * h, 2 * h, c // 4)


def _finished(
    painted: NDArray[np.float32],
    deformed: NDArray[np.float32],
    mask: NDArray[np.float32],
    amount: NDArray[np.float32],
) -> Picture:
    """Pictures (S,S,3), 0 to 255, blended and sharpened by maps (S,S), as ``talk.blended`` does."""
    picture = cv2.blendLinear(painted, deformed, 1 - mask, mask)
    sharp = cv2.blendLinear(picture, _blurred(picture), 1 + amount, -amount)
    return cv2.convertScaleAbs(np.maximum(sharp, 0, out=sharp))
