"""A clip that is long enough for samples of it to be coded, and quick to code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from media_factory import make_clip

SECONDS, RATE = 130, 1
QUICK = {"region": "full", "refresh": "schedule", "gap": 4, "threads": 1}
"""Options of a quick encode; a small model makes 0.22 to 0.69 kbit/s of the clip's pictures."""


def long_clip(path: Path, **more: Any) -> Path:
    """Two minutes and more of a pattern that goes round, one picture a second."""
    noise = np.random.default_rng(5).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    still = cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)

    def picture(k: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        x, y = (16 + np.round(12 * np.array([np.cos(k), np.sin(k / 1.3)]))).astype(int)
        return np.ascontiguousarray(still[y : y + 64, x : x + 64])

    options = {"crf": "8", "preset": "ultrafast", "g": "20"}
    make_clip(
        path, width=64, height=64, fps=RATE, frames=SECONDS * RATE, picture=picture, options=options, **more
    )
    return path
