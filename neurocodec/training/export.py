"""From a training's state to a model file: averaged weights, and the landmark basis of training clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from neurocodec.datasets.clips import Clip, readable
from neurocodec.errors import InputError
from neurocodec.keypoints.transform import train_basis
from neurocodec.models.device import BATCH, fold_batch_norms
from neurocodec.models.model_files import ModelDescription, save
from neurocodec.networks.talk import Talk, TalkConfig
from neurocodec.training import state as states

LAG = 15
"""Frames within which changes of keypoints shape the basis."""
_FRAMES = 160
"""At most so many of a clip's first frames are looked at."""


def one_each(clips: Sequence[Clip], people: int, seed: int = 0) -> list[Clip]:
    """A random clip of each of up to ``people`` random people."""
    order = [clips[k] for k in np.random.default_rng(seed).permutation(len(clips))]
    first: dict[str, Clip] = {}
    for clip in order:
        first.setdefault(clip.identity, clip)
    return list(first.values())[:people]


def trajectories(network: Talk, clips: Sequence[Clip], region: str = "full") -> list[NDArray[np.float32]]:
    """Keypoints (frames, 2N) of the first frames of each clip that has at least two."""
    folded = Talk(network.config)
    folded.load_state_dict(network.state_dict(), strict=False)
    folded.eval()
    fold_batch_norms(folded)
    out = []
    for clip in tqdm(clips, desc="keypoints", unit=" clips", disable=None, leave=False):
        frames = readable(clip.path, network.size, region, _FRAMES)
        if len(frames) < 2:
            continue
        with torch.inference_mode():
            batches = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).split(BATCH)
            points = [folded.keypoints(batch.float() / 255) for batch in batches]
        out.append(torch.cat(points).flatten(1).numpy())
    return out


def landmark_basis(paths: Sequence[NDArray[np.float32]]) -> NDArray[np.int16]:
    """The basis (2N, 2N) of trajectories (frames, 2N): of changes within LAG frames, fewer in short clips.

    Raises:
        InputError: there are none.
    """
    if not paths:
        raise InputError("no clip to learn the landmark basis from has two frames that can be read")
    lag = min(LAG, max(len(t) for t in paths) - 1)
    return train_basis([t.astype(np.float64) for t in paths], lag)


def export(
    weights: dict[str, Tensor], config: TalkConfig, path: Path, *, name: str, clips: Sequence[Clip],
    people: int = 60, region: str = "full",
) -> ModelDescription:  # fmt: skip
    """Write a motion model: ``weights`` as float16, with a landmark basis of ``clips``' keypoints.

    Raises:
        InputError: the weights are of another model, or no clip can be read.
        OutputError: the file cannot be written.
    """
    network = Talk(config)
    states.fill(network, {k: v.cpu() for k, v in weights.items()}, "the state")
    network.half().float()  # the keypoints are those of what is written
    basis = landmark_basis(trajectories(network, one_each(clips, people), region))
    return save(
        path, {**states.to_ship(network), "landmark_basis": torch.from_numpy(basis)}, name=name,
        architecture="talk", size=config.size, keypoints=network.num_keypoints, config=config.as_dict(),
        half=True,
    )  # fmt: skip
