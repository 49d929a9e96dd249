"""A part of a media file: which of its pictures and sound packets are in it, and a quick way to its start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from neurocodec.media.picture import VideoPicture
from neurocodec.media.timeline import FALL, LEAP
from neurocodec.media.types import AudioPacket

RUN_IN = Fraction(1, 2)
"""Seconds before the start from which on sound is decoded, which begins well only after some packets."""
_SOUND_LATER = 10
"""Seconds of pictures behind the end in which sound from before it may still come."""
_SEEKABLE = frozenset(("mov", "matroska"))
"""Containers whose index leads to the very picture; others are read from their beginning."""


def seconds_in(whole: float, start: float | None, duration: float | None) -> float:
    """How long a part of a file of ``whole`` seconds is."""
    left = max(0.0, whole - (start or 0))
    return left if duration is None else min(left, duration)


def fraction_of(seconds: float) -> Fraction:
    """Seconds as a user means them, to the microsecond."""
    return Fraction(seconds).limit_denominator(10**6)


@dataclass(frozen=True)
class Part:
    """From ``start`` to before ``end``, in seconds on the reader's clock; None: the file's own."""

    start: Fraction | None = None
    end: Fraction | None = None

    @staticmethod
    def of(start: float | None, duration: float | None, first: Fraction) -> Part:
        """As a user names it, from the first picture on, which is shown at ``first`` seconds."""
        begin = first + fraction_of(start or 0)
        end = None if duration is None else begin + fraction_of(duration)
        return Part(None if start is None else begin, end)

    @property
    def is_some(self) -> bool:
        """Whether this is not all of a file."""
        return self != Part()

    def of_items(
        self, items: Iterator[VideoPicture | AudioPacket], tick: Fraction, sound_tick: Fraction | None
    ) -> Iterator[VideoPicture | AudioPacket]:
        """The pictures that are on screen in the part, and the packets whose middle is in it.

        ``tick``: seconds a unit of the pictures' timestamps; ``sound_tick``: of the packets', None where
        sound has been cut already. A picture that is on screen when the part begins begins with it. Ends
        soon after the end of the part.
        """
        start = None if self.start is None else round(self.start / tick)
        end = None if self.end is None else round(self.end / tick)
        late = None if end is None else end + round(_SOUND_LATER / tick)
        before: VideoPicture | None = None
        for item in items:
            if isinstance(item, AudioPacket):
                if sound_tick is None or self._hears(item, sound_tick):
                    yield item
                continue
            if start is not None and item.pts <= start:
                before = item
                continue
            if before is not None and start is not None:
                yield before.begun_at(start)
                before = None
            if late is not None and item.pts >= late:
                break
            if end is None or item.pts < end:
                yield item
        if before is not None and start is not None and before.pts + before.duration > start:
            yield before.begun_at(start)

    def _hears(self, packet: AudioPacket, tick: Fraction) -> bool:
        middle = (packet.pts + packet.duration // 2) * tick
        return (self.start is None or middle >= self.start) and (self.end is None or middle < self.end)


def has_exact_index(container: Any) -> bool:
    """Whether a seek in a container leads to a picture that can be decoded, at or before the time."""
    return bool(_SEEKABLE & set(container.format.name.split(",")))


def is_whole_until(container: Any, stream: Any, seconds: Fraction) -> bool:
    """Whether the clock of a track has no break before a time on it; reads its packets up to there."""
    tick = Fraction(stream.time_base)
    last: int | None = None
    try:
        for packet in container.demux(stream):
            if packet.dts is None:
                continue
            step = 0 if last is None else (packet.dts - last) * tick
            if not -FALL < step < LEAP:
                return False
            last = packet.dts
            if last * tick >= seconds:
                return True
    except (av.FFmpegError, OSError, ValueError):
        pass
    return False
