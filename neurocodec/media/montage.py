"""Stretches of a media file, one behind the other, as if they were a recording of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from types import TracebackType

from neurocodec.format.description import Description
from neurocodec.media.part import fraction_of
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket

OpenPart = Callable[[float, float | None], MediaReader]
"""Opens what is read, from so many seconds after its beginning on, for so many seconds (None: to the end)."""


class Montage:
    """The pictures and sound packets of stretches of a file; a :class:`~neurocodec.media.source.MediaSource`.

    They come on a clock of their own, which begins at zero.  Where a seek is exact, each stretch is gone to;
    other files are read through once.  One reader is open at a time.

    Args:
        open_part: opens the file.
        starts: seconds at which the stretches begin, in order; they must not overlap.
        length: of each, in seconds.

    Raises:
        NeurocodecError: as :class:`~neurocodec.media.reader.MediaReader` has it.
    """

    def __init__(self, open_part: OpenPart, starts: Sequence[float], length: Fraction) -> None:
        self._open, self._starts, self._length = open_part, [fraction_of(s) for s in starts], length
        self._reader = open_part(float(self._starts[0]), float(length))
        self._seeks = self._reader.seeks_exactly
        if not self._seeks:
            self._reader.close()
            self._reader = open_part(0, None)
        seconds = len(starts) * length
        video = self._reader.video
        self.video = replace(video, duration=float(seconds), frames=round(seconds * video.fps))
        self.audio, self.name = self._reader.audio, self._reader.name
        self.sound_tracks = self._reader.sound_tracks
        self.description, self.shortened = Description(), list[str]()
        self.begin, self.skipped = Fraction(0), 0
        self.last_duration = 0
        """Nothing is known of the last picture of a stretch."""
        self.breaks: tuple[float, ...] = ()

    def __enter__(self) -> Montage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    @property
    def framed(self) -> bool:
        """As the reader has it."""
        return self._reader.framed

    @property
    def interlaced(self) -> bool:
        """As the reader has it."""
        return self._reader.interlaced

    def __iter__(self) -> Iterator[VideoPicture | AudioPacket]:
        if not self._seeks:
            yield from self._of(self._reader, self._starts, 0)
            return
        for k, start in enumerate(self._starts):
            if k:
                self._reader = self._open(float(start), float(self._length))
            with closing(self._reader):
                yield from self._of(self._reader, [Fraction(0)], k)

    def _of(
        self, reader: MediaReader, starts: Sequence[Fraction], place: int
    ) -> Iterator[VideoPicture | AudioPacket]:
        """What a reader has of the stretches that begin at ``starts`` in it; number ``place`` and more."""
        tick, sound_tick = reader.video.time_base, reader.audio.time_base if reader.audio else Fraction(1)
        ends = [start + self._length for start in starts]
        waited_for = {False, True} if reader.audio else {False}
        for item in reader:
            heard = isinstance(item, AudioPacket)
            at = item.pts * (sound_tick if heard else tick) - reader.begin
            middle = at + item.duration * sound_tick / 2 if heard else at
            k = next((k for k, end in enumerate(ends) if middle < end), None)
            if k is None:  # behind all of them; the other kind may still be short of their end
                waited_for.discard(heard)
                if not waited_for:
                    return
                continue
            if middle < starts[k]:
                continue
            moved = at - starts[k] + (place + k) * self._length
            if isinstance(item, AudioPacket):
                yield replace(item, pts=round(moved / sound_tick))
            else:
                yield item.at(round(moved / tick))
