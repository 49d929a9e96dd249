"""The state of a training in one file, from which it goes on as if it had never stopped.

What is in it: ``model``, ``ema`` (the moving average), ``optimizer``, ``step``, ``spent`` (seconds so far),
``recipe`` (the settings that shape the result).  Random numbers of a step are drawn from generators that are
made anew from seed, step and process (:func:`generators`), so that ``step`` is all their state; the learning
rate is a function of the step (or, with a limit of minutes, of ``spent``).
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurocodec.errors import InputError, OutputError

STATE = "state.pt"
_OPTIONAL = ("confidence", "generator.detail", "restorer", "landmark_basis", "num_batches_tracked")
"""Parts of names of tensors that weights to start from may lack; they stay as they are."""


def generators(seed: int, step: int, rank: int) -> tuple[np.random.Generator, torch.Generator, int]:
    """The random numbers of a step: for sampling, for augmentation, and a seed for the loss."""
    rng = np.random.default_rng([seed, step, rank])
    return rng, torch.Generator().manual_seed(int(rng.integers(1 << 62))), int(rng.integers(1 << 62))


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state, to a temporary file first.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_suffix(".part")
    try:
        torch.save(state, part)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error}") from None


def load(path: Path) -> dict[str, Any]:
    """Read a state (or the state of an older training, which has the same parts); no code in it is run.

    Raises:
        InputError: it cannot be read, or is none.
    """
    if not path.is_file():
        raise InputError(f"no training state {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError):
        raise InputError(f"{path} is not the state of a training") from None
    if not isinstance(content, dict) or not {"model", "ema", "step"} <= content.keys():
        raise InputError(f"{path} is not the state of a training")
    return content


def fill(
    network: nn.Module, tensors: dict[str, Tensor], source: Path | str, optional: tuple[str, ...] = ()
) -> None:
    """Put tensors into a network; no landmark basis is wanted.

    Those named by :data:`_OPTIONAL` and ``optional`` may be missing, and stay as they are.

    Raises:
        InputError: they are those of another model.
    """
    wanted = {k: v for k, v in tensors.items() if k != "landmark_basis"}
    try:
        missing, unexpected = network.load_state_dict(wanted, strict=False)
    except RuntimeError as error:
        raise InputError(f"{source} holds another model: {str(error).splitlines()[-1].strip()}") from None
    lacking = [name for name in missing if not any(part in name for part in (*_OPTIONAL, *optional))]
    if unexpected or lacking:
        what = f"has {unexpected[0]}" if unexpected else f"lacks {lacking[0]}"
        raise InputError(f"{source} holds another model: it {what}")


def weights_of(source: Path) -> dict[str, Tensor]:
    """Averaged weights of a training's state, its folder, or a safetensors model (as float32).

    Raises:
        InputError: none of these.
    """
    if source.is_dir():
        source = source / STATE
    if source.suffix != ".safetensors":
        return dict(load(source)["ema"])
    from safetensors.torch import load_file

    from neurocodec.models.model_files import describe

    describe(source)
    return {k: t.float() if t.is_floating_point() else t for k, t in load_file(source).items()}


def recipe_of(source: Path) -> dict[str, Any] | None:
    """The settings that shape the network of a state (or its folder), or None: older states do not say.

    Raises:
        InputError: it is no state.
    """
    recipe = load(source / STATE if source.is_dir() else source).get("recipe")
    return None if recipe is None else dict(json.loads(recipe))


def to_ship(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a network but for the batch norms' counters, which only a training needs."""
    return {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
