"""How far what a file decodes to is from the pictures it was made of."""

from __future__ import annotations

from typing import IO, BinaryIO, cast

import numpy as np

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.encoding.encoder import fitted_pictures
from neurocodec.encoding.whole_distance import Original, WholeDistance
from neurocodec.format.block import SoundPacket
from neurocodec.format.reader import NfcReader
from neurocodec.media.source import MediaSource
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_FEEDBACK, DecodeOptions, EncodeSettings


def mean_distance(source: MediaSource, coded: IO[bytes], settings: EncodeSettings) -> float:
    """Mean perceptual distance between the source's pictures, as they are coded, and what a file decodes to.

    Every ``gap``-th frame is looked at.
    """
    engine = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), settings.device)
    reader = NfcReader(cast(BinaryIO, coded))
    whole = WholeDistance(engine) if reader.header.layered else None
    originals = fitted_pictures(source, settings)
    items = decode_pictures(
        reader, DecodeOptions(model=settings.model, device=settings.device), DecodeReport()
    )
    renderings = (item for item in items if not isinstance(item, SoundPacket))
    distances: list[float] = []
    for k, (original, (_, rendering)) in enumerate(zip(originals, renderings, strict=True)):
        if k % settings.gap == settings.gap // 2:
            looked = whole(rendering, Original(original)) if whole else engine(rendering[None], [original])[0]
            distances.append(float(looked))
    return float(np.mean(distances)) if distances else 0.0
