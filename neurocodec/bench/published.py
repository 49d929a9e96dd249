"""The published vox-256 configuration in PyTorch, as it comes: float32, a frame at a time, random weights."""

from __future__ import annotations

from typing import Any, cast

import torch

from neurocodec.bench.stages import Stage
from neurocodec.models import files as models
from neurocodec.models.cost import counted
from neurocodec.models.device import choose_device
from neurocodec.models.timing import Spread, measure
from neurocodec.networks.vox256 import IMAGE_SIZE, NUM_KEYPOINTS


def published(seconds: float, device: str, least: int = 3) -> tuple[list[Stage], int]:
    """Stages of a frame (keypoints, rendering from one reference), and the bytes of the weights."""
    where = choose_device(device)
    network = cast(Any, models.build("vox256", {})).eval().to(where)
    picture = torch.rand(1, 3, IMAGE_SIZE, IMAGE_SIZE, device=where)
    points = torch.rand(1, NUM_KEYPOINTS, 2, device=where) - 0.5
    with torch.inference_mode():
        reference = network.encode_reference(picture, points)
        calls = {
            "keypoints": lambda: network.keypoints(picture),
            "render, one reference": lambda: network.render(reference, points),
        }
        stages = []
        for name, call in calls.items():

            def once(call: Any = call) -> None:
                call()
                if where.type == "cuda":
                    torch.cuda.synchronize()

            spent: Spread = measure(once, seconds, least)
            stages.append(Stage(name, "frame", spent, counted(call)))
    return stages, sum(4 * p.numel() for p in network.parameters())
