"""The upright pictures of a video, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurocodec.errors import InputError
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.types import Picture


def read_frames(source: Any, seconds: float | None = None) -> Iterator[tuple[float, Picture]]:
    """Times in seconds since the first, and upright pictures (H,W,3), of a video.

    Raises:
        InputError: it cannot be read or has no picture.
    """
    first: int | None = None
    with MediaReader(source, audio=False) as reader:
        for item in reader:
            if isinstance(item, AudioPacket):
                continue
            first = item.pts if first is None else first
            time = float((item.pts - first) * reader.video.time_base)
            if seconds is not None and time >= seconds:
                break
            yield time, item.to_rgb()
    if first is None:
        raise InputError(f"{Path(str(source)).name} has no picture that can be decoded")
