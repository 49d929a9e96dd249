"""Which way a video is coded, by what it shows."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from places import SAMPLES

from neurocodec.encoding.region_choice import choose_region, region_by_size
from neurocodec.media.frames import open_video
from neurocodec.media.writer import MediaWriter
from neurocodec.options import EncodeOptions


def shown(path: Path, size: tuple[int, int], head: int) -> Path:
    """A second and a half of a head of so many pixels at the left of a grey picture of this size."""
    with (
        open_video(SAMPLES / "astronaut.mp4") as (video, pictures),
        MediaWriter(
            path, width=size[0], height=size[1], time_base=video.time_base, fps=video.fps, color=video.color
        ) as writer,
    ):
        for picture in islice(pictures, 38):
            frame = np.full((size[1], size[0], 3), 90, np.uint8)
            frame[:head, :head] = picture.to_rgb(head, head)
            writer.write_video(frame, picture.pts)
    return path


@pytest.mark.parametrize(
    ("size", "head", "region"),
    [
        ((512, 512), 512, "either"),
        ((960, 512), 512, "frames"),
        ((256, 256), 256, "either"),
        ((640, 360), 0, "frames"),
    ],
)
def test_one_head_that_fills_the_picture_may_be_either(
    size: tuple[int, int], head: int, region: str, tmp_path: Path
) -> None:
    assert choose_region(shown(tmp_path / "a.mp4", size, max(head, 8)), EncodeOptions().settings()) == region


def test_size_alone_settles_the_rest() -> None:
    assert region_by_size(100, 63) == "full"
    assert region_by_size(384, 216) is None
    assert region_by_size(640, 360) == "frames"
