"""What other sizes of the model would cost, with untrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurocodec.bench import untrained
from neurocodec.bench.stages import network_stages, squares
from neurocodec.models.files import ModelDescription


def size_figures(
    model: ModelDescription, sizes: list[int], clip: Path, folder: Path, seconds: float, device: str
) -> dict[str, Any]:
    """By size: the stages of networks of that size, each measured for about ``seconds``."""
    out = {}
    for size in sizes:
        description = untrained.like(model, size, folder)
        stages = network_stages(description, squares(clip, size, 8), seconds, device)
        out[str(size)] = {s.name: s.as_dict() for s in stages}
        description.path.unlink()
    return out
