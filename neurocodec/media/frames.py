"""The upright pictures of a video, one after the other, without its sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from neurocodec.errors import InputError
from neurocodec.format.header import Fit, content_rectangle
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.square import pad
from neurocodec.media.types import VideoInfo
from neurocodec.types import Picture, Pictures


@contextmanager
def open_video(source: Any, threads: int = 0) -> Iterator[tuple[VideoInfo, Iterator[VideoPicture]]]:
    """The facts of a video and its decoded pictures; ``threads``: of the decoder, 0 for automatic.

    Raises:
        InputError: it cannot be read.
    """
    with MediaReader(source, audio=False, threads=threads) as reader:
        yield reader.video, (item for item in reader if isinstance(item, VideoPicture))


def read_frames(source: Any, seconds: float | None = None) -> Iterator[tuple[float, Picture]]:
    """Times in seconds since the first, and upright pictures (H,W,3), of a video.

    Raises:
        InputError: it cannot be read or has no picture.
    """
    first: int | None = None
    with open_video(source) as (video, pictures):
        for picture in pictures:
            first = picture.pts if first is None else first
            time = float((picture.pts - first) * video.time_base)
            if seconds is not None and time >= seconds:
                break
            yield time, picture.to_rgb()
    if first is None:
        raise InputError(f"{Path(str(source)).name} has no picture that can be decoded")


def read_squeezed(source: Any, side: int, count: int) -> Pictures:
    """The first pictures of a video, at most ``count``, squeezed into squares (n,side,side,3).

    Raises:
        InputError: it cannot be read or has no picture.
    """
    with open_video(source) as (_, pictures):
        found = [picture.to_rgb(side, side) for picture in islice(pictures, count)]
    if not found:
        raise InputError(f"{Path(str(source)).name} has no picture that can be decoded")
    return np.stack(found)


def read_letterboxed(source: Any, side: int, seconds: float) -> tuple[list[Picture], Fraction]:
    """The first ``seconds`` of a video fitted into squares (S,S,3) as encode does, and its frame rate.

    Raises:
        InputError: it cannot be read.
    """
    with open_video(source) as (video, pictures):
        sar = video.sar.limit_denominator(1 << 20)
        place = content_rectangle(video.width, video.height, sar, Fit.LETTERBOX, side)
        some = islice(pictures, ceil(seconds * float(video.fps)))
        return [pad(p.to_rgb(place.width, place.height), place, side) for p in some], video.fps
