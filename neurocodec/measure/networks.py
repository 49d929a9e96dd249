"""Where a user's metric networks lie: an option, an environment variable, or the lpips package's cache."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from neurocodec.errors import InputError
from neurocodec.files.atomic import write_whole
from neurocodec.measure.metric import MetricFiles

VARIABLES = {
    "lpips": "NEUROCODEC_LPIPS",
    "face_detector": "NEUROCODEC_FACE_DETECTOR",
    "identity": "NEUROCODEC_IDENTITY_NET",
    "landmarks": "NEUROCODEC_LANDMARK_NET",
}
_CONVOLUTIONS = (0, 3, 6, 8, 10)
"""Places of AlexNet's convolutions in torchvision's ``features``."""


def metric_files(cache: Path, **options: str | None) -> MetricFiles:
    """The files named by options or environment variables; LPIPS also from the lpips package.

    Raises:
        InputError: a named file is not there, or holds something else.
    """
    found: dict[str, str | None] = {}
    for name, variable in VARIABLES.items():
        path = options.get(name) or os.environ.get(variable) or None
        if path and not Path(path).is_file():
            raise InputError(f"no file {path} (for {name.replace('_', ' ')})")
        found[name] = str(Path(path).resolve()) if path else None
    if found["lpips"] is None:
        found["lpips"] = lpips_of_package(cache)
    else:
        from neurocodec.measure.pictures import Lpips

        Lpips(Path(found["lpips"]))
    return MetricFiles(**found)


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
