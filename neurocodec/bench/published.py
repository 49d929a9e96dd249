"""The published vox-256 configuration in PyTorch: float32, a frame at a time, random weights."""

from __future__ import annotations

from typing import Any, cast

import torch

from neurocodec.bench.hardware import measure_on
from neurocodec.bench.stages import Stage
from neurocodec.models.cost import count_macs, macs_of
from neurocodec.models.device import choose_device
from neurocodec.models.model_files import ModelDescription, build
from neurocodec.networks.vox256 import IMAGE_SIZE, NUM_KEYPOINTS


def published(ours: ModelDescription, device: str, seconds: float, least: int) -> dict[str, Any]:
    """Its stages of a frame, the bytes of its weights, and how many times ours these are."""
    where = choose_device(device)
    network = cast(Any, build("vox256", {})).eval().to(where)
    picture = torch.rand(1, 3, IMAGE_SIZE, IMAGE_SIZE, device=where)
    points = torch.rand(1, NUM_KEYPOINTS, 2, device=where) - 0.5
    with torch.inference_mode():
        reference = network.encode_reference(picture, points)
    calls = {
        "keypoints": lambda: network.keypoints(picture),
        "render, one reference": lambda: network.render(reference, points),
    }
    stages = [
        Stage(name, "frame", measure_on(where, call, seconds, least), count_macs(call))
        for name, call in calls.items()
    ]
    weights = sum(4 * p.numel() for p in network.parameters())
    return {
        "bytes": weights,
        "stages": {s.name: s.as_dict() for s in stages},
        "mac_ratio": (stages[-1].macs or 0) / macs_of(ours)["frame"],
        "byte_ratio": weights / ours.path.stat().st_size,
    }
