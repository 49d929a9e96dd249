"""What a damaged file lacks: which frames, which seconds; and what is put in their place.

A lost frame shows the last picture before it (at the start of a file, the first one after), at its own
time, so that the number of frames, the duration and the sound's place stay what they were.  Lost Opus packets
become packets of silence; other sound keeps its timestamps, and players pause it by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocodec.block import SoundPacket
from neurocodec.header import AudioTrack, Header

Picture = NDArray[np.uint8]
MOST_HELD = 18_000
"""Frames put in place of lost ones in one file; behind that, a picture just stays until the next."""
_MOST_SILENT = 100_000
_SAMPLES = (960, 480, 240, 120)
"""Durations of a CELT frame in 1/48000 s; Opus's configurations 31 down to 28 (RFC 6716, section 3.1)."""


@dataclass(frozen=True)
class Gap:
    """Frames that are lost, and when each of them would be shown (units of the video's time base)."""

    pts: Iterable[int]
    start: int
    end: int


class _Regular:
    """Timestamps of the frames ``numbers`` by the header's rate, from ``low`` to before ``high``."""

    def __init__(self, header: Header, numbers: range, low: int, high: int | None) -> None:
        self._header, self._numbers, self._low, self._high = header, numbers, low, high

    def __iter__(self) -> Iterator[int]:
        last = self._low - 1
        for number in self._numbers:
            pts = max(self._header.regular_pts(number), last + 1)
            if self._high is not None and pts >= self._high:
                return
            last = pts
            yield pts


class Timeline:
    """Notices frames that are missing between blocks.

    ``expected`` is the number of the first frame that is wanted; frames on screen before ``start`` or from
    ``end`` on (timestamps, or None) are not missed.
    """

    def __init__(self, header: Header, expected: int = 0, start: int | None = None, end: int | None = None):
        self._header, self._start, self._end = header, start, end
        self.expected = expected
        self._last: int | None = None

    def until(self, number: int, pts: int | None = None) -> Iterator[Gap]:
        """The gap before frame ``number``, which is shown at ``pts``, if there is one."""
        numbers = range(self.expected, number)
        self.expected = max(self.expected, number)
        first, last = self._wanted(numbers)
        if first >= last:
            return
        low = self._header.regular_pts(first)
        if self._start is not None:
            low = max(low, self._start)
        if self._last is not None:
            low = max(low, self._last + 1)
        high = self._header.regular_pts(last) if pts is None else pts
        if self._end is not None:
            high = min(high, self._end)
        if low < high:
            yield Gap(_Regular(self._header, range(first, last), low, high), low, high)

    def _wanted(self, numbers: range) -> tuple[int, int]:
        """The frames of ``numbers`` that are on screen in the wanted part, as first and end."""
        first, last = numbers.start, max(numbers.start, numbers.stop)
        if self._start is not None:
            first = self._search(first, last, self._start + 1) - 1 if first < last else first
            first = max(first, numbers.start)
            if first < last and self._header.regular_pts(first + 1) <= self._start:
                first += 1
        if self._end is not None:
            last = self._search(first, last, self._end)
        return first, last

    def _search(self, low: int, high: int, pts: int) -> int:
        """The first frame from ``low`` to ``high`` whose regular timestamp is at least ``pts``."""
        while low < high:
            middle = (low + high) // 2
            if self._header.regular_pts(middle) >= pts:
                high = middle
            else:
                low = middle + 1
        return low

    def seen(self, first: int, pts: tuple[int, ...]) -> None:
        """A block of frames from number ``first`` on has come."""
        self.expected = max(self.expected, first + len(pts))
        if pts:
            self._last = pts[-1] if self._last is None else max(self._last, pts[-1])


class LostSeconds:
    """Collects stretches of time, in seconds; those that touch become one."""

    def __init__(self) -> None:
        self.stretches: list[tuple[float, float]] = []

    def add(self, start: float, end: float) -> None:
        """From ``start`` to before ``end``."""
        if self.stretches and start <= self.stretches[-1][1] + 1e-9:
            before, last = self.stretches[-1]
            self.stretches[-1] = min(before, start), max(last, end)
        elif len(self.stretches) < 1000:
            self.stretches.append((start, end))

    def rounded(self) -> list[list[float]]:
        """Pairs of seconds, to the millisecond."""
        return [[round(a, 3), round(b, 3)] for a, b in self.stretches]


def silence(track: AudioTrack) -> bytes | None:
    """An Opus packet of silence as long as the track's usual one; None for other codecs and lengths.

    RFC 6716: CELT frames whose first symbol is the silence flag, in a packet of code 0 (one frame) or 3.
    """
    length = track.packet_duration * track.time_base * 48000
    if track.codec != "opus" or length.denominator != 1 or not 120 <= length <= 5760:
        return None
    base = next((n for n in _SAMPLES if length % n == 0), None)
    if base is None:
        return None
    count, config = int(length) // base, 31 - _SAMPLES.index(base)
    if count == 1:
        return bytes([config << 3, 0xFF, 0xFE])
    return bytes([config << 3 | 3, count]) + b"\xff\xfe" * count


class _Sound:
    """Puts silence where packets of sound were lost."""

    def __init__(self, header: Header) -> None:
        self._usual = header.audio.packet_duration if header.audio else 0
        self._silence = silence(header.audio) if header.audio else None
        self._expected: int | None = None
        self.broken = False

    def fill(self, packet: SoundPacket) -> Iterator[SoundPacket]:
        """Silence before ``packet`` if something was lost since the one before; then the packet."""
        if self.broken and self._expected is not None and self._silence is not None:
            count = min((packet.pts - self._expected) // self._usual, _MOST_SILENT)
            for k in range(count):
                yield SoundPacket(self._silence, self._expected + k * self._usual, self._usual)
        self.broken = False
        self._expected = packet.pts + packet.duration
        yield packet


def fill(
    items: Iterable[Any], header: Header, report: Any = None
) -> Iterator[tuple[int, Picture] | SoundPacket]:
    """Pictures with timestamps and sound packets, with every :class:`Gap` filled; ``report.held`` counts."""
    waiting: list[Gap] = []
    held: Picture | None = None
    left = MOST_HELD
    sound = _Sound(header)
    for item in items:
        if isinstance(item, SoundPacket):
            yield from sound.fill(item)
            continue
        if isinstance(item, Gap):
            sound.broken = True
            waiting.append(item)
            if held is None:
                continue
        else:
            held = item[1]
        for gap in waiting:
            for pts in gap.pts:
                if left <= 0:
                    break
                left -= 1
                if report is not None:
                    report.held += 1
                yield pts, held
        waiting.clear()
        if not isinstance(item, Gap):
            yield item
