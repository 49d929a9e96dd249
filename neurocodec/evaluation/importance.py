"""``python -m neurocodec.evaluation.importance``: what errors of coefficients of keypoints do to a rendering.

Each coefficient of some frames is moved by two steps of Q = 100, the frame is rendered with it and without,
and the two pictures are compared: by our distance, and by squares around eyes and mouth, half each.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from neurocodec.datasets.clips import first_seconds
from neurocodec.errors import InputError, NeurocodecError
from neurocodec.keypoints.quantization import dequantize, scaled
from neurocodec.models.device import BATCH
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.engines import open_engine
from neurocodec.models.model_files import find
from neurocodec.models.motion_engine import MotionEngine, Reference
from neurocodec.networks.swift import PARTS
from neurocodec.options import DEFAULT_FEEDBACK, DEFAULT_MOTION
from neurocodec.types import Pictures

_Q, _MOVED = 100, 2.0
_SECONDS, _FRAMES = 5.0, 4
_LEAST_REACH = 0.04


def measured(engine: MotionEngine, distance: DistanceEngine, frames: Pictures) -> NDArray[np.float64]:
    """What a coefficient's error counts in a clip (frames,S,S,3): (M,), 1 on the mean.

    Rendered from its first and its last frame.

    Raises:
        NeurocodecError: the model has no landmark transform, or too few keypoints for mouth and eyes.
    """
    basis = engine.basis
    if basis is None:
        raise NeurocodecError(f"{engine.description.name} has no landmark transform")
    if engine.num_keypoints <= max(map(max, PARTS)):
        raise NeurocodecError(f"{engine.description.name} has too few keypoints for mouth and eyes")
    first, last = (engine.reference(frames[k]) for k in (0, -1))
    whole, part = np.zeros(len(basis)), np.zeros(len(basis))
    for k in np.linspace(0, len(frames) - 1, _FRAMES + 2).astype(int)[1:-1]:
        keypoints = engine.coded_values(frames[k : k + 1])[0]
        exact = scaled(keypoints, first.coded, _Q, basis)
        signs = np.where(np.arange(len(basis)) % 2, _MOVED, -_MOVED)
        points = dequantize(np.vstack([exact, exact + np.diag(signs)]), first.coded, _Q, basis)
        pictures = _rendered(engine, [first, last], points)
        whole += distance(pictures[1:], [pictures[0]] * len(basis))
        squares = ((pictures[1:].astype(np.float32) - pictures[0]) ** 2).mean(3)
        part += (squares * _around(keypoints, engine.size)).mean((1, 2))
    return np.asarray(0.5 * whole / whole.mean() + 0.5 * part / part.mean())


def _rendered(engine: MotionEngine, references: list[Reference], points: NDArray[np.float32]) -> Pictures:
    keypoints = engine.keypoints_from(points)
    parts = [engine.render(references, keypoints[k : k + BATCH]) for k in range(0, len(keypoints), BATCH)]
    return np.concatenate(parts)


def _around(keypoints: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Gaussians around mouth and eyes (side,side), from keypoints (N,2)."""
    axis = (np.arange(side) + 0.5) * 2 / side - 1
    weight = np.zeros((side, side))
    for left, right, _, _ in PARTS:
        a, b = keypoints[left], keypoints[right]
        (x, y), reach = (a + b) / 2, max(0.5 * float(np.linalg.norm(a - b)), _LEAST_REACH)
        across, down = (np.exp(-0.5 * ((axis - middle) / reach) ** 2) for middle in (x, y))
        weight = np.maximum(weight, np.outer(down, across))
    return weight


@click.command()
@click.argument(
    "clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--model", default=DEFAULT_MOTION, show_default=True, help="A motion model.")
def main(clips: tuple[Path, ...], model: str) -> None:
    """Measure what an error of each coefficient counts, on the mean of CLIPS, and print it."""
    try:
        engine = open_engine(find(model, "motion"), None, device="cpu", threads=None)
        distance = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), "cpu")
        found = []
        for clip in clips:
            frames = first_seconds(clip, engine.size, _SECONDS)[0]
            if len(frames) < _FRAMES + 2:
                raise InputError(f"{clip} has fewer than {_FRAMES + 2} frames")
            found.append(measured(engine, distance, np.stack(frames)))
            click.echo(f"{clip.name} ...", err=True)
    except NeurocodecError as error:
        raise click.ClickException(str(error)) from error
    values = np.mean(found, 0)
    for k in range(0, len(values), 15):
        click.echo(" ".join(f"{v:.2f}," for v in values[k : k + 15]))


if __name__ == "__main__":
    main()
