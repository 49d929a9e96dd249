"""The codec's light motion model: a quarter of the arithmetic of :mod:`neurocodec.networks.talk`.

The way of working is the same (keypoints, thin-plate splines, a mixture of flows, a painted and a warped
picture that are blended), and so are the keypoints.  What differs:

- motion is found at 32x32 from inputs at 64x64, and comes out at 64x64 by a pixel shuffle, with a small
  correction of the flow beside the mixture of splines;
- what eyes and mouth do (how far each is open in the frame and in the reference) is shown to both networks
  as a number spread over its place (:func:`expression_maps`): a lid that moves by two pixels is otherwise
  hardly to be seen in maps of 64x64;
- one U-Net cleans a coded reference *and* makes its features, once a reference;
- any number of references: each is warped on its own, and all are averaged by a softmax of confidences;
- most of the painting happens at a quarter of the side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.keypoints.transform import BASIS_ONE
from neurocodec.networks.restore import Shortcut
from neurocodec.networks.talk import (
    MOTION_SIZE,
    POINTS_PER_TPS,
    KeypointNet,
    Residual,
    _conv,
    _fitted,
    _resize,
    _up,
    blended,
    warp,
)
from neurocodec.networks.tps import coordinate_grid, fit_tps, keypoint_heatmaps

PARTS = ((0, 1, 2, 3), (5, 6, 7, 8), (10, 11, 12, 13))
"""Keypoints of mouth, left and right eye that are tied to facial landmarks: two corners, above, below."""
_USUAL = (0.45, 0.27, 0.27)
"""How far open a mouth and an eye are on the mean of the training clips, in shares of their width."""
_SPREAD = (0.15, 0.08, 0.08)
_LEAST_WIDTH = 0.02
FURTHEST_STEP = 0.1
"""The correction of the flow is at most so large (the picture is 2 wide)."""


@dataclass(frozen=True)
class SwiftConfig:
    """Shape of a :class:`Swift` model; stored in the description of its weights.

    ``size``, ``num_tps``, ``temperature``, ``regularization``, ``variance`` and ``keypoint_width`` are those
    of :class:`neurocodec.networks.talk.TalkConfig`.  ``reference_width``: channels of the U-Net over the
    reference, at half the side; ``motion_width``: of the motion network's output at 32x32;
    ``generator_width``: of the generator at a quarter of the side, ``deep_width`` at an eighth,
    ``fine_width`` at a half.  ``teacher``: beginning of the hash of the model whose keypoints it has.
    """

    size: int = 256
    num_tps: int = 6
    temperature: float = 0.1
    regularization: float = 0.001
    variance: float = 0.005
    keypoint_width: int = 32
    reference_width: int = 24
    motion_width: int = 40
    generator_width: int = 40
    deep_width: int = 96
    fine_width: int = 16
    teacher: str = ""

    def __post_init__(self) -> None:
        if self.size < 8 or self.size % 8:
            raise ValueError(f"the size must be a multiple of 8, not {self.size}")
        if self.num_tps * POINTS_PER_TPS <= max(max(p) for p in PARTS):
            raise ValueError("three splines at least: mouth and eyes need keypoints")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class SwiftReference(tuple[Tensor, ...]):
    """What is computed once a reference: picture, its 64x64 copy, three feature maps, keypoints."""

    __slots__ = ()


def openness(keypoints: Tensor) -> Tensor:
    """(B,N,2) -> (B,3): how far mouth, left and right eye are open, 0 as usual, about -1 to 3."""
    out = []
    for (left, right, above, below), usual, spread in zip(PARTS, _USUAL, _SPREAD, strict=True):
        width = (keypoints[:, left] - keypoints[:, right]).norm(dim=-1).clamp(min=_LEAST_WIDTH)
        height = (keypoints[:, above] - keypoints[:, below]).norm(dim=-1)
        out.append(((height / width - usual) / spread).clamp(-4, 6))
    return torch.stack(out, 1)


def expression_maps(keypoints: Tensor, values: Tensor, side: int) -> Tensor:
    """Values (B,K,3) of mouth and eyes, each spread around its place by a Gaussian: (B,3K,side,side).

    All values of the mouth come first.
    """
    axis = coordinate_grid(side, side, device=keypoints.device, dtype=torch.float32)[0, :, 0]
    maps = []
    for k, (left, right, _, _) in enumerate(PARTS):
        a, b = keypoints[:, left], keypoints[:, right]
        reach = (0.5 * (a - b).norm(dim=-1, keepdim=True)).clamp(min=2 * _LEAST_WIDTH)[..., None]
        middle = 0.5 * (a + b)
        x, y = (torch.exp(-0.5 * ((axis - middle[:, i : i + 1]) / reach[:, 0]) ** 2) for i in (0, 1))
        maps.append(values[:, :, k, None, None] * (y[:, :, None] * x[:, None, :])[:, None])
    return torch.cat(maps, 1)


class ReferenceNet(nn.Module):
    """U-Net over a coded picture (B,3,S,S) in [0,1]: the picture, cleaned, and features at S/2, S/4, S/8.

    It adds what it finds missing; untrained, it changes nothing.
    """

    def __init__(self, width: int, fine: int, middle: int, deep: int) -> None:
        super().__init__()
        w = width
        self.stem = nn.Sequential(_plain(12, w), Shortcut(w))
        self.down1 = nn.Sequential(_plain(w, 2 * w, 2), Shortcut(2 * w))
        self.down2 = nn.Sequential(_plain(2 * w, 4 * w, 2), Shortcut(4 * w), Shortcut(4 * w))
        self.reduce1 = nn.Conv2d(4 * w, 2 * w, 1)
        self.up1 = nn.Sequential(_plain(4 * w, 2 * w), Shortcut(2 * w))
        self.reduce0 = nn.Conv2d(2 * w, w, 1)
        self.up0 = _plain(2 * w, w)
        self.head = nn.Conv2d(w, 12, 3, 1, 1)
        self.deep = nn.Conv2d(4 * w, deep, 1)
        self.middle = nn.Conv2d(2 * w, middle, 1)
        self.fine = nn.Conv2d(w, fine, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = F.pixel_unshuffle(pictures - 0.5, 2)
        x0 = self.stem(x.to(self.head.weight.dtype, memory_format=torch.channels_last))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        x1 = self.up1(torch.cat([_up(self.reduce1(x2)), x1], 1))
        x0 = self.up0(torch.cat([_up(self.reduce0(x1)), x0], 1))
        missing = F.pixel_shuffle(self.head(x0).float(), 2)
        return pictures + missing, self.fine(x0), self.middle(x1), self.deep(x2)


def _plain(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Convolution and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU(inplace=True))


class SwiftMotion(nn.Module):
    """Mixes K thin-plate splines and the identity into a backward flow at 64x64, computing at 32x32."""

    def __init__(self, num_tps: int, width: int, regularization: float, variance: float) -> None:
        super().__init__()
        w = width
        self.num_tps, self.regularization, self.variance = num_tps, regularization, variance
        inputs = 3 * (num_tps + 1) + num_tps * POINTS_PER_TPS + 2 * len(PARTS)
        self.stem = _conv(inputs, 48, stride=2)
        self.down1 = nn.Sequential(_conv(48, 64, stride=2), Residual(64))
        self.down2 = nn.Sequential(_conv(64, 128, stride=2), Residual(128))
        self.up1 = _conv(128 + 64, 64)
        self.up0 = _conv(64 + 48, w)
        self.maps = nn.Conv2d(w, 4 * (num_tps + 1), 3, 1, 1)
        self.step = nn.Conv2d(w, 8, 3, 1, 1)
        self.occlusion = nn.Conv2d(w, 1 + 4 + 16, 3, 1, 1)
        self.confidence = nn.Conv2d(w, 1 + 4 + 16, 3, 1, 1)
        self.nearness = nn.Parameter(torch.full((num_tps,), 2.0))
        for head in (self.step, self.confidence):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def forward(self, small: Tensor, kp_reference: Tensor, kp: Tensor) -> dict[str, Tensor]:
        """small (B,3,64,64), keypoints (B,N,2) of reference and frame -> flow, occlusions, features."""
        b, side = len(kp), small.shape[-1]
        driving = keypoint_heatmaps(kp, side, side, self.variance)
        heat = driving - keypoint_heatmaps(kp_reference, side, side, self.variance)
        around = driving.reshape(b, self.num_tps, POINTS_PER_TPS, side, side).amax(2)
        points, sources = (x.reshape(b, self.num_tps, POINTS_PER_TPS, 2) for x in (kp, kp_reference))
        splines = fit_tps(points, sources, self.regularization)
        grid = coordinate_grid(side, side, device=kp.device, dtype=torch.float32)
        identity = grid.expand(b, 1, side, side, 2)
        flows = torch.cat([identity, splines.warp(grid).clamp(-4, 4)], 1)
        k = self.num_tps + 1
        repeated = small[:, None].expand(b, k, 3, side, side).reshape(b * k, 3, side, side)
        warped = F.grid_sample(
            repeated.float(), flows.reshape(b * k, side, side, 2), padding_mode="border", align_corners=True
        ).reshape(b, k * 3, side, side)
        values = torch.stack([openness(kp), openness(kp_reference)], 1)
        shown = expression_maps(kp, values, side)
        x = torch.cat([heat, warped - 0.5, shown], 1).to(self.step.weight.dtype)
        x0 = self.stem(x.contiguous(memory_format=torch.channels_last))
        x1 = self.down1(x0)
        x = self.up1(torch.cat([_up(self.down2(x1)), x1], 1))
        x = self.up0(torch.cat([_up(x), x0], 1))
        maps = F.pixel_shuffle(self.maps(x).float(), 2)
        favour = F.pad(self.nearness[:, None, None] * around, (0, 0, 0, 0, 1, 0))
        mixture = torch.softmax(maps + favour, 1)
        flow = (mixture[..., None] * flows).sum(1)
        step = FURTHEST_STEP * torch.tanh(F.pixel_shuffle(self.step(x).float(), 2))
        occlusion, confidence = self.occlusion(x).float(), self.confidence(x).float()
        return {
            "flow": flow + step.permute(0, 2, 3, 1),
            **{f"occlusion{n}": torch.sigmoid(m) for n, m in _pyramid(occlusion).items()},
            **{f"confidence{n}": m for n, m in _pyramid(confidence).items()},
            "features": x,
        }


def _pyramid(x: Tensor) -> dict[str, Tensor]:
    """(B,21,32,32) -> maps (B,1,h,h) of 32, 64 and 128."""
    return {"32": x[:, :1], "64": F.pixel_shuffle(x[:, 1:5], 2), "128": F.pixel_shuffle(x[:, 5:], 4)}


class SwiftGenerator(nn.Module):
    """Paints the frame from the warped references' features."""

    def __init__(self, fine: int, middle: int, deep: int, motion: int) -> None:
        super().__init__()
        self.merge2 = _conv(deep + motion, deep, 1)
        self.body = Residual(deep)
        self.reduce1 = nn.Conv2d(deep, middle, 1)
        self.merge1 = nn.Sequential(_conv(2 * middle + len(PARTS) + 12 * 4, middle), Residual(middle))
        self.reduce0 = nn.Conv2d(middle, fine, 1)
        self.merge0 = nn.Sequential(_conv(2 * fine + 12, fine, 1), _conv(fine, fine))
        self.head = nn.Conv2d(fine, 20, 3, 1, 1)
        with torch.no_grad():
            self.head.bias[16:].fill_(-0.887)  # type: ignore[index]

    def forward(
        self, references: Tensor, features: tuple[Tensor, Tensor, Tensor], motion: dict[str, Tensor],
        shown: Tensor, count: int,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Paint B frames from ``count`` references each; inputs have batch count*B, but ``shown`` (B,3,h,h).

        Returns what :meth:`neurocodec.networks.talk.Generator.forward` returns.
        """
        f0, f1, f2 = features
        flow = motion["flow"]

        def average(x: Tensor, level: str, visible: bool) -> Tensor:
            occlusion = _fitted(motion[f"occlusion{level}"], x) if visible else None
            if count == 1:
                return x if occlusion is None else x * occlusion.to(x.dtype)
            weights = _fitted(motion[f"confidence{level}"], x).unflatten(0, (count, -1)).softmax(0)
            if occlusion is not None:
                weights = weights * occlusion.unflatten(0, (count, -1))
            parts = zip(x.unflatten(0, (count, -1)), weights.to(x.dtype), strict=True)
            return cast(Tensor, sum(part * weight for part, weight in parts))

        def seen(x: Tensor, level: str) -> Tensor:
            return average(warp(x, flow), level, True)

        deformed = average(warp(references.float(), flow), "128", False)
        context = average(_fitted(motion["features"], f2), "32", False)
        x = self.reduce1(self.body(self.merge2(torch.cat([seen(f2, "32"), context], 1))))
        quarter = F.pixel_unshuffle(deformed - 0.5, 4).to(x.dtype)
        x = torch.cat([_up(x), seen(f1, "64"), _fitted(shown, f1).to(x.dtype), quarter], 1)
        x = self.merge1(x)
        half = F.pixel_unshuffle(deformed - 0.5, 2).to(x.dtype)
        x = self.merge0(torch.cat([_up(self.reduce0(x)), seen(f0, "128"), half], 1))
        out = F.pixel_shuffle(self.head(x).float(), 2)
        made = {
            "painted": torch.sigmoid(out[:, :3]), "deformed": deformed,
            "mask": torch.sigmoid(out[:, 3:4]), "amount": 1.2 * torch.sigmoid(out[:, 4:]),
        }  # fmt: skip
        return {**made, "prediction": blended(made, 1.0)}


class Swift(nn.Module):
    """Keypoints, motion and generator in one module; the interface every model of the codec has."""

    max_references = 3

    def __init__(self, config: SwiftConfig | None = None) -> None:
        super().__init__()
        self.config = config or SwiftConfig()
        c = self.config
        self.size = c.size
        self.num_keypoints = c.num_tps * POINTS_PER_TPS
        self.keypoint_net = KeypointNet(self.num_keypoints, c.keypoint_width, c.temperature)
        self.reference_net = ReferenceNet(c.reference_width, c.fine_width, c.generator_width, c.deep_width)
        self.motion_net = SwiftMotion(c.num_tps, c.motion_width, c.regularization, c.variance)
        self.generator = SwiftGenerator(c.fine_width, c.generator_width, c.deep_width, c.motion_width)
        # not torch.eye, which on the meta device of models.load would import a second of torch's compiler
        plain = torch.zeros((2 * self.num_keypoints,) * 2, dtype=torch.int16)
        plain.diagonal().fill_(BASIS_ONE)
        self.register_buffer("landmark_basis", plain)

    def keypoints(self, images: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,N,2) x,y in [-1,1]."""
        return self.keypoint_net(images)

    def encode_reference(self, image: Tensor, keypoints: Tensor) -> SwiftReference:
        """What depends on the coded reference (B,3,S,S) and its keypoints (B,N,2) alone."""
        cleaned, *features = self.reference_net(image)
        return SwiftReference((cleaned, _resize(cleaned.clamp(0, 1), MOTION_SIZE), *features, keypoints))

    def render_details(self, references: Sequence[SwiftReference], keypoints: Tensor) -> dict[str, Tensor]:
        """Everything the renderer makes for keypoints (B,N,2); a reference of batch 1 is shared."""
        b, count = keypoints.shape[0], len(references)
        image, small, f0, f1, f2, kp_reference = (
            torch.cat([t if t.shape[0] == b else t.expand(b, *t.shape[1:]) for t in same])
            for same in zip(*references, strict=True)
        )
        motion = self.motion_net(small, kp_reference, keypoints.repeat(count, 1, 1))
        shown = expression_maps(keypoints, openness(keypoints)[:, None], MOTION_SIZE)
        return {**motion, **self.generator(image, (f0, f1, f2), motion, shown, count)}

    def render(self, references: Sequence[SwiftReference], keypoints: Tensor) -> Tensor:
        """Keypoints (B,N,2) -> pictures (B,3,S,S) in [0,1]."""
        return self.render_details(references, keypoints)["prediction"]
