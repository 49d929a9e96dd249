"""The codec's own motion model: soft-argmax keypoints, TPS dense motion, a light generator.

The way of working follows the thin-plate-spline motion model (Zhao and Zhang, CVPR 2022): keypoints of
the reference and of the driving frame define K thin-plate splines, a network mixes them into one
backward flow with occlusion masks, and a generator paints the warped reference features.  What differs:
keypoints are heat maps read by a soft-argmax (equivariant by construction), motion is found at 64x64
whatever the picture's size, the generator works on space-to-depth pictures (nothing but warping and the
output shuffle happens at full size), batch norms fold away, and the motion network hands its features to
the generator, which thereby knows the pose it paints.  A coded reference is first cleaned of what coding did
to it (:mod:`neurocodec.networks.restore`).  A frame may have several references (the one
before and the one after it): each is warped on its own, and everything is averaged with weights, a softmax
over the references of a confidence that the motion network gives for every place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.keypoints.transform import BASIS_ONE
from neurocodec.networks.restore import Restorer
from neurocodec.networks.tps import coordinate_grid, fit_tps, is_plain, keypoint_heatmaps

POINTS_PER_TPS = 5
KEYPOINT_INPUT = 128
MOTION_SIZE = 64
BLUR_TAPS, BLUR_SIGMA = 5, 0.8
"""The Gaussian of unsharp masking, in pixels."""
MOST_SHARPENED = 1.2
_MANY_CHANNELS = 16
"""With so many, gathers are faster in an exported graph than sampling."""
_FIRST_SHARPNESS = -0.887
"""Before training, everything is sharpened by 0.35."""


@dataclass(frozen=True)
class TalkConfig:
    """Shape of a :class:`Talk` model; stored in the description of its weights.

    ``size`` is the side of the picture in pixels (a multiple of 8), ``num_tps`` the number of thin-plate
    splines of five keypoints each, ``temperature`` divides the heat maps before the softmax,
    ``regularization`` is added to the diagonal of the TPS system, ``variance`` is that of the Gaussians
    shown to the motion network (in units of half a picture, squared).  With ``detail``, the generator also
    says how much every pixel is to be sharpened (:func:`sharpened`).  ``restorer_width`` is that of the
    network that cleans references (0: there is none).
    """

    size: int = 256
    num_tps: int = 6
    temperature: float = 0.1
    regularization: float = 0.001
    variance: float = 0.005
    keypoint_width: int = 32
    motion_width: int = 48
    generator_width: int = 32
    detail: bool = False
    restorer_width: int = 0

    def __post_init__(self) -> None:
        if self.size < 8 or self.size % 8:
            raise ValueError(f"the size must be a multiple of 8, not {self.size}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class ReferenceFeatures(tuple[Tensor, ...]):
    """What is computed once per refresh: picture, its 64x64 copy, three feature maps, keypoints."""

    __slots__ = ()


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """relu(x + conv-bn(conv-bn-relu(x))), (B,C,H,W) -> (B,C,H,W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _resize(images: Tensor, side: int) -> Tensor:
    """Area-resize square images (B,C,S,S) to (B,C,side,side); S is a multiple or a divisor of side."""
    size = images.shape[-1]
    if size == side:
        return images
    if size % side == 0:
        return F.avg_pool2d(images, size // side)
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


class KeypointNet(nn.Module):
    """U-Net at 64x64 over the picture at 128x128; (B,3,S,S) in [0,1] -> keypoints (B,N,2) in [-1,1]."""

    def __init__(self, keypoints: int, width: int, temperature: float) -> None:
        super().__init__()
        w = width
        self.temperature = temperature
        self.stem = nn.Sequential(_conv(12, w), _conv(w, w))
        self.down1 = nn.Sequential(_conv(w, 2 * w, stride=2), Residual(2 * w))
        self.down2 = nn.Sequential(_conv(2 * w, 3 * w, stride=2), Residual(3 * w))
        self.down3 = nn.Sequential(_conv(3 * w, 4 * w, stride=2), Residual(4 * w), Residual(4 * w))
        self.up2 = _conv(7 * w, 3 * w)
        self.up1 = _conv(5 * w, 2 * w)
        self.up0 = _conv(3 * w, w)
        self.head = nn.Conv2d(w, keypoints, 3, 1, 1)

    def heatmaps(self, images: Tensor) -> Tensor:
        """(B,3,S,S) in [0,1] -> unnormalised heat maps (B,N,64,64)."""
        x = F.pixel_unshuffle(_resize(images, KEYPOINT_INPUT) - 0.5, 2)
        x0 = self.stem(x.to(self.head.weight.dtype, memory_format=torch.channels_last))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        x = self.down3(x2)
        x = self.up2(torch.cat([_up(x), x2], 1))
        x = self.up1(torch.cat([_up(x), x1], 1))
        x = self.up0(torch.cat([_up(x), x0], 1))
        return self.head(x)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.heatmaps(images).float()
        b, n, h, w = maps.shape
        weights = torch.softmax(maps.reshape(b, n, h * w) / self.temperature, dim=-1)
        grid = coordinate_grid(h, w, device=maps.device, dtype=torch.float32).reshape(h * w, 2)
        with torch.autocast(maps.device.type, enabled=False):
            return weights @ grid


class MotionNet(nn.Module):
    """Mixes K thin-plate splines and the identity into one backward flow at 64x64.

    A spline starts out favoured around its own keypoints (``nearness``, learned): without that, the small
    ones of mouth and eyes, wild while keypoints are still settling, are given up for good.
    """

    def __init__(self, num_tps: int, width: int, regularization: float, variance: float) -> None:
        super().__init__()
        w = width
        self.num_tps, self.regularization, self.variance = num_tps, regularization, variance
        self.stem = _conv(3 * (num_tps + 1) + num_tps * POINTS_PER_TPS, w)
        self.down1 = nn.Sequential(_conv(w, 64, stride=2), _conv(64, 64))
        self.down2 = nn.Sequential(_conv(64, 96, stride=2), Residual(96))
        self.down3 = nn.Sequential(_conv(96, 128, stride=2), Residual(128))
        self.up2 = _conv(128 + 96, 96)
        self.up1 = _conv(96 + 64, 64)
        self.up0 = _conv(64 + w, w)
        self.maps = nn.Conv2d(w, num_tps + 1, 3, 1, 1)
        self.nearness = nn.Parameter(torch.full((num_tps,), 2.0))
        self.occlusion_low = nn.Conv2d(64, 1, 3, 1, 1)
        self.occlusion_high = nn.Conv2d(w, 5, 3, 1, 1)
        self.confidence_low = nn.Conv2d(64, 1, 3, 1, 1)
        self.confidence_high = nn.Conv2d(w, 5, 3, 1, 1)
        for head in (self.confidence_low, self.confidence_high):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def forward(self, small: Tensor, kp_reference: Tensor, kp: Tensor) -> dict[str, Tensor]:
        """small (B,3,64,64), keypoints (B,N,2) of reference and frame -> flow, occlusions, features."""
        b, _n, _ = kp.shape
        side = small.shape[-1]
        driving = keypoint_heatmaps(kp, side, side, self.variance)
        heat = driving - keypoint_heatmaps(kp_reference, side, side, self.variance)
        around = driving.reshape(b, self.num_tps, POINTS_PER_TPS, side, side).amax(2)
        splines = fit_tps(
            kp.reshape(b, self.num_tps, POINTS_PER_TPS, 2),
            kp_reference.reshape(b, self.num_tps, POINTS_PER_TPS, 2),
            self.regularization,
        )
        grid = coordinate_grid(side, side, device=kp.device, dtype=torch.float32)
        identity = grid.expand(b, 1, side, side, 2)
        flows = torch.cat([identity, splines.warp(grid).clamp(-4, 4)], 1)
        k = self.num_tps + 1
        repeated = small[:, None].expand(b, k, 3, side, side).reshape(b * k, 3, side, side)
        warped = F.grid_sample(
            repeated.float(),
            flows.reshape(b * k, side, side, 2),
            padding_mode="border",
            align_corners=True,
        ).reshape(b, k * 3, side, side)
        x0 = self.stem(torch.cat([heat, warped - 0.5], 1))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        x = self.down3(x2)
        x = self.up2(torch.cat([_up(x), x2], 1))
        low = self.up1(torch.cat([_up(x), x1], 1))
        high = self.up0(torch.cat([_up(low), x0], 1))
        favour = F.pad(self.nearness[:, None, None] * around, (0, 0, 0, 0, 1, 0))
        mixture = torch.softmax(self.maps(high).float() + favour, 1)
        flow = (mixture[..., None] * flows).sum(1)
        occlusion, confidence = self.occlusion_high(high), self.confidence_high(high).float()
        return {
            "flow": flow,
            "occlusion32": torch.sigmoid(self.occlusion_low(low)),
            "occlusion64": torch.sigmoid(occlusion[:, :1]),
            "occlusion128": torch.sigmoid(F.pixel_shuffle(occlusion[:, 1:], 2)),
            "confidence32": self.confidence_low(low).float(),
            "confidence64": confidence[:, :1],
            "confidence128": F.pixel_shuffle(confidence[:, 1:], 2),
            "low": low,
            "high": high,
        }


def _fitted(x: Tensor, like: Tensor) -> Tensor:
    """``x`` (B,C,h,w) at the height and width of ``like``, interpolated linearly."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Backward-warp (B,C,H,W) by flow (B,h,w,2) of coordinates in [-1,1], edges repeated."""
    size = features.shape[-2:]
    if flow.shape[1:3] != size:
        flow = F.interpolate(
            flow.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=True
        ).permute(0, 2, 3, 1)
    flow = flow.to(features.dtype)
    if is_plain() and features.shape[1] >= _MANY_CHANNELS:
        return _gathered(features, flow)
    return F.grid_sample(features, flow, padding_mode="border", align_corners=True)


def _gathered(features: Tensor, flow: Tensor) -> Tensor:
    """What ``grid_sample`` makes of (B,C,H,W), H and W at least 2, and (B,H,W,2), by rows of channels.

    Runtimes of graphs sample each channel on its own, which takes three times as long.
    """
    b, c, h, w = features.shape
    last = flow.new_tensor([w - 1, h - 1])
    places = torch.minimum((0.5 * (flow + 1) * last).clamp(min=0), last)
    corner = torch.minimum(places.floor(), last - 1)
    x, y = (places - corner).reshape(-1, 2, 1).unbind(1)
    first = h * w * torch.arange(b, device=flow.device)[:, None, None]
    index = (first + corner[..., 1].long() * w + corner[..., 0].long()).reshape(-1)
    table = features.permute(0, 2, 3, 1).reshape(b * h * w, c)
    nw, ne, sw, se = (table.index_select(0, index + k) for k in (0, 1, w, w + 1))
    above, below = nw + x * (ne - nw), sw + x * (se - sw)
    return (above + y * (below - above)).reshape(b, h, w, c).permute(0, 3, 1, 2)


def sharpened(pictures: Tensor, amount: Tensor) -> Tensor:
    """Unsharp masking of pictures (B,3,H,W) by amounts (B,1,H,W): what a Gaussian takes away, that much more.

    A warped reference is soft: it was coded, resampled, and averaged with another one.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        x = pictures.float()
        offsets = torch.arange(BLUR_TAPS, device=x.device, dtype=torch.float32) - BLUR_TAPS // 2
        taps = torch.exp(-0.5 * (offsets / BLUR_SIGMA) ** 2)
        taps = (taps / taps.sum()).repeat(3, 1, 1, 1)
        edge = BLUR_TAPS // 2
        blurred = F.conv2d(F.pad(x, (edge,) * 4, mode="reflect"), taps, groups=3)
        blurred = F.conv2d(blurred, taps.mT.contiguous(), groups=3)
        return x + amount.float() * (x - blurred)


class Generator(nn.Module):
    """Paints the frame from the warped reference's features."""

    def __init__(self, width: int, motion_width: int, detail: bool = False) -> None:
        super().__init__()
        w = width
        self.encode0 = nn.Sequential(_conv(12, w), _conv(w, w))
        self.encode1 = nn.Sequential(_conv(w, 2 * w, stride=2), Residual(2 * w))
        self.encode2 = nn.Sequential(_conv(2 * w, 4 * w, stride=2), Residual(4 * w), Residual(4 * w))
        self.merge2 = _conv(4 * w + 64, 4 * w, 1)
        self.body = nn.Sequential(*[Residual(4 * w) for _ in range(3)])
        self.reduce1 = nn.Conv2d(4 * w, 2 * w, 1)
        self.merge1 = nn.Sequential(_conv(4 * w + motion_width, 2 * w), Residual(2 * w))
        self.reduce0 = nn.Conv2d(2 * w, w, 1)
        self.merge0 = nn.Sequential(_conv(2 * w + 12, w), _conv(w, w))
        self.head = nn.Conv2d(w, 16, 3, 1, 1)
        self.detail: nn.Conv2d | None = None
        if detail:
            self.detail = nn.Conv2d(w, 4, 3, 1, 1)
            nn.init.zeros_(self.detail.weight)
            nn.init.constant_(self.detail.bias, _FIRST_SHARPNESS)  # type: ignore[arg-type]

    def encode(self, reference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B,3,S,S) -> features at S/2, S/4, S/8."""
        x0 = self.encode0(F.pixel_unshuffle(reference - 0.5, 2))
        x1 = self.encode1(x0)
        return x0, x1, self.encode2(x1)

    def forward(
        self,
        references: Tensor,
        features: tuple[Tensor, Tensor, Tensor],
        motion: dict[str, Tensor],
        count: int = 1,
    ) -> dict[str, Tensor]:
        """Paint B frames from ``count`` references each.

        All inputs have batch count*B, the references of one place in the list after those of another.
        Returns ``painted`` and ``deformed`` (B,3,S,S), ``mask`` (B,1,S,S), with a head of detail ``amount``
        (B,1,S,S), and ``prediction``: the blend, sharpened by the amount.
        """
        f0, f1, f2 = features
        flow = motion["flow"]

        def shares(level: str, like: Tensor) -> Tensor:
            """Weights of the references (count,B,1,H,W) at the size of ``like``."""
            confidence = _fitted(motion[f"confidence{level}"], like)
            return confidence.unflatten(0, (count, -1)).softmax(0)

        def average(x: Tensor, level: str, visible: Tensor | None = None) -> Tensor:
            """(count*B,C,H,W) -> (B,C,H,W), weighted by confidence and visibility (count*B,1,H,W)."""
            if count == 1:
                return x if visible is None else x * visible
            weights = shares(level, x)
            if visible is not None:
                weights = weights * visible.unflatten(0, (count, -1))
            parts = x.unflatten(0, (count, -1))
            return sum(part * weight.to(x.dtype) for part, weight in zip(parts, weights, strict=True))

        def seen(x: Tensor, level: str) -> Tensor:
            return average(warp(x, flow), level, _fitted(motion[f"occlusion{level}"], x))

        low = average(_fitted(motion["low"], f2), "32")
        high = average(_fitted(motion["high"], f1), "64")
        x = self.merge2(torch.cat([seen(f2, "32"), low], 1))
        x = self.body(x)
        x = torch.cat([_up(self.reduce1(x)), seen(f1, "64"), high], 1)
        x = self.merge1(x)
        deformed = average(warp(references.float(), flow), "128")
        x = torch.cat([_up(self.reduce0(x)), seen(f0, "128"), F.pixel_unshuffle(deformed - 0.5, 2)], 1)
        x = self.merge0(x)
        out = F.pixel_shuffle(self.head(x).float(), 2)
        made = {"painted": torch.sigmoid(out[:, :3]), "deformed": deformed, "mask": torch.sigmoid(out[:, 3:])}
        if self.detail is not None:
            made["amount"] = MOST_SHARPENED * torch.sigmoid(F.pixel_shuffle(self.detail(x).float(), 2))
        return {**made, "prediction": blended(made, 1.0)}


def blended(made: dict[str, Tensor], share: Tensor | float) -> Tensor:
    """Pictures (B,3,S,S) of what a generator has made, with a ``share`` (B,1,1,1) of blend and sharpening."""
    painted = made["painted"]
    picture = painted + made["mask"] * share * (made["deformed"] - painted)
    return sharpened(picture, made["amount"] * share) if "amount" in made else picture


class Talk(nn.Module):
    """Keypoints, motion and generator in one module; the interface every model of the codec has."""

    max_references = 2

    def __init__(self, config: TalkConfig | None = None) -> None:
        super().__init__()
        self.config = config or TalkConfig()
        c = self.config
        self.size = c.size
        self.num_keypoints = c.num_tps * POINTS_PER_TPS
        self.keypoint_net = KeypointNet(self.num_keypoints, c.keypoint_width, c.temperature)
        self.motion_net = MotionNet(c.num_tps, c.motion_width, c.regularization, c.variance)
        self.generator = Generator(c.generator_width, c.motion_width, c.detail)
        self.restorer = Restorer(c.restorer_width) if c.restorer_width else None
        # not torch.eye, which on the meta device of models.load would import a second of torch's compiler
        plain = torch.zeros((2 * self.num_keypoints,) * 2, dtype=torch.int16)
        plain.diagonal().fill_(BASIS_ONE)
        self.register_buffer("landmark_basis", plain)

    def keypoints(self, images: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,N,2) x,y in [-1,1]."""
        return self.keypoint_net(images)

    def restored(self, images: Tensor) -> Tensor:
        """Coded references (B,3,S,S) in [0,1], cleaned of what coding did to them."""
        return images if self.restorer is None else self.restorer(images).clamp(0, 1)

    def encode_reference(self, image: Tensor, keypoints: Tensor) -> ReferenceFeatures:
        """What depends on the coded reference (B,3,S,S) and its keypoints (B,N,2) alone."""
        return self.encode_restored(self.restored(image), keypoints)

    def encode_restored(self, image: Tensor, keypoints: Tensor) -> ReferenceFeatures:
        """The same of a reference (B,3,S,S) that was cleaned before, or never coded."""
        small = _resize(image, MOTION_SIZE)
        return ReferenceFeatures((image, small, *self.generator.encode(image), keypoints))

    def render_details(self, references: Sequence[ReferenceFeatures], keypoints: Tensor) -> dict[str, Tensor]:
        """Everything the renderer makes for keypoints (B,N,2); a reference of batch 1 is shared."""
        b, count = keypoints.shape[0], len(references)
        image, small, f0, f1, f2, kp_reference = (
            torch.cat([t if t.shape[0] == b else t.expand(b, *t.shape[1:]) for t in same])
            for same in zip(*references, strict=True)
        )
        motion = self.motion_net(small, kp_reference, keypoints.repeat(count, 1, 1))
        return {**motion, **self.generator(image, (f0, f1, f2), motion, count)}

    def render(self, references: Sequence[ReferenceFeatures], keypoints: Tensor) -> Tensor:
        """Keypoints (B,N,2) -> pictures (B,3,S,S) in [0,1]."""
        return self.render_details(references, keypoints)["prediction"]
