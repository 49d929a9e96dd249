"""One time line for all tracks of a file whose clock breaks.

Recordings that were joined (``cat a.ts b.ts``), counters that wrap or that were set: from one packet to the
next a clock falls, or leaps ahead.  Each track seen for itself would be closed up at its own end, and sound
and pictures part at every such place.  Here the whole file is: a new *piece* begins, whose tracks keep their
distances, and it is moved as a whole to where the piece before it ends.

Tracks lie interleaved, and a container may hold a packet back, so packets of the piece before may come after
the first one of the next.  They are told apart by which clock is nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

FALL = Fraction(1, 5)
"""Decoding times never fall; by less than this many seconds they do, where a container rounds or guesses."""
LEAP = Fraction(3600)
"""Seconds by which a clock may run ahead: a picture may stay for long."""
LEAP_WHERE_CLOCKS_BREAK = Fraction(10)
"""The same in formats whose clocks may break anywhere (transport streams), as FFmpeg has it."""
_OVERLAP = Fraction(1, 10)
"""Seconds of sound beyond the last picture of a piece that give way to the next piece."""
_STOPPED = 1
"""Seconds after which a track that brings nothing is taken to have ended."""
_HELD_SECONDS, _HELD_PACKETS, _HELD_BYTES = 2, 512, 1 << 24
"""How much is read to see where the tracks of a new piece begin."""


@dataclass
class _Seen:
    """Of one track in one piece, in seconds on the piece's clock."""

    first: Fraction
    last: Fraction
    after: Fraction
    """When the next packet is to be decoded."""
    end: Fraction
    """Until when something is shown or heard."""


@dataclass
class _Piece:
    """``offset``: what is added to its times; None until that is known."""

    offset: Fraction | None = None
    seen: dict[int, _Seen] = field(default_factory=dict)

    @property
    def clock(self) -> Fraction:
        """The newest time."""
        return max((s.last for s in self.seen.values()), default=Fraction(0))

    def see(self, track: int, time: Fraction, shown: Fraction, duration: Fraction) -> None:
        """A packet of a track that is decoded at ``time`` and shown at ``shown``."""
        known = self.seen.get(track)
        if known is None:
            self.seen[track] = _Seen(shown, time, time + duration, shown + duration)
            return
        duration = duration or max(Fraction(0), time - known.last)
        known.last, known.after = max(known.last, time), time + duration
        known.end = max(known.end, shown + duration)


class TimeLine:
    """Packets in, the same packets out, in their order, with times that no break of the clock is in.

    Args:
        ticks: seconds a unit of the timestamps, by index of the track.
        main: index of the track of the pictures.
        leap: seconds by which a clock may run ahead.

    ``breaks`` are the times, on the line, at which pieces were joined.
    """

    def __init__(self, ticks: Mapping[int, Fraction], main: int, leap: Fraction = LEAP) -> None:
        self._ticks, self._main, self._leap = ticks, main, leap
        self._old: _Piece | None = None
        self._new = _Piece(Fraction(0))
        self._held: list[Any] = []
        self._held_bytes = 0
        self.breaks: list[Fraction] = []

    def __call__(self, packets: Iterator[Any]) -> Iterator[Any]:
        """The packets of the chosen tracks."""
        for packet in packets:
            track = packet.stream_index
            if packet.dts is None:
                piece = self._old if self._old and track not in self._new.seen else self._new
            else:
                tick = self._ticks[track]
                time = packet.dts * tick
                if self._ends_newest(track, time):
                    yield from self._released()
                    self._old, self._new = self._new, _Piece()
                piece = self._piece_of(track, time)
                shown = time if packet.pts is None else packet.pts * tick
                length = (packet.duration or 0) * tick  # MP4 takes a leap for a long picture
                piece.see(track, time, shown, length if length <= self._leap else Fraction(0))
            if piece.offset is not None:
                yield self._moved(packet, piece.offset)
                continue
            self._held.append(packet)
            self._held_bytes += packet.size
            if self._is_known():
                yield from self._released()
        yield from self._released()

    def _ends_newest(self, track: int, time: Fraction) -> bool:
        """Whether a packet at ``time`` is not of the newest piece although its track was."""
        seen = self._new.seen.get(track)
        if seen is None:
            return False
        if time < seen.last - FALL:
            return True
        others = [s.last for k, s in self._new.seen.items() if k != track]
        return time - seen.last > self._leap and all(time - o > self._leap for o in others)

    def _piece_of(self, track: int, time: Fraction) -> _Piece:
        old, new = self._old, self._new
        if old is None or track in new.seen or track not in old.seen or not new.seen:
            return new
        before = old.seen[track]
        if time <= before.last or time - before.last > self._leap:
            return new
        expected = before.after if before.after >= old.clock - _STOPPED else old.clock
        in_new = new.clock - (old.clock - expected)
        return old if abs(time - expected) <= abs(time - in_new) else new

    def _is_known(self) -> bool:
        """Whether enough was read of the newest piece to say where it begins."""
        old, new = self._old, self._new
        assert old is not None
        going = [k for k, s in old.seen.items() if s.after >= old.clock - _STOPPED]
        return (
            all(k in new.seen for k in going)
            or new.clock - min(s.first for s in new.seen.values()) > _HELD_SECONDS
            or len(self._held) > _HELD_PACKETS
            or self._held_bytes > _HELD_BYTES
        )

    def _released(self) -> Iterator[Any]:
        """Say where the newest piece begins, if that is open, and hand out its packets."""
        old, new = self._old, self._new
        if new.offset is None and old is not None and old.offset is not None:
            # by so much a track of the new piece must be moved to begin where it ended in the old one
            moves = {k: old.seen[k].end - s.first for k, s in new.seen.items() if k in old.seen}
            furthest = max(moves.values())
            shown = moves.get(self._main, furthest)
            new.offset = old.offset + (furthest if furthest - shown > _OVERLAP else shown)
            begin = new.seen.get(self._main) or min(new.seen.values(), key=lambda s: s.first)
            self.breaks.append(new.offset + begin.first)
        held, self._held, self._held_bytes = self._held, [], 0
        for packet in held:
            yield self._moved(packet, new.offset or Fraction(0))

    def _moved(self, packet: Any, offset: Fraction) -> Any:
        if offset:
            shift = round(offset / self._ticks[packet.stream_index])
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.pts = None if packet.pts is None else packet.pts + shift
        return packet
