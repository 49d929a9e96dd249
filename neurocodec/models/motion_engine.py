"""Runs the networks: numpy pictures in and out, device and threads chosen once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurocodec.errors import UnsupportedError
from neurocodec.models.allocator import keep_freed
from neurocodec.models.device import choose_device, fold_batch_norms, has_fast_bfloat16
from neurocodec.models.model_files import ModelDescription, load
from neurocodec.models.tensors import picture_tensor
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.swift import PARTS, Swift
from neurocodec.networks.swift_render import SwiftRenderer
from neurocodec.networks.talk import Talk
from neurocodec.networks.talk_render import TalkRenderer
from neurocodec.networks.warp import Warp
from neurocodec.threads import use_threads
from neurocodec.types import Picture, Pictures

_LAST_PART = max(max(part) for part in PARTS)


@dataclass(frozen=True)
class Reference:
    """A decoded reference, its keypoints (N,2) and what the model computes of it once."""

    picture: Picture
    keypoints: NDArray[np.float32]
    features: Any
    values: NDArray[np.float32] | None = None

    @property
    def coded(self) -> NDArray[np.float32]:
        """What other frames' values are coded relative to: the keypoints, or else ``values`` (M/2,2)."""
        return self.keypoints if self.values is None else self.values


def renderer_of(network: nn.Module, half: bool) -> TalkRenderer | SwiftRenderer | None:
    """What renders with a network (batch norms folded) on the CPU, if it has such a thing."""
    dtype = torch.bfloat16 if half else torch.float32
    if isinstance(network, Talk):
        return TalkRenderer(network, dtype)
    return SwiftRenderer(network, dtype) if isinstance(network, Swift) else None


class MotionEngine:
    """A motion model ready to run.

    ``basis`` is the transform of its keypoints (:mod:`neurocodec.keypoints.transform`), if it has one.
    ``parts`` say which keypoints lie at the corners of mouth and eyes, above and below them, if any do.
    Keypoints are always computed in float32, so that the same picture gives nearly the same ones everywhere;
    rendering uses half precision where the device is made for it.
    """

    def __init__(
        self, description: ModelDescription, device: str = "auto", threads: int | None = None
    ) -> None:
        use_threads(threads)
        keep_freed()
        self.description = description
        self.device = choose_device(device)
        self.size, self.num_keypoints = description.size, description.keypoints
        network = load(description)
        if getattr(network, "size", self.size) != self.size:
            raise UnsupportedError(f"{description.path} contradicts itself about the size of pictures")
        fold_batch_norms(network)
        fuse_activations(network)
        self._network = cast(Any, network)
        self._network.to(self.device, memory_format=torch.channels_last)
        self.max_references: int = getattr(network, "max_references", 1)
        basis = getattr(network, "landmark_basis", None)
        self.basis: NDArray[np.int16] | None = None if basis is None else basis.cpu().numpy().copy()
        ours = isinstance(network, Talk | Swift)
        self.parts = PARTS if ours and self.num_keypoints > _LAST_PART else None
        self._half = ours and (self.device.type == "cuda" or has_fast_bfloat16())
        self._renderer = renderer_of(network, self._half) if self.device.type == "cpu" else None
        self._quick: Any = None
        if isinstance(network, Talk | Swift) and self._half:
            self._quick = copy.deepcopy(network.keypoint_net).to(torch.bfloat16)

    def keypoints(self, pictures: Pictures) -> NDArray[np.float32]:
        """Pictures (B,S,S,3) -> keypoints (B,N,2) in [-1,1]."""
        with torch.inference_mode():
            return self._network.keypoints(picture_tensor(pictures, self.device)).float().cpu().numpy()

    def coded_values(self, pictures: Pictures) -> NDArray[np.float32]:
        """What is coded of pictures (B,S,S,3), in pairs: here their keypoints (B,N,2).

        In bfloat16 where the processor has it: that moves keypoints by 0.0003 (root mean square), a thirtieth
        of a step at Q = 100, as noise of two levels in the picture does.  Keypoints of references, which
        encoder and decoder both compute, are always those of :meth:`keypoints`.
        """
        if self._quick is None:
            return self.keypoints(pictures)
        with torch.inference_mode():
            return self._quick(picture_tensor(pictures, self.device)).cpu().numpy()

    @property
    def quick(self) -> bool:
        """Whether :meth:`coded_values` takes a faster way than :meth:`keypoints`."""
        return self._quick is not None

    @property
    def coordinates(self) -> int:
        """How many numbers are coded of a frame."""
        return 2 * self.num_keypoints

    def keypoints_from(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The keypoints (B,N,2) that coded values (B,M/2,2) stand for: here themselves."""
        return values

    def reference(self, picture: Picture) -> Reference:
        """Prepare a decoded reference (S,S,3)."""
        return self.prepare(picture, self.keypoints(picture[None])[0])

    def prepare(self, picture: Picture, keypoints: NDArray[np.float32]) -> Reference:
        """Prepare a reference (S,S,3) whose keypoints (N,2) are known."""
        with torch.inference_mode(), self._precision():
            tensor, points = picture_tensor(picture[None], self.device), self._points(keypoints[None])
            features = cast(Any, self._renderer or self._network).encode_reference(tensor, points)
        return Reference(picture, keypoints, features)

    def render(self, references: Sequence[Reference], keypoints: NDArray[np.float32]) -> Pictures:
        """Keypoints (B,N,2) -> pictures (B,S,S,3), from as many of the references as the model can use."""
        with torch.inference_mode(), self._precision():
            points = self._points(keypoints)
            features = [r.features for r in references[: self.max_references]]
            if self._renderer:
                return cast(Any, self._renderer).render(features, points).numpy()
            out = self._network.render(features if self.max_references > 1 else features[0], points).float()
            out = out.clamp_(0, 1).mul_(255).round_().to(torch.uint8).permute(0, 2, 3, 1)
        return out.contiguous().cpu().numpy()

    def render_warped(
        self, references: Sequence[Reference], keypoints: NDArray[np.float32]
    ) -> tuple[Pictures, list[Warp] | None]:
        """As :meth:`render`, and how the references were moved for each picture, where that is known."""
        if self._renderer is None:
            return self.render(references, keypoints), None
        warps: list[Warp] = []
        with torch.inference_mode(), self._precision():
            features = [r.features for r in references[: self.max_references]]
            pictures = cast(Any, self._renderer).render(features, self._points(keypoints), warps).numpy()
        return pictures, warps

    def _points(self, keypoints: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(keypoints)).to(self.device)

    def _precision(self) -> torch.autocast:
        enabled = self._half and self._renderer is None
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)
