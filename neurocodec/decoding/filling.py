"""What stands in for what a file lacks: held pictures where it is damaged, and silence.

A lost frame shows the last picture before it (at the start of a file, the first one after), at its own
time, so that the number of frames, the duration and the sound's place stay what they were.  Gaps between Opus
packets become packets of silence, whether these were lost or the encoder left them out; other sound keeps its
timestamps, and players pause it by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from neurocodec.format.block import SoundPacket
from neurocodec.format.header import AudioTrack, Header
from neurocodec.format.times import Gap
from neurocodec.media.silence import opus_silence
from neurocodec.types import Picture

MOST_HELD = 18_000
"""Frames put in place of lost ones in one file; behind that, a picture just stays until the next."""
_MOST_SILENT = 1_000_000
"""Packets of silence put into one file; behind that, the sound pauses."""


def silence(track: AudioTrack) -> bytes | None:
    """An Opus packet of silence as long as the track's usual one; None for other codecs and lengths."""
    length = track.packet_duration * track.time_base * 48000
    return opus_silence(int(length)) if track.codec == "opus" and length.denominator == 1 else None


class _Sound:
    """Puts silence where there are no packets of sound: it was left out, or they were lost."""

    def __init__(self, header: Header) -> None:
        self._usual = header.audio.packet_duration if header.audio else 0
        self._silence = silence(header.audio) if header.audio else None
        self._expected: int | None = None
        self._left = _MOST_SILENT

    def fill(self, packet: SoundPacket) -> Iterator[SoundPacket]:
        """Silence between the packet before and ``packet``; then the packet."""
        if self._expected is not None and self._silence is not None:
            count = max(0, min((packet.pts - self._expected) // self._usual, self._left))
            self._left -= count
            for k in range(count):
                yield SoundPacket(self._silence, self._expected + k * self._usual, self._usual)
        self._expected = packet.pts + packet.duration
        yield packet


def fill(
    items: Iterable[Any], header: Header, report: Any = None
) -> Iterator[tuple[int, Picture] | SoundPacket]:
    """Pictures with timestamps and sound packets, with every gap filled; ``report.held`` counts pictures."""
    waiting: list[Gap] = []
    held: Picture | None = None
    left = MOST_HELD
    sound = _Sound(header)
    for item in items:
        if isinstance(item, SoundPacket):
            yield from sound.fill(item)
            continue
        if isinstance(item, Gap):
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
