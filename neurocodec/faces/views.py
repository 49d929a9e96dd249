"""What ``neurocodec landmarks`` shows: points over faces, a table, and curves over time."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from neurocodec.faces.face import Face
from neurocodec.faces.pose import Pose
from neurocodec.types import Picture

CHAINS = (
    range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36),
    (*range(36, 42), 36), (*range(42, 48), 42), (*range(48, 60), 48), (*range(60, 68), 60),
)  # fmt: skip
"""Landmarks that are joined by lines: jaw, brows, nose, eyes, lips."""
_LINE, _DOT = (70, 200, 255), (255, 230, 60)


def drawn(picture: Picture, face: Face | None) -> Picture:
    """A copy of a picture (H,W,3) with the landmarks of a face over it, if there is one."""
    out = picture.copy()
    if face is None:
        return out
    thick = max(1, round(face.eye_distance / 90))
    fine = np.rint(face.points * 8).astype(np.int32)
    for chain in CHAINS:
        cv2.polylines(out, [fine[list(chain)]], False, _LINE, thick, cv2.LINE_AA, 3)
    for x, y in fine.tolist():
        cv2.circle(out, (x, y), 8 * thick, _DOT, -1, cv2.LINE_AA, 3)
    return out


def table(rows: Sequence[tuple[float, Face | None]]) -> str:
    """CSV: frame, seconds, probability, faces seen, 136 coordinates in pixels; empty without a face."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    coordinates = [f"{axis}{k}" for k in range(68) for axis in "xy"]
    writer.writerow(["frame", "time", "probability", "faces", *coordinates])
    for k, (time, face) in enumerate(rows):
        if face is None:
            writer.writerow([k, f"{time:.6f}", "", 0, *[""] * 136])
        else:
            values = [f"{v:.2f}" for v in face.points.ravel().tolist()]
            writer.writerow([k, f"{time:.6f}", f"{face.probability:.3f}", face.seen, *values])
    return out.getvalue()


def plot(series: Sequence[tuple[str, Sequence[tuple[float, Face | None]]]], title: str) -> Any:
    """A figure of poses over time, one line for each named series."""
    from matplotlib.figure import Figure

    panels = (
        ("eyes, opening", lambda p: (p.left_eye + p.right_eye) / 2),
        ("mouth, opening", lambda p: p.mouth),
        ("turn of the head", lambda p: p.turn),
        ("tilt of the head (degrees)", lambda p: p.tilt),
    )
    figure = Figure((9, 9), layout="constrained")
    axes: Any = figure.subplots(len(panels), 1, sharex=True)
    for (name, value), axis in zip(panels, axes, strict=True):
        for label, rows in series:
            times = [time for time, _ in rows]
            heights = [np.nan if face is None else value(Pose.of(face.points)) for _, face in rows]
            axis.plot(times, heights, lw=1.2, label=label)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("seconds")
    axes[0].set_title(title)
    if len(series) > 1:
        axes[0].legend()
    return figure
