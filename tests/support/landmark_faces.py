"""A drawn set of facial landmarks, and tables of such, as published image sets have them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np


def face(shift: float = 0.0, scale: float = 60.0) -> np.ndarray:
    """A plausible face (68,2) of about ``2 * scale`` pixels around (100 + shift, 100)."""
    points = np.zeros((68, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([np.cos(angle), np.sin(angle)], 1)
    points[17:22] = np.stack([np.linspace(-0.8, -0.2, 5), np.full(5, -0.5)], 1)
    points[22:27] = points[17:22][::-1] * (-1, 1)
    points[27:31] = np.stack([np.zeros(4), np.linspace(-0.2, 0.2, 4)], 1)
    points[31:36] = np.stack([np.linspace(-0.2, 0.2, 5), np.full(5, 0.3)], 1)
    eye = np.array([(-0.2, 0), (-0.1, -0.1), (0.1, -0.1), (0.2, 0), (0.1, 0.1), (-0.1, 0.1)])
    points[36:42], points[42:48] = eye - np.array([0.5, 0.25]), eye - np.array([-0.5, 0.25])
    points[48:68] = np.stack([0.3 * np.cos(np.arange(20)), 0.6 + 0.05 * np.sin(np.arange(20))], 1)
    return (points * scale + (100 + shift, 100)).astype(np.float32)


def image_set(folder: Path, rows: list[tuple[str, list[object]]], columns: int = 136) -> Path:
    path = folder / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *range(columns)])
        writer.writerows([[name, *values] for name, values in rows])
    return path
