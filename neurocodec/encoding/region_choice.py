"""Whether the model renders the full picture of a video, or heads in whole frames."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from neurocodec.encoding.framing import Framing
from neurocodec.encoding.opening import open_source
from neurocodec.faces.head_tracks import EVERY, HeadTracker
from neurocodec.faces.squares import squares
from neurocodec.layers.sizes import SMALLEST
from neurocodec.models.model_files import find
from neurocodec.options import EncodeSettings

FILLED = 0.8
"""Part of the picture that the square of the only head covers at least, for the full picture to be tried."""
_LOOKED_AT = 8.0
"""Seconds of the beginning that are looked at."""
_LOOKS_A_SECOND = 3.0
"""For faces: fewer than where heads are followed to be rendered, with the same answer on 42 clips."""
_MOSTLY = 0.7
"""Part of these in which the head is there."""
SMALL = 384
"""A picture whose longer side is no larger has little that the model's own size would lose."""


def region_by_size(width: int, height: int) -> str | None:
    """``full`` or ``frames`` for pictures of this size by itself; None where it depends on what they show."""
    if min(width, height) < SMALLEST:
        return "full"
    return None if max(width, height) <= SMALL else "frames"


def choose_region(source: Any, settings: EncodeSettings) -> str:
    """``full``, ``frames`` or ``either`` for a video that can be read again.

    By its first seconds; either, where one head fills the picture.

    Raises:
        NeurocodecError: as :class:`~neurocodec.media.reader.MediaReader` has it.
    """
    side = find(settings.model, "motion").size
    with open_source(source, settings, sound=False) as reader:
        width, height, rate = reader.video.width, reader.video.height, float(reader.video.fps)
        if region_by_size(width, height) == "full":
            return "full"
        every = max(EVERY, round(rate / _LOOKS_A_SECOND))
        tracker = HeadTracker(width, height, every, rate=rate)
        frames = 0
        pictures = Framing(reader, side, replace(settings, region="frames")).frames()
        for frame in islice(pictures, max(1, min(round(_LOOKED_AT * rate), 1000))):
            tracker.look(frames, frame.square)
            frames += 1
    tracks = [t for t in tracker.tracks(frames - 1) if len(t.boxes) > frames // 10] if frames else []
    if not tracks or sum(len(t.boxes) for t in tracks) > 1.1 * frames:
        return "frames"
    if sum(len(t.boxes) for t in tracks) < _MOSTLY * frames:
        return "frames"
    if region_by_size(width, height) is None:
        return "either"
    sides = [square.side for t in tracks for square in squares(t.boxes, width, height, (), rate)]
    return "either" if float(np.median(sides)) ** 2 >= FILLED * width * height else "frames"
