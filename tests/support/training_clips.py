"""Tiny clips and a tiny motion model, so that trainings take seconds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

TINY = """
name = "tiny"
[model]
size = 64
num_tps = 2
keypoint_width = 4
motion_width = 8
generator_width = 4
detail = true
[data]
size = 64
stride = 3
references = 3
held_out = 0
[optimizer]
batch = 2
warmup = 2
[machine]
accelerator = "cpu"
threads = 1
precision = "32-true"
[watch]
log = 2
save = 2
sheet = 6
people = 2
"""


def face(size: int, turn: float, seed: int) -> NDArray[np.uint8]:
    """A drawn head on a patterned ground, turned and moved by ``turn``; (size,size,3) RGB."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (size, size))
    picture = np.ascontiguousarray(ground)
    at = (round(size * (0.5 + 0.1 * np.sin(turn))), round(size * 0.5))
    colour = tuple(int(v) for v in rng.integers(120, 255, 3))
    cv2.ellipse(picture, at, (size // 4, size // 3), 8 * turn, 0, 360, colour, -1)
    for side in (-1, 1):
        cv2.circle(
            picture, (at[0] + side * size // 10, at[1] - size // 12), max(1, size // 24), (20, 20, 60), -1
        )
    opened = max(1, round(size / 20 * (1 + np.sin(2 * turn))))
    cv2.ellipse(picture, (at[0], at[1] + size // 7), (size // 10, opened), 0, 0, 360, (120, 20, 30), -1)
    return picture


def frame_folder(folder: Path, frames: int, seed: int, size: int = 64) -> Path:
    """A clip as numbered pictures."""
    folder.mkdir(parents=True)
    for k in range(frames):
        picture = cv2.cvtColor(face(size, k / 3, seed), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"frame{k}.png"), picture)
    return folder


def people(folder: Path, count: int = 2, frames: int = 18) -> Path:
    """``count`` people with one clip each, in sub-folders."""
    for k in range(count):
        frame_folder(folder / f"person{k}" / "clip", frames, k)
    return folder
