"""Repair of presentation timestamps."""

from __future__ import annotations

from fractions import Fraction

JUMP_SECONDS = 1
"""Timestamps that fall by more than this are a break in the clock."""


class TimestampChoice:
    """Chooses between the presentation and the decoding timestamp of decoded frames.

    Containers without presentation timestamps (AVI) yield guessed ones that can be out of order; then the
    decoding timestamps, which decoders hand through in output order, tell the truth. As in FFmpeg, the kind
    that has gone wrong less often so far is taken. In an AVI FFmpeg's guess, which it shows, puts pictures of
    H.264 and all that are reordered too late for the sound; there the decoding timestamps are taken. They are
    those at which a decoder hands a picture out, ``lag`` later than its place in the file.
    """

    def __init__(self, decoding: bool = False, lag: int = 0) -> None:
        """``decoding``: take the decoding timestamps, less ``lag``; None where there are none."""
        self._decoding, self._lag = decoding, lag
        self._faulty_pts = 0
        self._faulty_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None

    def __call__(self, pts: int | None, dts: int | None) -> int | None:
        """Return the timestamp to use for the next frame, None if there is no good one."""
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        if self._decoding:
            return None if dts is None else dts - self._lag
        if pts is not None and self._faulty_pts <= self._faulty_dts:
            return pts
        return dts


class TimestampRepair:
    """Turns what a container says into strictly increasing integer timestamps.

    * A missing timestamp continues one nominal step after the previous one (0 at the start).
    * One that repeats or falls back a little is moved to half a step (at least one tick) after the
      previous one, so that the following correct timestamps are met again.
    * A fall of more than ``jump`` ticks is a break in the clock (spliced or wrapped stream): from there on
      everything is shifted to continue one step after the previous one.
    * Forward gaps stay: they are how variable frame rate and pauses look.
    """

    def __init__(self, step: int, jump: int) -> None:
        """``step``: nominal ticks between two items. ``jump``: ticks from which a fall is a clock break."""
        self._step = max(1, step)
        self._jump = max(1, jump)
        self._last: int | None = None
        self._offset = 0

    def __call__(self, pts: int | None) -> int:
        """Return the repaired timestamp of the next item."""
        last = self._last
        if pts is None:
            fixed = 0 if last is None else last + self._step
        else:
            fixed = pts + self._offset
            if last is not None and fixed <= last:
                if last - fixed > self._jump:
                    self._offset += last + self._step - fixed
                    fixed = last + self._step
                else:
                    fixed = last + max(1, self._step // 2)
        self._last = fixed
        return fixed


class CopyClock:
    """Timestamps of copied packets in a finer time base, freed of the container's rounding.

    A timestamp within one container tick of where the previous packet ended is taken to be exactly there,
    and a duration within one tick of the codec's frame size to be exactly that.
    """

    def __init__(self, source: Fraction, target: Fraction, frame_size: int) -> None:
        """``source``, ``target``: seconds a tick. ``frame_size``: target ticks a packet, 0 if unknown."""
        self._scale = source / target
        self._slack = max(1, int(self._scale) + 1)
        self._frame_size = frame_size
        self._repair = TimestampRepair(frame_size or 1, max(1, round(JUMP_SECONDS / target)))
        self._expected: int | None = None

    def __call__(self, pts: int | None, duration: int) -> tuple[int, int]:
        """Start and duration of the next packet in target ticks, from those in source ticks."""
        length = round(duration * self._scale)
        size = self._frame_size
        if size and (length <= 0 or (self._scale > 1 and abs(length - size) <= self._slack)):
            length = size
        expected = self._expected
        start = expected if pts is None else round(pts * self._scale)
        if start is not None and expected is not None and abs(start - expected) <= self._slack:
            start = expected
        fixed = self._repair(start)
        self._expected = fixed + length if length > 0 else None
        return fixed, length
