"""The square around the face."""

from __future__ import annotations

import numpy as np

from neurocodec.faces.region import FaceRegion
from neurocodec.format.block import Region


def test_the_region_follows_only_real_moves() -> None:
    boxes = [(100.0, 50.0, 80.0, 80.0)]
    finder = FaceRegion(lambda picture: boxes)
    picture = np.zeros((240, 426, 3), np.uint8)
    first = finder.update(picture)
    boxes[0] = (104.0, 52.0, 80.0, 80.0)
    assert finder.update(picture) == first
    boxes[0] = (250.0, 52.0, 80.0, 80.0)
    moved = finder.update(picture)
    assert moved.x > first.x
    boxes.clear()
    assert finder.update(picture) == moved
    assert finder.blocks_without_face == 1
    assert FaceRegion(lambda picture: []).update(picture) == Region(93, 0, 240)
