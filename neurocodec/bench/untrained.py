"""Model files with random weights: to time shapes that nobody has trained."""

from __future__ import annotations

from pathlib import Path

import torch

from neurocodec.models.model_files import ModelDescription, save
from neurocodec.networks.talk import Talk, TalkConfig


def write(folder: Path, config: TalkConfig, seed: int = 0) -> ModelDescription:
    """A motion model of this shape in ``folder``, named ``untrained`` and its size; the same for a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Talk(config)
    name = f"untrained{config.size}"
    return save(
        folder / f"{name}.safetensors", network.state_dict(), name=name, architecture="talk",
        size=config.size, keypoints=network.num_keypoints, config=config.as_dict(), half=False,
    )  # fmt: skip


def like(model: ModelDescription, size: int, folder: Path) -> ModelDescription:
    """``model``'s shape (of the architecture talk) for squares of ``size`` pixels, untrained."""
    return write(folder, TalkConfig(**{**model.config, "size": size}))
