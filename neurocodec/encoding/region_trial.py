"""Full picture or whole frames?  Both are tried where one head fills the picture, and measured.

The model renders a head that fills the picture from few bytes; where it turns a lot, or the camera moves, a
layer of AV1 is the better bargain.  So a piece of it is coded in both ways, and where that leaves a doubt a
later one too.  The full picture is taken where it is cheaper, by distance and bytes together, and no worse
for its bytes than whole frames for theirs; and without another look where a small one takes so few bytes
that hardly anything moves.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from neurocodec.decoding.samples import beside, every_nth
from neurocodec.encoding.framing import Framing
from neurocodec.encoding.layer_search import worth_at
from neurocodec.encoding.opening import open_source
from neurocodec.encoding.region_choice import SMALL
from neurocodec.encoding.whole_distance import Original, WholeDistance
from neurocodec.format.reader import NfcReader
from neurocodec.media.square import crop, resize
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_FEEDBACK, DecodeOptions, EncodeSettings

_SECONDS, _LEAST_SECONDS = 5.0, 2.0
"""How much is tried, and below which the full picture is not doubted."""
_LATER, _ENOUGH = 0.6, 3.0
"""Where the second piece begins, in parts of the video: what moves may begin to move later.  And of how many
seconds that are left there is one."""
_LOOKS_A_SECOND = 2.5
_PRICE = 3.0
"""What a bit costs here, in prices of :mod:`neurocodec.encoding.layer_search`: as much as it costs where the
model's own references are placed (:func:`neurocodec.options.price_at`)."""
_SLOPE = 0.5
"""By this power of the rate the distance of a video falls, about."""
_ALLOWANCE, _AS_THEY_ARE = 0.6, 0.8
"""What the distance of whole frames counts here, and where the fast effort is what is asked for.

They are coded at that, and at the default come out at .77 of its distance for the same rate; and our distance
sees less of what is wrong with a rendering: .66 to 1.07 of LPIPS, of whole frames .81 to 1.2
(docs/experiments.md).
"""
_CLEAR = 1.3
"""Where one way costs so much of the other for the first piece, no later one is tried."""
_CALM, _CALM_BEGINNING = 8.0, 7.0
"""Kbit/s at a quality of 50 that a small full picture takes at most where whole frames are not tried: of 13
training clips, all but one of those that were clearly better in them took 8 and more.  Where the beginning
takes less still, no later piece is tried."""
Encode = Callable[[Any, BinaryIO, EncodeSettings], Any]


@dataclass(frozen=True)
class Beginning:
    """The first seconds of a source as its full picture was coded: a file, kbit/s without sound, seconds."""

    file: bytes
    kbps: float
    seconds: float


def better_region(
    source: Any, settings: EncodeSettings, encode: Encode, beginning: Beginning | None = None
) -> str:
    """``full`` or ``frames``: the better bargain for some seconds of a source.

    ``encode`` encodes a source, which can be read again, into a file with settings whose region is either.
    A ``beginning`` that is there already is not coded again.

    Raises:
        NeurocodecError: as encoding and decoding have it.
    """
    fast = settings.effort == "fast"
    small, places = _pieces(source, settings)
    places = places[:1] if fast else places
    calm = _calm_at(settings.quality) if small else 0.0
    distance = WholeDistance(DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), settings.device))
    pieces: list[_Piece] = []
    ratio = 1.0
    for start, length in places:
        last = len(pieces) == len(places) - 1
        piece = _Piece(source, settings, encode, start, length)
        if beginning and not pieces:
            piece.take(beginning)
        else:
            piece.code("full")
        if piece.seconds < _LEAST_SECONDS:
            return "full"
        pieces.append(piece)
        if np.mean([p.kbps["full"] for p in pieces]) <= (_CALM if last else _CALM_BEGINNING) * calm:
            return "full"
        piece.code("frames")
        piece.measure(distance)
        ratio = _costs_of_frames(pieces, settings.quality, _AS_THEY_ARE if fast else _ALLOWANCE)
        if not 1 / _CLEAR <= ratio <= _CLEAR:
            break
    return "frames" if ratio < 1 else "full"


def _costs_of_frames(pieces: list[_Piece], quality: float, allowance: float) -> float:
    """What whole frames cost where the full picture costs one: by price or by the curve, if that is less."""
    full, full_kbps, frames, frames_kbps = (
        float(np.mean([figures[region] for figures in found]))
        for region in ("full", "frames")
        for found in ([p.far for p in pieces], [p.kbps for p in pieces])
    )
    frames *= allowance
    price = _PRICE * worth_at(quality)
    by_price = (frames + price * frames_kbps) / (full + price * full_kbps)
    by_curve = frames * frames_kbps**_SLOPE / (full * full_kbps**_SLOPE) if full else 1.0
    return min(by_price, by_curve)


class _Piece:
    """Some seconds of a source, coded in both ways; ``kbps`` and mean distance ``far`` are by region."""

    def __init__(
        self, source: Any, settings: EncodeSettings, encode: Encode, start: float, length: float
    ) -> None:
        self._source, self._encode = source, encode
        self._settings = replace(
            settings, start=start, duration=length, audio="none", audio_track=None, effort="fast"
        )
        self._files: dict[str, io.BytesIO] = {}
        self.kbps: dict[str, float] = {}
        self.far: dict[str, float] = {}
        self.seconds = 0.0

    def code(self, region: str) -> None:
        """Code it in one way."""
        file = io.BytesIO()
        report = self._encode(self._source, file, replace(self._settings, region=region))
        _rewind(self._source)
        file.seek(0)
        self._files[region], self.kbps[region] = file, report.kbps["video"]
        self.seconds = report.duration

    def take(self, beginning: Beginning) -> None:
        """What its full picture was coded into."""
        self._files["full"], self.kbps["full"] = io.BytesIO(beginning.file), beginning.kbps
        self.seconds = beginning.seconds
        self._settings = replace(self._settings, duration=beginning.seconds)

    def measure(self, distance: WholeDistance) -> None:
        """Find the distances of what it was coded into."""
        for region, file in self._files.items():
            self.far[region] = _mean_distance(self._source, file, self._settings, distance)
            _rewind(self._source)


def _calm_at(quality: float) -> float:
    """How rates change with quality, about: 1 at 50."""
    return float(10 ** ((quality - 50) / 75))


def _pieces(source: Any, settings: EncodeSettings) -> tuple[bool, list[tuple[float, float]]]:
    """Whether the picture is small; start and length, in seconds, of what is tried of a source.

    That is the beginning and, of a longer video, a later piece.
    """
    start = settings.start or 0.0
    with open_source(source, settings, sound=False) as reader:
        whole = reader.video.duration
        small = max(reader.video.width, reader.video.height) <= SMALL
    _rewind(source)
    left = min(whole - start if whole else _SECONDS, settings.duration or math.inf)
    first = start, min(_SECONDS, left)
    if left < _SECONDS + _ENOUGH:
        return small, [first]
    later = max(_SECONDS, min(_LATER * left, left - _SECONDS))
    return small, [first, (start + later, min(_SECONDS, left - later))]


def _rewind(source: Any) -> None:
    if hasattr(source, "seek"):
        source.seek(0)


def _mean_distance(source: Any, coded: BinaryIO, settings: EncodeSettings, distance: WholeDistance) -> float:
    """Mean distance of what a file decodes to from the source, at the source's size."""
    coded_reader = NfcReader(coded)
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
