"""Stretches spread over a long file that are coded in its place, and what they say of the whole.

They are coded one behind the other as a recording of their own (:mod:`neurocodec.media.montage`), so that
what a section of a file begins with, an independent reference or a key picture, is paid for once and not by
every stretch.  Even so it weighs more in samples than in the file; the first block is counted by itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import IO, Any, BinaryIO, cast

from neurocodec.encoding.coded_distance import Seen, looked_at
from neurocodec.encoding.encoder import encode_opened
from neurocodec.encoding.goal import Goal, Outcome
from neurocodec.encoding.opening import open_source
from neurocodec.encoding.rewinding import IN_MEMORY
from neurocodec.encoding.section import LONGEST_SECTION
from neurocodec.format.block import BLOCK_SECONDS
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.media.montage import Montage
from neurocodec.media.reader import MediaReader
from neurocodec.options import EncodeSettings
from neurocodec.types import Progress

LONG = 120.0
"""Seconds from which on a file is long: samples are a sixth of it at most, and pay."""
_FEWEST, _MOST = 4, 12
"""Stretches of a block; as many as there are make a section of a minute, the usual one."""
_PART = 10
"""Of a file, one in so many seconds is coded, where that makes neither fewer nor more stretches."""


def sample_starts(seconds: float) -> list[float]:
    """Seconds at which the samples of a file begin; none where it is too short for samples to pay."""
    if seconds < LONG:
        return []
    count = min(max(round(seconds / (_PART * BLOCK_SECONDS)), _FEWEST), _MOST)
    return [(k + 0.5) * seconds / count - BLOCK_SECONDS / 2 for k in range(count)]


def seconds_of(reader: MediaReader, progress: Progress | None = None) -> float:
    """How long what is read plays; read to its end where its container does not say."""
    if reader.video.duration:
        return reader.video.duration
    first = last = 0
    for k, picture in enumerate(reader):
        first, last = picture.pts if not k else first, picture.pts
        if progress:
            progress(k + 1, None)
    return float((last - first + reader.last_duration) * reader.video.time_base)


class Samples:
    """Codes the samples of a source.

    Args:
        again: gives the source from its start.
        settings: of the encode, but for the quality.
        seconds: how long the source plays.
        starts: see :func:`sample_starts`.
    """

    def __init__(
        self, again: Callable[[], Any], settings: EncodeSettings, seconds: float, starts: list[float]
    ) -> None:
        self._again, self._settings, self._seconds, self._starts = again, settings, seconds, starts

    def outcome(self, settings: EncodeSettings, goal: Goal, progress: Progress | None = None) -> Outcome:
        """What the whole will come to with these settings, in what the goal asks for.

        Raises:
            NeurocodecError: as :func:`~neurocodec.encoding.encoder.encode_stream` has it; an InputError too
                where a stretch lies behind the real end of the source.
        """
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as out:
            with self._montage() as montage:
                report = encode_opened(montage, cast(BinaryIO, out), settings, progress)
            out.seek(0)
            coded = Outcome.of(report)
            scale = self._seconds / coded.seconds
            period = settings.reference_period
            if settings.region == "frames":
                period = min(period, LONGEST_SECTION)
            video = _whole_video(_video_by_block(out), self._seconds, period)
            video += report.bytes["overhead"] * scale
            seen = Seen()
            if goal.is_distance:
                out.seek(0)
                with self._montage(sound=False) as montage:
                    seen = looked_at(montage, out, settings)
        return Outcome(self._seconds, video, coded.sound * scale, goal.distance(seen))

    def _montage(self, sound: bool = True) -> Montage:
        settings = self._settings

        def open_part(start: float, duration: float | None) -> MediaReader:
            begin = settings.start
            if start or begin is not None:
                begin = (begin or 0) + start
            length = settings.duration if duration is None else duration
            return open_source(self._again(), replace(settings, start=begin, duration=length), sound=sound)

        return Montage(open_part, self._starts, Fraction(BLOCK_SECONDS))


def _video_by_block(coded: IO[bytes]) -> list[int]:
    """Bytes of each block but for its sound and what the format adds; what holds sound alone is no block."""
    items = NfcReader(cast(BinaryIO, coded))
    blocks = (item[0] for item in items if not isinstance(item, Loss))
    return [sum(n for kind, n in b.payload_bytes.items() if kind != "audio") for b in blocks if b.pts]


def _whole_video(blocks: list[int], seconds: float, period: float) -> float:
    """Bytes of a whole that plays so many seconds, from those of the blocks of its samples.

    A whole begins anew each ``period`` (seconds), samples that are shorter more often for their length.  Not
    all that a beginning costs is in its first block; beginnings are counted half-way between the two.
    """
    count = seconds / BLOCK_SECONDS
    often = count / max(1, len(blocks))
    if len(blocks) < 2 or len(blocks) * BLOCK_SECONDS >= period:
        return sum(blocks) * often
    first, *others = blocks
    begins = (often + min(max(1.0, seconds / period), count)) / 2
    return begins * first + (count - begins) * sum(others) / len(others)
