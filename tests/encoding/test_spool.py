"""Pictures kept on the disk."""

from __future__ import annotations

import numpy as np
import pytest

from neurocodec.encoding.spool import Spool


def ramp(width: int, height: int, shift: int) -> np.ndarray:
    across = np.linspace(20, 200, width).astype(np.uint8)
    return np.repeat(np.broadcast_to(across + np.uint8(shift), (height, width))[..., None], 3, 2).copy()


@pytest.mark.parametrize("size", [(96, 64), (97, 65), (2700, 40)])
def test_pictures_come_back_in_any_order(size: tuple[int, int]) -> None:
    with Spool(*size) as spool:
        for k in range(3):
            spool.append(ramp(*size, 9 * k))
        assert spool.count == 3
        for k in (2, 0, 1):
            back = spool.picture(k)
            assert back.shape == (size[1], size[0], 3)
            assert np.abs(back.astype(int) - ramp(*size, 9 * k)).max() <= 4


def test_frames_are_scaled() -> None:
    with Spool(97, 65) as spool:
        spool.append(ramp(97, 65, 0))
        frame = spool.frame(0, (48, 32))
        assert (frame.width, frame.height, frame.format.name) == (48, 32, "yuv420p")
        luma = frame.to_ndarray()[:32]
        assert abs(int(luma[5, 0]) - 21) < 4 and abs(int(luma[5, -1]) - 199) < 4
