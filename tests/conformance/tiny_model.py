"""The model that the conformance files name: weights made of integers by a rule, the same for ever.

The files' pictures must not depend on shipped weights, which are trained further, so they name a network of
the ``talk`` architecture for squares of 64 x 64 whose weights nobody has to store: the tensors that
``tiny_model.json`` lists, filled from SHA-256.  They are exact binary fractions, so that their hash is the
same on every machine.  What it paints is no face, but every part of the network takes part in it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
CONFIG = {"size": 64, "num_tps": 1, "keypoint_width": 4, "motion_width": 4, "generator_width": 4}
NAME, SIZE, KEYPOINTS = "conformance64", 64, 5


def noise(name: str, count: int) -> Any:
    """``count`` numbers in [-1, 1), multiples of 1/128, that depend on a name only."""
    blocks = (hashlib.sha256(f"{name}:{k}".encode()).digest() for k in range(-(-count // 32)))
    octets = np.frombuffer(b"".join(blocks), np.uint8)[:count]
    return (octets.astype(np.float32) - 128) / 128


def fill(name: str, shape: list[int]) -> Any:
    """The values of one tensor."""
    count = int(np.prod(shape, dtype=np.int64))
    end = name.rpartition(".")[2]
    if name == "landmark_basis":
        turned = np.eye(shape[0], dtype=np.int16)[:, ::-1] * 16384
        return np.ascontiguousarray(turned)
    if end == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if end == "nearness":
        return np.full(shape, 2, np.float32)
    if end == "running_mean" or (end == "bias" and len(shape) == 1):
        return np.zeros(shape, np.float32)
    if end == "running_var" or (end == "weight" and len(shape) == 1):
        return np.ones(shape, np.float32)
    inputs = count // shape[0]
    scale = 2.0 ** -(inputs.bit_length() // 2)  # a power of two near 1 / sqrt(inputs)
    if name.startswith("generator.head"):
        scale /= 4
    if name.startswith("keypoint_net.head"):
        scale *= 16
    return (noise(name, count).reshape(shape) * np.float32(scale)).astype(np.float32)


def tensors() -> dict[str, Any]:
    """All tensors as torch has them."""
    import torch

    shapes = json.loads((FOLDER / "tiny_model.json").read_text())
    return {name: torch.from_numpy(fill(name, shape)) for name, shape in shapes.items()}


def write(folder: Path) -> Path:
    """The model file, to be found by ``NEUROCODEC_MODELS`` or ``--model``."""
    from neurocodec.models.model_files import save

    path = folder / f"{NAME}.safetensors"
    save(
        path, tensors(), name=NAME, architecture="talk", size=SIZE, keypoints=KEYPOINTS, config=CONFIG,
        half=False,
    )  # fmt: skip
    return path
