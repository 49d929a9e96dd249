"""Times: of frames, of whole files, and of what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from neurocodec.format.block import Block
from neurocodec.format.header import Header


def end_of(block: Block, k: int, header: Header) -> int:
    """When frame ``k`` (or, from the end, -1) of a block ends."""
    k %= len(block.pts)
    if k + 1 < len(block.pts):
        return block.pts[k + 1]
    number = block.first_frame + k
    return block.pts[k] + max(1, header.regular_pts(number + 1) - header.regular_pts(number))


def seconds_of(pts: int, header: Header) -> float:
    """Seconds since the first frame."""
    return float((pts - header.start) * header.time_base)


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


def playing_time(header: Header, first: int, last: int, step: int) -> float:
    """Seconds from the first picture to the end of the last one.

    The last one is shown for one frame at the file's rate, or for as long as the one before it (``step``,
    0 if there is none) where that was shorter.
    """
    tail = 1 / header.fps
    if step:
        tail = min(tail, step * header.time_base)
    return float((last - first) * header.time_base + tail)


def rates(sizes: dict[str, int], duration: float) -> dict[str, float]:
    """kbit/s of the whole file and of everything but the sound."""
    scale = 8 / 1000 / duration
    return {"total": sizes["total"] * scale, "video": (sizes["total"] - sizes["audio"]) * scale}
