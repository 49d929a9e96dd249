"""What stands in for what a damaged file lacks: held pictures, and silence.

A lost frame shows the last picture before it (at the start of a file, the first one after), at its own
time, so that the number of frames, the duration and the sound's place stay what they were.  Lost Opus packets
become packets of silence; other sound keeps its timestamps, and players pause it by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from neurocodec.format.block import SoundPacket
from neurocodec.format.header import AudioTrack, Header
from neurocodec.format.times import Gap
from neurocodec.types import Picture

MOST_HELD = 18_000
"""Frames put in place of lost ones in one file; behind that, a picture just stays until the next."""
_MOST_SILENT = 100_000
_SAMPLES = (960, 480, 240, 120)
"""Durations of a CELT frame in 1/48000 s; Opus's configurations 31 down to 28 (RFC 6716, section 3.1)."""


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
