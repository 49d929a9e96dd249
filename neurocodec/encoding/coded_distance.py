"""How far what a file decodes to is from the pictures it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

import numpy as np

from neurocodec.decoding.samples import beside, every_nth
from neurocodec.encoding.encoder import fitted_pictures
from neurocodec.encoding.whole_distance import Original, WholeDistance
from neurocodec.format.reader import NfcReader
from neurocodec.media.source import MediaSource
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_FEEDBACK, DecodeOptions, EncodeSettings


@dataclass(frozen=True)
class Seen:
    """Distances of a file: the ``mean`` over its frames, and the highest mean of one second, ``worst``."""

    mean: float = 0.0
    worst: float = 0.0


def looked_at(source: MediaSource, coded: IO[bytes], settings: EncodeSettings) -> Seen:
    """Perceptual distances between the source's pictures, as they are coded, and what a file decodes to.

    Every ``gap``-th frame is looked at.
    """
    engine = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), settings.device)
    reader = NfcReader(cast(BinaryIO, coded))
    whole = WholeDistance(engine) if reader.header.layered else None
    options = DecodeOptions(model=settings.model, device=settings.device)
    distances: list[float] = []
    second = max(1, round(float(reader.header.fps) / settings.gap))
    for original, decoded in beside(
        fitted_pictures(source, settings), every_nth(reader, options, settings.gap)
    ):
        looked = whole(decoded, Original(original)) if whole else engine(decoded[None], [original])[0]
        distances.append(float(looked))
    return Seen(float(np.mean(distances)), worst_mean(distances, second)) if distances else Seen()


def worst_mean(values: Sequence[float], length: int) -> float:
    """The highest mean of so many values in a row, of all where there are fewer."""
    length = min(length, len(values))
    return float(np.convolve(values, np.full(length, 1 / length), "valid").max())
