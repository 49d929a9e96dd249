"""The :class:`~neurocodec.networks.talk.Talk` renderer as a CPU likes it.

Arithmetic is that of ``Talk.render``; what differs is how the data moves, which is where the time went:

- features stay in channels-last order as tables with a row of channels per place, and warping, visibility
  and the average over the references are one weighted sum of table rows (``embedding_bag``: four rows a
  reference, bilinear);
- the picture is warped and blended at half size with four pixels side by side in the channels, as the
  convolutions see it;
- inputs of convolutions are written once, into their place in one buffer;
- what does not depend on the frame is computed once a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.networks.talk import (
    BLUR_SIGMA,
    BLUR_TAPS,
    MOST_SHARPENED,
    MOTION_SIZE,
    POINTS_PER_TPS,
    Generator,
    Talk,
    _resize,
)
from neurocodec.networks.tps import coordinate_grid, fit_tps, keypoint_heatmaps
from neurocodec.networks.warp import Warp, warps_of

_TILE = 4
"""Frames rendered together: more do not fit the caches."""


@dataclass(frozen=True)
class FlatReference:
    """What is computed once per reference.

    ``image`` (1,3,S,S) and ``small`` (1,3,64,64) in float32, ``tables`` of features, each (h*h, channels)
    float32 at S/2, S/4 and S/8, ``keypoints`` (1,N,2), ``blobs`` (1,N,64,64): their heat maps.
    """

    image: Tensor
    small: Tensor
    tables: tuple[Tensor, ...]
    keypoints: Tensor
    blobs: Tensor


def _rows(x: Tensor) -> Tensor:
    """(B,C,H,W) -> its rows of channels (B,H,W,C); a view where x is channels-last."""
    return x.permute(0, 2, 3, 1)


def _buffer(b: int, channels: int, side: int, dtype: torch.dtype) -> Tensor:
    return torch.empty(b, channels, side, side, dtype=dtype, memory_format=torch.channels_last)


def _put_up(buffer: Tensor, x: Tensor) -> None:
    """Write x (B,C,H,W), doubled in size by repetition, into the first C channels of buffer (B,*,2H,2W)."""
    rows, c = _rows(x), x.shape[1]
    for down in range(2):
        for right in range(2):
            _rows(buffer)[:, down::2, right::2, :c] = rows


def _joined(x: Tensor, skip: Tensor) -> Tensor:
    """x, doubled in size, and the skip connection in one (B,C,H,W)."""
    buffer = _buffer(len(x), x.shape[1] + skip.shape[1], skip.shape[-1], x.dtype)
    _put_up(buffer, x)
    buffer[:, x.shape[1] :] = skip
    return buffer


class _Corners:
    """Bilinear sampling places of a flow: rows of a table and their weights, edges repeated.

    Args:
        flow: (count,B,2,h,h) of x, y in [-1,1]; reference k's rows begin at k*h*h.
    """

    def __init__(self, flow: Tensor) -> None:
        count, _, _, h, _ = flow.shape
        at = ((flow + 1) * (0.5 * (h - 1))).clamp_(0, h - 1)
        low = at.floor().clamp_(max=max(h - 2, 0))
        self._right, self._below = (at - low).unbind(2)
        x, y = low.unbind(2)
        first = y.mul_(h).add_(x).to(torch.int32)
        first += (torch.arange(count, dtype=torch.int32) * (h * h)).view(count, 1, 1, 1)
        step = 1 if h > 1 else 0
        offsets = torch.tensor([0, step, h * step, (h + 1) * step], dtype=torch.int32)
        # (B,h,h,count,4), flattened to one bag a place
        self.rows = (first.permute(1, 2, 3, 0)[..., None] + offsets).flatten(0, 2).flatten(1)
        self._shape = flow.shape

    def sum(self, table: Tensor, shares: Tensor) -> Tensor:
        """Rows (count*h*h,C) -> (B,h,h,C): the references' samples, weighted by shares (count,B,h,h)."""
        count, b, _, h, _ = self._shape
        weights = torch.empty(b, h, h, count, 4)
        here, right, below, both = weights.permute(3, 0, 1, 2, 4).unbind(-1)
        on_right, on_below = shares * self._right, shares * self._below
        across = on_right * self._below
        both.copy_(across)
        torch.sub(on_right, across, out=right)
        below_only = on_below.sub_(across)
        below.copy_(below_only)
        torch.sub(shares - on_right, below_only, out=here)
        out = F.embedding_bag(self.rows, table, mode="sum", per_sample_weights=weights.view(b * h * h, -1))
        return out.view(b, h, h, -1)


def _bilinear(x: Tensor, side: int, corners: bool = False) -> Tensor:
    """(count,B,C,h,h) -> (count,B,C,side,side)."""
    if x.shape[-1] == side:
        return x
    flat = x.flatten(0, 1).contiguous()
    return F.interpolate(flat, size=(side, side), mode="bilinear", align_corners=corners).unflatten(
        0, x.shape[:2]
    )


def _opened(x: Tensor) -> Tensor:
    """Four pixels to a place (B,h,h,C,4) -> (B,2h,2h,C)."""
    b, h, _, c, _ = x.shape
    return x.view(b, h, h, c, 2, 2).permute(0, 1, 4, 2, 5, 3).reshape(b, 2 * h, 2 * h, c)


def _blurred(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture (S,S,3) behind the Gaussian of :func:`~neurocodec.networks.talk.sharpened`."""
    size = (BLUR_TAPS, BLUR_TAPS)
    return cv2.GaussianBlur(picture, size, BLUR_SIGMA, borderType=cv2.BORDER_REFLECT_101)


def _detail(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """What that Gaussian takes away from a picture (S,S,3)."""
    blurred = _blurred(picture)
    return np.subtract(picture, blurred, out=blurred)


def _one_head(generator: Generator) -> nn.Conv2d:
    """The heads of pictures and detail as one convolution."""
    head, detail = generator.head, generator.detail
    if detail is None:
        return head
    joined = nn.Conv2d(head.in_channels, head.out_channels + detail.out_channels, 3, 1, 1)
    for name in ("weight", "bias"):
        both = torch.cat([getattr(head, name), getattr(detail, name)])
        setattr(joined, name, nn.Parameter(both, requires_grad=False))
    return joined.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class TiedTables:
    """The feature tables of references, one below the other; those of the last ones are kept."""

    def __init__(self) -> None:
        self._held: tuple[Any, ...] = ()
        self._tables: list[Tensor] = []

    def __call__(self, references: Sequence[Any]) -> list[Tensor]:
        """What the ``tables`` of references are together, level by level."""
        if len(references) == 1:
            return list(references[0].tables)
        known = len(self._held) == len(references)
        if not known or any(a is not b for a, b in zip(self._held, references, strict=True)):
            self._tables = [torch.cat(same) for same in zip(*(r.tables for r in references), strict=True)]
            self._held = tuple(references)
        return self._tables


class TalkRenderer:
    """Renders with a :class:`Talk` whose batch norms are folded, on the CPU.

    Args:
        network: its convolutions are used as they are, in ``dtype``; its keypoint network is left alone.
        dtype: float32, or bfloat16 where the CPU multiplies matrices of it.
    """

    def __init__(self, network: Talk, dtype: torch.dtype = torch.float32) -> None:
        self._motion, self._generator, self._dtype = network.motion_net, network.generator, dtype
        self._restorer = network.restorer
        for part in (self._motion, self._generator, *([self._restorer] if self._restorer else [])):
            for module in part.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._head = _one_head(network.generator)
        self._tables = TiedTables()

    def encode_reference(self, image: Tensor, keypoints: Tensor) -> FlatReference:
        """Coded picture (1,3,S,S) in [0,1] and its keypoints (1,N,2) -> what rendering from it needs."""
        g, side = self._generator, MOTION_SIZE
        if self._restorer is not None:
            image = self._restorer(image).clamp_(0, 1)
        small = _resize(image, side)
        x = F.pixel_unshuffle(image - 0.5, 2).to(self._dtype, memory_format=torch.channels_last)
        x0 = g.encode0(x)
        x1 = g.encode1(x0)
        tables = tuple(_rows(t).flatten(0, 2).float() for t in (x0, x1, g.encode2(x1)))
        blobs = keypoint_heatmaps(keypoints, side, side, self._motion.variance)
        return FlatReference(image.contiguous(), small.contiguous(), tables, keypoints, blobs)

    def render(
        self, references: Sequence[FlatReference], keypoints: Tensor, warps: list[Warp] | None = None
    ) -> Tensor:
        """Keypoints (B,N,2) -> pictures (B,S,S,3) uint8, from one or two references.

        To ``warps``, if given, one is appended for each picture.
        """
        tiles = [self._render(references, some, warps) for some in keypoints.split(_TILE)]
        return tiles[0] if len(tiles) == 1 else torch.cat(tiles)

    def _move(self, references: Sequence[FlatReference], kp: Tensor) -> dict[str, Tensor]:
        """Flow (count,B,2,64,64), occlusion and confidence (count,B,1,h,h) at 32, 64, 128, and features."""
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
        n = driving.shape[1]
        x = _buffer(count * b, n + 3 * k, side, dtype)
        for i, r in enumerate(references):
            x[i * b : (i + 1) * b, :n] = driving - r.blobs
        by_frame = (warped - 0.5).view(count, 3, b, k, side, side).permute(0, 2, 3, 1, 4, 5)
        x[:, n:] = by_frame.reshape(count * b, 3 * k, side, side)
        x0 = m.stem(x)
        x1 = m.down1(x0)
        x2 = m.down2(x1)
        low = m.up1(_joined(m.up2(_joined(m.down3(x2), x2)), x1))
        high = m.up0(_joined(low, x0))
        maps = m.maps(high).float()
        maps.view(count, b, k, side, side)[:, :, 1:] += m.nearness[:, None, None] * around
        mixture = torch.softmax(maps.contiguous(), 1)
        flow = torch.einsum("bkyx,bkyxd->bdyx", mixture, flows).nan_to_num_()
        occlusion, confidence = m.occlusion_high(high).float(), m.confidence_high(high).float()
        out = {
            "flow": flow,
            "occlusion32": m.occlusion_low(low).float().sigmoid_(),
            "occlusion64": occlusion[:, :1].sigmoid(),
            "occlusion128": F.pixel_shuffle(occlusion[:, 1:], 2).sigmoid_(),
            "confidence32": m.confidence_low(low).float(),
            "confidence64": confidence[:, :1],
            "confidence128": F.pixel_shuffle(confidence[:, 1:], 2),
            "low": low,
            "high": high,
        }
        return {name: value.unflatten(0, (count, b)) for name, value in out.items()}

    @staticmethod
    def _shares(motion: dict[str, Tensor], level: str, side: int) -> Tensor:
        """Weights of the references (count,B,side,side), from what the motion network trusts."""
        confidence = motion[f"confidence{level}"]
        if len(confidence) == 1:
            return torch.ones(()).expand(1, confidence.shape[1], side, side)
        # the softmax over two
        first = torch.sigmoid(_bilinear(confidence[:1] - confidence[1:], side))
        return torch.cat([first, 1 - first])[:, :, 0]

    @staticmethod
    def _mean(x: Tensor, shares: Tensor) -> Tensor:
        """(count,B,C,H,W) -> (B,C,H,W)."""
        if len(x) == 1:
            return x[0]
        weights = shares[:, :, None].to(x.dtype)
        out = x[0] * weights[0]
        for part, weight in zip(x[1:], weights[1:], strict=True):
            out.addcmul_(part, weight)
        return out

    def _render(self, references: Sequence[FlatReference], kp: Tensor, warps: list[Warp] | None) -> Tensor:
        g, dtype = self._generator, self._dtype
        b, size = len(kp), references[0].image.shape[-1]
        motion = self._move(references, kp)
        tables = self._tables(references)

        def seen(table: Tensor, side: int, level: str) -> Tensor:
            """Warped, hidden and averaged features (B,side,side,C)."""
            visible = _bilinear(motion[f"occlusion{level}"], side)[:, :, 0]
            corners = _Corners(_bilinear(motion["flow"], side, corners=True))
            return corners.sum(table, visible * self._shares(motion, level, side))

        def gathered(table: Tensor, side: int, level: str, feature: str) -> tuple[Tensor, int]:
            """Buffer ending with seen features and the motion network's; where the seen ones begin."""
            extra = self._mean(_bilinear(motion[feature], side), self._shares(motion, level, side))
            sampled = seen(table, side, level)
            free = 0 if level == "32" else sampled.shape[-1]
            x = _buffer(b, free + sampled.shape[-1] + extra.shape[1], side, dtype)
            _rows(x)[..., free : free + sampled.shape[-1]] = sampled
            x[:, free + sampled.shape[-1] :] = extra
            return x, free

        x, _ = gathered(tables[2], size // 8, "32", "low")
        x = g.reduce1(g.body(g.merge2(x)))
        merged, _ = gathered(tables[1], size // 4, "64", "high")
        _put_up(merged, x)
        x = g.reduce0(g.merge1(merged))
        # the warped picture, four pixels to a place: (B,h,h,12), channel c*4 + 2*row + column
        half = size // 2
        deformed = self._deformed(references, motion, size)
        f0 = seen(tables[0], half, "128")
        c = x.shape[1]
        merged = _buffer(b, c + f0.shape[-1] + 12, half, dtype)
        _put_up(merged, x)
        _rows(merged)[..., c : c + f0.shape[-1]] = f0
        _rows(merged)[..., c + f0.shape[-1] :] = deformed - 0.5
        out = _rows(self._head(g.merge0(merged))).float().sigmoid_()
        painted, mask, amount = out[..., :12].unflatten(-1, (3, 4)), out[..., None, 12:16], out[..., 16:]
        if warps is not None:
            shares = self._shares(motion, "128", half)
            warps += warps_of(motion["flow"], shares, _opened(mask)[..., 0])
        blend = torch.lerp(painted, deformed.unflatten(-1, (3, 4)), mask).mul_(255)
        if g.detail is None:
            return _opened(blend.round_().to(torch.uint8))
        picture, amount = _opened(blend), _opened(amount[..., None, :]).mul_(MOST_SHARPENED)
        detail = torch.from_numpy(np.stack([_detail(p) for p in picture.numpy()]))
        return picture.addcmul_(detail, amount).round_().clamp_(0, 255).to(torch.uint8)

    def _deformed(self, references: Sequence[FlatReference], motion: dict[str, Tensor], size: int) -> Tensor:
        """The references' pictures, warped and averaged, (B,S/2,S/2,12)."""
        count, b = motion["flow"].shape[:2]
        flow = _bilinear(motion["flow"], size, corners=True)
        images = torch.cat([r.image for r in references]) if count > 1 else references[0].image
        grid = flow.permute(0, 1, 3, 4, 2).reshape(count, b * size, size, 2)
        warped = F.grid_sample(images, grid, padding_mode="border", align_corners=True)
        warped = warped.view(count, 3, b, size, size)
        mean = warped[0]
        if count == 2:
            mean = torch.lerp(warped[1], warped[0], self._shares(motion, "128", size)[0])
        h = size // 2
        return mean.view(3, b, h, 2, h, 2).permute(1, 2, 4, 0, 3, 5).reshape(b, h, h, 12)
