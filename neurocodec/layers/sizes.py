"""The sizes at which a layer's pictures are coded."""

from __future__ import annotations

SCALES = (1, 2, 4)
"""What the sides of the source's pictures are divided by."""
SMALLEST = 64
"""Pixels of a side of a layer's pictures, which SVT-AV1 asks for."""


def layer_size(width: int, height: int, scale: int) -> tuple[int, int]:
    """Width and height, even, of the layer of pictures of this size, divided by ``scale``."""
    across, down = (max(SMALLEST, side // scale // 2 * 2) for side in (width, height))
    return across, down
