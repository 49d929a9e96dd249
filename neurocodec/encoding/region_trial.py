"""Full picture or whole frames?  Both are tried where one head fills the picture, and measured.

The model renders a head that fills the picture from few bytes; where it turns a lot, or the camera moves, a
layer of AV1 is the better bargain.  So two pieces of it are coded in both ways.  The full picture is taken
where it is cheaper, by distance and bytes together, and no worse for its bytes than whole frames for theirs.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any, BinaryIO, cast

import numpy as np

from neurocodec.decoding.samples import beside, every_nth
from neurocodec.encoding.framing import Framing
from neurocodec.encoding.layer_search import worth_at
from neurocodec.encoding.opening import open_source
from neurocodec.encoding.rewinding import IN_MEMORY
from neurocodec.encoding.whole_distance import Original, WholeDistance
from neurocodec.format.reader import NfcReader
from neurocodec.media.square import crop, resize
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_FEEDBACK, DecodeOptions, EncodeSettings

_SECONDS, _LEAST_SECONDS = 5.0, 3.0
"""How much is tried, and below which the full picture is not doubted."""
_LATER = 0.6
"""Where the second piece begins, in parts of the video: what moves may begin to move later."""
_LOOKS_A_SECOND = 2.5
_PRICE = 3.0
"""What a bit costs here, in prices of :mod:`neurocodec.encoding.layer_search`: as much as it costs where the
model's own references are placed (:func:`neurocodec.options.price_at`)."""
_SLOPE = 0.5
"""By this power of the rate the distance of a video falls, about."""
Encode = Callable[[Any, BinaryIO, EncodeSettings], Any]


def better_region(source: Any, settings: EncodeSettings, encode: Encode) -> str:
    """``full`` or ``frames``: the better bargain for some seconds of a source.

    ``encode`` encodes a source, which can be read again, into a file with settings whose region is either.

    Raises:
        NeurocodecError: as encoding and decoding have it.
    """
    distance = WholeDistance(DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), settings.device))
    found: dict[str, list[tuple[float, float]]] = {"full": [], "frames": []}
    for start, length in _pieces(source, settings):
        piece = replace(settings, start=start, duration=length, audio="none", audio_track=None, effort="fast")
        for region, measured in found.items():
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                report = encode(source, cast(BinaryIO, file), replace(piece, region=region))
                _rewind(source)
                if report.duration < _LEAST_SECONDS:
                    return "full"
                file.seek(0)
                far = _mean_distance(source, file, piece, distance)
                _rewind(source)
                measured.append((far, report.kbps["video"]))
    (full, full_kbps), (frames, frames_kbps) = (np.mean(pairs, 0).tolist() for pairs in found.values())
    price = _PRICE * worth_at(settings.quality)
    cheaper = full + price * full_kbps <= frames + price * frames_kbps
    no_worse = full * full_kbps**_SLOPE <= frames * frames_kbps**_SLOPE
    return "full" if cheaper and no_worse else "frames"


def _pieces(source: Any, settings: EncodeSettings) -> list[tuple[float, float]]:
    """Start and length, in seconds, of what is tried: the beginning and, of a longer video, a later piece."""
    start = settings.start or 0.0
    with open_source(source, settings, sound=False) as reader:
        whole = reader.video.duration
    _rewind(source)
    left = min(whole - start if whole else _SECONDS, settings.duration or math.inf)
    first = start, min(_SECONDS, left)
    if left < _SECONDS + _LEAST_SECONDS:
        return [first]
    later = max(_SECONDS, min(_LATER * left, left - _SECONDS))
    return [first, (start + later, min(_SECONDS, left - later))]


def _rewind(source: Any) -> None:
    if hasattr(source, "seek"):
        source.seek(0)


def _mean_distance(source: Any, coded: IO[bytes], settings: EncodeSettings, distance: WholeDistance) -> float:
    """Mean distance of what a file decodes to from the source, at the source's size."""
    coded_reader = NfcReader(cast(BinaryIO, coded))
    header = coded_reader.header
    options = DecodeOptions(model=settings.model, device=settings.device, threads=settings.threads or None)
    side = find(settings.model, "motion").size
    with open_source(source, settings, sound=False) as reader:
        step = max(1, round(float(reader.video.fps) / _LOOKS_A_SECOND))
        frames = Framing(reader, side, replace(settings, region="frames")).frames()
        originals = (frame.square for frame in frames)
        looked = []
        for original, decoded in beside(originals, every_nth(coded_reader, options, step)):
            whole = decoded if header.layered else crop(decoded, header.content())
            looked.append(distance(resize(whole, header.width, header.height), Original(original)))
    return float(np.mean(looked)) if looked else 0.0
