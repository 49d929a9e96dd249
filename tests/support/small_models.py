"""Motion models that are small and untrained: fast, and of any size."""

from __future__ import annotations

from pathlib import Path

from neurocodec.bench import untrained
from neurocodec.models.model_files import ModelDescription
from neurocodec.networks.talk import TalkConfig


def small(folder: Path, size: int) -> ModelDescription:
    """A model file for squares of ``size`` pixels with hardly any channels."""
    folder.mkdir(parents=True, exist_ok=True)
    narrow = {"keypoint_width": 4, "motion_width": 4, "generator_width": 4}
    return untrained.write(folder, TalkConfig(size=size, num_tps=1, **narrow))
