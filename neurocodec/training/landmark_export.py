"""From a training's state to a landmark model, and its mapping to the keypoints of a motion model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from neurocodec.datasets.clips import Clip, frames_of
from neurocodec.errors import InputError
from neurocodec.models.device import BATCH
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.models.model_files import ModelDescription, load, save
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.networks.face68 import SIDE, Face68
from neurocodec.training.landmark_samples import Faces
from neurocodec.training.landmarks import tensors
from neurocodec.training.state import fill, recipe_of, to_ship, weights_of

_GROUP = 100
"""Pictures that are looked at in one go."""


def ship(state: Path, cache: Path, out: Path, pairs: int) -> ModelDescription:
    """Make a model of a run's average weights, the latent turned so that the most lively comes first.

    ``pairs``: neighbouring frames that say what is lively.

    Raises:
        InputError: no state of such a training.
        OutputError: the model cannot be written.
    """
    recipe = recipe_of(state)
    if recipe is None or recipe.get("architecture") != "face68":
        raise InputError(f"{state} is not the state of a landmark network")
    network = Face68(**recipe["model"])
    fill(network, weights_of(state), state)
    network.eval()
    faces, rng = Faces(cache), np.random.default_rng(5)
    pictures, _landmarks = faces.sample(0, pairs, 0, rng)
    with torch.inference_mode():
        groups = range(0, len(pictures), _GROUP)
        latents = torch.cat([network.encode(tensors(pictures[k : k + _GROUP]))[0] for k in groups])
    turn_latent(network, latents[pairs:] - latents[:pairs])
    return save(
        out, to_ship(network), name=out.stem, architecture="face68", size=SIDE, keypoints=0,
        config=recipe["model"], half=True,
    )  # fmt: skip


def turn_latent(network: Face68, changes: Tensor) -> None:
    """Rotate the latent, which changes nothing else, to the principal axes of ``changes`` (n,L)."""
    _, vectors = torch.linalg.eigh(changes.double().T @ changes.double())
    turn = vectors.flip(1).T.float()
    first = network.dense[0]
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        for layer in (network.from_guess, network.to_latent):
            layer.weight.copy_(turn @ layer.weight)
        network.from_guess.bias.copy_(turn @ network.from_guess.bias)
        for layer in (network.linear, first):
            layer.weight.copy_(layer.weight @ turn.T)


def fit_mapping(
    model: ModelDescription, motion: ModelDescription, clips: Sequence[Clip], stride: int, out: Path | None
) -> tuple[ModelDescription, str]:
    """Fit a landmark model's mapping to a motion model's keypoints, on every ``stride``-th frame of clips.

    Returns the model with it (in ``out``, or in its own place), and how well it fits.

    Raises:
        InputError: a clip cannot be read.
        OutputError: the model cannot be written.
    """
    engine, landmarks = MotionEngine(motion, "cpu"), LandmarkEngine(model, "cpu")
    inputs, outputs, clip_of = [], [], []
    for number, clip in enumerate(tqdm(clips, desc="clips")):
        frames = list(islice(frames_of(clip.path, motion.size), 0, None, stride))
        for k in range(0, len(frames), BATCH):
            some = np.stack(frames[k : k + BATCH])
            points, presence = landmarks.landmarks(some)
            there = presence > 0.5
            inputs.append(points[there])
            outputs.append(engine.keypoints(some)[there])
            clip_of += [number] * int(there.sum())
    groups = np.array(clip_of)
    x = 2 * np.concatenate(inputs).reshape(len(groups), -1) - 1
    y = np.concatenate(outputs).reshape(len(groups), -1)
    mapping = fit_linear(x, y, groups)
    error, spread = (np.abs(within(v, groups)).mean() for v in (y - x @ mapping[:, :-1].T, y))
    weights = {**to_ship(load(model)), "mapping": torch.from_numpy(mapping.astype(np.float32))}
    made = save(
        out or model.path, weights, name=model.name, architecture="face68", size=SIDE,
        keypoints=motion.keypoints, half=True,
        config={**model.config, "keypoints": motion.keypoints, "motion": motion.hash[:16]},
    )  # fmt: skip
    fit = f"{len(x)} frames; within a clip keypoints move by {spread:.4f}, the mapping is {error:.4f} off"
    return made, fit


def within(values: NDArray[np.floating], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows (n,M) less the mean of their group (n,)."""
    out = np.asarray(values, np.float64).copy()
    for group in np.unique(groups):
        out[groups == group] -= out[groups == group].mean(0)
    return out


def fit_linear(
    x: NDArray[np.floating], y: NDArray[np.floating], groups: NDArray[np.int64], ridge: float = 1e-4,
    between: float = 0.2,
) -> NDArray[np.float64]:  # fmt: skip
    """Ridge regression of y (n,M) on x (n,K): (M,K+1), the last column being the offset.

    What differs within a group (a clip) counts fully, what differs between groups by ``between``, since a
    reference and the frames rendered from it always show the same person.
    """
    inner_x, inner_y = within(x, groups), within(y, groups)
    outer_x, outer_y = x - inner_x, y - inner_y
    mean_x, mean_y = outer_x.mean(0), outer_y.mean(0)
    rows_x = np.concatenate([inner_x, between * (outer_x - mean_x)])
    rows_y = np.concatenate([inner_y, between * (outer_y - mean_y)])
    system = rows_x.T @ rows_x + ridge * len(x) * np.eye(x.shape[1])
    matrix = np.linalg.solve(system, rows_x.T @ rows_y).T
    return np.concatenate([matrix, (mean_y - matrix @ mean_x)[:, None]], 1)
