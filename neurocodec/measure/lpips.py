"""LPIPS with AlexNet, where a user has its weights: as a distance, as a metric, from the lpips package."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurocodec.errors import InputError
from neurocodec.files.atomic import write_whole
from neurocodec.measure.metric import PictureMetric, file_digest
from neurocodec.types import Picture

if TYPE_CHECKING:
    from torch import Tensor

_CONVOLUTIONS = (0, 3, 6, 8, 10)
"""Places of AlexNet's convolutions in torchvision's ``features``."""


class Lpips:
    """LPIPS with AlexNet, v0.1 (Zhang et al., CVPR 2018).

    Args:
        weights: safetensors with ``conv1..5`` and ``lin0..4`` (weights and biases).

    Raises:
        InputError: the file holds something else.
    """

    def __init__(self, weights: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            self._w = load_file(weights)
            self._w["lin4.weight"]
        except (OSError, SafetensorError, KeyError):
            raise InputError(f"{weights} does not hold LPIPS weights") from None

    def __call__(self, a: Picture, b: Picture) -> float:
        """Distance of two pictures (H,W,3), 0 = equal."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(np.stack([a, b])).permute(0, 3, 1, 2).float() / 255
            return sum(float(m.mean()) for m in self.maps(x[:1], x[1:]))

    def maps(self, a: Tensor, b: Tensor) -> list[Tensor]:
        """Distances of pictures (B,3,H,W) in [0,1] by place, (B,h,w), at five depths; their means add up."""
        import torch
        from torch.nn import functional as F

        w = self._w
        shift = torch.tensor([-0.030, -0.088, -0.188], device=a.device).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450], device=a.device).view(1, 3, 1, 1)
        x = (torch.cat([a, b]) * 2 - 1 - shift) / scale
        out = []
        for k in range(1, 6):
            if k in (2, 3):
                x = F.max_pool2d(x, 3, 2)
            stride, padding = (4, 2) if k == 1 else (1, 2 if k == 2 else 1)
            x = F.relu(F.conv2d(x, w[f"conv{k}.weight"], w[f"conv{k}.bias"], stride, padding))
            n = x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
            d = (n[: len(a)] - n[len(a) :]) ** 2 * w[f"lin{k - 1}.weight"].view(1, -1, 1, 1)
            out.append(d.sum(1))
        return out


_opened = lru_cache(maxsize=2)(Lpips)


class LpipsAlex(PictureMetric):
    """LPIPS with AlexNet."""

    name, title, better = "lpips", "LPIPS (Alex)", "lower"
    explained = "LPIPS v0.1 with AlexNet (Zhang et al., 2018)"

    def missing(self, width: int, height: int) -> str | None:
        if self.files.lpips:
            return None
        return "no weights: give --lpips FILE, set NEUROCODEC_LPIPS, or have the lpips package and its cache"

    def identity(self) -> str:
        return f"{self.name} {file_digest(self.files.lpips)}"

    def one(self, source: Picture, decoded: Picture) -> float:
        assert self.files.lpips
        return _opened(Path(self.files.lpips))(source, decoded)


def lpips_of_package(cache: Path) -> str | None:
    """LPIPS of the lpips package and torch's cache as one safetensors file in ``cache``, if both are here.

    The package's heads lie in the package, AlexNet where torchvision once put it; nothing is downloaded
    or imported.
    """
    import torch
    from safetensors.torch import save

    spec = importlib.util.find_spec("lpips")
    places = list(spec.submodule_search_locations or []) if spec else []
    heads = [p for p in (Path(place) / "weights" / "v0.1" / "alex.pth" for place in places) if p.is_file()]
    backbones = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob("alexnet-owt-*.pth"))
    if not heads or not backbones:
        return None
    head, backbone = (torch.load(f, "cpu", weights_only=True) for f in (heads[0], backbones[0]))
    tensors = {}
    for k, place in enumerate(_CONVOLUTIONS):
        for kind in ("weight", "bias"):
            tensors[f"conv{k + 1}.{kind}"] = backbone[f"features.{place}.{kind}"].contiguous()
        tensors[f"lin{k}.weight"] = head[f"lin{k}.model.1.weight"].contiguous()
    target = cache / "lpips_alex.safetensors"
    write_whole(target, save(tensors))
    return str(target.resolve())
