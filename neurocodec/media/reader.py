"""Reading video and sound from any container FFmpeg understands."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
from av.format import Flags

from neurocodec.errors import InputError, NeurocodecError, UsageError
from neurocodec.files.opening import is_path
from neurocodec.format.description import Description
from neurocodec.media.deinterlace import Deinterlacer
from neurocodec.media.description import SourceDescription
from neurocodec.media.guard import GuardedReader
from neurocodec.media.part import RUN_IN, Part, has_exact_index, is_whole_until, seconds_in
from neurocodec.media.picture import PictureConverter, VideoPicture
from neurocodec.media.sound_source import CopiedSound, ReencodedSound, needs_first_packet
from neurocodec.media.timeline import LEAP, LEAP_WHERE_CLOCKS_BREAK, TimeLine
from neurocodec.media.timestamps import JUMP_SECONDS, TimestampChoice, TimestampRepair
from neurocodec.media.tracks import (
    best_video,
    chosen_audio,
    described_audio,
    frame_rate,
    is_dolby_vision,
    tagged_color,
)
from neurocodec.media.types import AudioInfo, AudioPacket, VideoInfo

AudioMode = Literal["opus", "copy", "none"]

# Compressed bytes that may pass before the first picture (and first sound packet, where needed) must be out:
# so many that are kept for later, and so many that are decoded to nothing, besides what a decoder holds back.
_START_BUDGET = 64 << 20
_REORDERED = 16  # pictures that a decoder may hold back for their order, besides one for each thread
_DEMUXER_OPTIONS = {
    "protocol_whitelist": "none",
    # joined transport streams may number their tracks anew: what follows goes on in the same tracks
    "merge_pmt_versions": "1",
}
# Text and playlist formats: no media files, and some would open other files.
_REFUSED_FORMATS = frozenset(
    ("tty", "hls", "concat", "dash", "ffmetadata", "imf", "xbin", "bin", "adf", "idf")
)


_PRIMING = Fraction(1, 10)
"""Seconds by which sound may begin before the first picture without counting: encoders put silence there."""


class MediaReader:
    """Pictures and sound packets of a media file, in the order of the file, with constant memory.

    ``source`` is a path or a binary file object, seekable or not (an MP4 whose index lies at the end needs
    a seekable one). The best video track is read (default flag first, then size; cover art is skipped) and
    the best audio track, or number ``audio_track`` from 1 on. ``threads``: decoder threads, 0 for automatic.

    ``audio_mode``: ``copy`` hands out the packets as they are (timestamps in ``1/sample_rate`` where the
    rate is known, ADTS headers removed from AAC), ``opus`` decodes and re-encodes them at ``audio_bitrate``
    bit/s (see ``opus_encoder``), ``none`` (or ``audio=False``) ignores sound.

    ``start``, ``duration``: only this part, in seconds from the first picture on. The picture that is on
    screen at its start begins with it; sound is cut to the sample, or to the packet in mode ``copy``. What
    lies before is skipped by a seek where that is exact (MP4, Matroska), and read otherwise.

    Timestamps are those of the file, sound and pictures on one clock, whose breaks are closed for both alike
    (``TimeLine``), and repaired as ``TimestampRepair`` says; only when the first picture lies before zero is
    everything shifted so that it is at zero.

    Pictures that cannot be decoded, or come out damaged, are left out and counted in ``skipped``; damaged
    sound packets are left out. A file that breaks off is read as far as it goes.

    Raises InputError for what cannot be opened or has no picture that decodes, UnsupportedError for
    colours that cannot be converted and sound that could not be played after a copy (``check_copied``),
    UsageError for a bad ``audio_mode`` or an ``audio_track`` that is not there. Iteration raises InputError
    when reading the source fails, or where no picture is in the part. A reader can be iterated once.
    """

    video: VideoInfo
    audio: AudioInfo | None
    description: Description
    """What the file says of itself; times of chapters from :attr:`begin` on."""
    shortened: list[str]
    """What of that was too long, in words."""

    def __init__(
        self,
        source: str | os.PathLike[str] | Any,
        *,
        audio: bool = True,
        threads: int = 0,
        audio_mode: AudioMode = "copy",
        audio_bitrate: int = 24000,
        audio_track: int | None = None,
        start: float | None = None,
        duration: float | None = None,
    ) -> None:
        if audio_mode not in ("opus", "copy", "none"):
            raise UsageError(f"unknown audio mode {audio_mode!r}")
        mode = audio_mode if audio else "none"
        self.skipped = 0
        self._wanted, self._track = (start, duration), audio_track
        self.sound_tracks: list[str] = []
        """The sound tracks of the file in words, where there is sound to be read."""
        self._container: Any = None
        self._own_file: Any = None
        self._early: deque[Iterator[VideoPicture | AudioPacket]] = deque()
        self._sound: CopiedSound | ReencodedSound | None = None
        self._shift = Fraction(0)
        self._first_dts: int | None = None  # of the first packet of the pictures
        self._deinterlacer = Deinterlacer()
        self._part = Part()
        self._last: tuple[int, int] | None = None  # time and duration of the last picture handed out
        self._newest = 0  # time of the last one read
        self.begin = Fraction(0)
        """Seconds on the source's clock at which its pictures, or sound well before them, begin."""
        self.name, file = self._open_source(source)
        self._guard = GuardedReader(file)
        try:
            self._open_tracks(mode)
            self._prepare(threads, mode, audio_bitrate)
            if not self._skip():
                self._early.clear()
                self._guard.seek(0)
                self._open_tracks(mode)
                self._prepare(threads, mode, audio_bitrate)
        except BaseException as error:
            self.close()
            if isinstance(error, (av.FFmpegError, OSError, ValueError)):
                raise self._input_error(error) from error
            raise
        self.audio = self._sound.info if self._sound else None
        end = self._part.end and self._part.end - self.begin
        said = SourceDescription(self._container, self._audio_stream, self._shift - self.begin, end)
        self.description, self.shortened = said.description, said.notes
        self._items = self._run()

    def __enter__(self) -> MediaReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[VideoPicture | AudioPacket]:
        return self._items

    def close(self) -> None:
        """Release decoders, and the file if the reader opened it."""
        container, self._container = self._container, None
        if container is not None:
            container.close()
        self._early.clear()
        file, self._own_file = self._own_file, None
        if file is not None:
            file.close()

    # Opening

    def _open_source(self, source: Any) -> tuple[str, Any]:
        if not is_path(source):
            if not hasattr(source, "read"):
                raise InputError("the input is neither a path nor a binary file object")
            name = getattr(source, "name", None)
            return (name if isinstance(name, str) else "the input stream"), source
        path = Path(source)
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise InputError(f"{path} is a folder, not a media file")
            if stat.S_ISREG(status.st_mode) and status.st_size == 0:
                raise InputError(f"{path} is empty")
            self._own_file = path.open("rb")
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file") from error
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise InputError(f"cannot read {str(path)!r}: {error}") from error
        return str(path), self._own_file

    def _open_container(self) -> None:
        try:
            self._container = av.open(
                self._guard,
                "r",
                metadata_errors="replace",
                buffer_size=1 << 16,
                container_options=_DEMUXER_OPTIONS,
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            self._guard.check()
            if self._guard.bytes_read == 0:
                raise InputError(f"{self.name} is empty") from error
            hint = "" if self._guard.seekable() else " (or one that cannot be read from a pipe)"
            raise InputError(f"{self.name} is not a media file{hint}, or is damaged") from error
        self._guard.check()
        if set(self._container.format.name.split(",")) & _REFUSED_FORMATS:
            raise InputError(f"{self.name} is not a media file")

    def _open_tracks(self, mode: AudioMode) -> None:
        self._open_container()
        self._video_stream = best_video(self._container, self.name)
        self._video_index = int(self._video_stream.index)
        self._audio_stream = None
        if mode != "none":
            self._audio_stream = chosen_audio(self._container, self._track, self._video_stream, self.name)
            self.sound_tracks = described_audio(self._container)

    def _prepare(self, threads: int, mode: AudioMode, audio_bitrate: int) -> None:
        """Decode the first picture (packets in between are kept); fill in ``video`` and the sound."""
        stream, sound = self._video_stream, self._audio_stream
        stream.codec_context.thread_count = max(0, threads)
        stream.codec_context.thread_type = "AUTO"
        self._fps = frame_rate(stream, self._container.format.name)
        self._tick = Fraction(stream.time_base or Fraction(1, 90000))
        self.skipped, self._shift, self._first_dts = 0, Fraction(0), None
        self._step = max(1, round(1 / (self._fps * self._tick)))
        self._video_clock = TimestampRepair(self._step, round(JUMP_SECONDS / self._tick))
        self._packets = self._joined()
        want_sound = sound is not None and mode == "copy" and needs_first_packet(sound)
        first, first_sound = self._read_start(want_sound)
        self._converter = PictureConverter(first, tagged_color(stream), dolby_vision=is_dolby_vision(stream))
        guessed, lag = self._container.format.name == "avi", self._lag_of(first)
        self._choose_pts = TimestampChoice(guessed, lag)
        first_pts = TimestampChoice(guessed, lag)(first.pts, first.dts)
        if first_pts is not None and first_pts < 0:
            self._shift = -first_pts * self._tick
        self.begin = max(Fraction(0), Fraction(first_pts or 0) * self._tick)
        if sound is not None and sound.start_time is not None:
            first_heard = Fraction(sound.start_time) * Fraction(sound.time_base or 0)
            if first_heard < self.begin - _PRIMING:
                self.begin = max(Fraction(0), first_heard)
        self._part = Part.of(*self._wanted, Fraction(first_pts or 0) * self._tick + self._shift)
        if self._part.start is not None:
            self.begin = self._part.start
        self.video = self._video_info()
        if sound is not None and mode == "opus":
            self._sound = ReencodedSound(sound, audio_bitrate, self._shift)
            self._sound.keep(self._part.start, self._part.end)
        elif sound is not None and (first_sound is not None or not want_sound):
            self._sound = CopiedSound(sound, first_sound, self._shift, self.name)

    @property
    def seeks_exactly(self) -> bool:
        """Whether a part is gone to; if not, what lies before it is read."""
        return bool(self._guard.seekable()) and has_exact_index(self._container)

    def _skip(self) -> bool:
        """Go to shortly before the part where that is exact; False where all has to be opened again."""
        start = self._part.start
        if start is None or not self.seeks_exactly:
            return True
        target = start - self._shift - RUN_IN
        if target <= 2 * RUN_IN:
            return True
        if not is_whole_until(self._container, self._video_stream, target):
            return False
        self._container.seek(int(target / self._tick), stream=self._video_stream)
        self._early.clear()
        self._deinterlacer = Deinterlacer()
        self._packets = self._joined()
        try:
            first, _ = self._read_start(False)
        except InputError:
            return False
        return first.pts is not None and first.pts * self._tick + self._shift <= start

    def _read_start(self, want_sound: bool) -> tuple[av.VideoFrame, bytes | None]:
        """The first picture, and where wanted the first sound packet; what else is read is kept."""
        first: av.VideoFrame | None = None
        sound: bytes | None = None
        kept = swallowed = largest = 0
        for packet in self._packets:
            is_video = packet.stream_index == self._video_index
            if is_video and first is None:
                frames = self._decode(packet)
                if self._first_dts is None:
                    self._first_dts = packet.dts
                swallowed += packet.size
                largest = max(largest, packet.size)
                if frames:
                    first = frames[0]
                    self._early.append(self._pictures(frames))
            else:
                self._early.append(self._content(packet))
                kept += packet.size
                sound = sound if is_video else sound or bytes(packet)
            if first is not None and (sound is not None or not want_sound):
                return first, sound
            held_back = self._video_stream.codec_context.thread_count + _REORDERED  # 2 fields each
            if kept > _START_BUDGET or (
                first is None and swallowed > _START_BUDGET + 2 * held_back * largest
            ):
                break
        else:
            if first is None and (frames := self._decode(None)):
                first = frames[0]
                self._early.append(self._pictures(frames))
        if first is None:
            hint = (
                "" if self._guard.seekable() else " (MP4 needs its index at the front to be read from a pipe)"
            )
            raise InputError(f"no picture of {self.name} can be decoded{hint}")
        return first, sound

    def _lag_of(self, first: av.VideoFrame) -> int:
        """By how much later than the first packet is read the decoder hands out the ``first`` picture."""
        if self._first_dts is None or first.dts is None or not self._video_stream.codec_context.has_b_frames:
            return 0
        lag = int(first.dts) - self._first_dts
        return lag if lag <= _REORDERED * self._step else 0  # else it is not the first packet's

    def _video_info(self) -> VideoInfo:
        stream, converter = self._video_stream, self._converter
        sar = Fraction(stream.sample_aspect_ratio or 1)
        if sar <= 0:
            sar = Fraction(1)
        orientation = converter.orientation
        duration: float | None = None
        if stream.duration and stream.duration > 0:
            duration = float(stream.duration * self._tick)
        elif self._container.duration and self._container.duration > 0:
            duration = self._container.duration / av.time_base
        if duration:
            duration = seconds_in(duration, *self._wanted)
        frames = 0 if self._part.is_some else int(stream.frames)
        frames = frames or (round(duration * self._fps) if duration else 0)
        return VideoInfo(
            width=converter.width,
            height=converter.height,
            sar=1 / sar if orientation.transpose else sar,
            rotation=orientation.rotation,
            mirrored=orientation.mirrored,
            time_base=self._tick,
            fps=self._fps,
            duration=duration,
            color=converter.color,
            hdr=converter.hdr,
            codec=stream.codec_context.codec.canonical_name,
            frames=frames or None,
        )

    # Reading

    def _joined(self) -> Iterator[Any]:
        """Packets on one time line."""
        streams = [s for s in (self._video_stream, self._audio_stream) if s is not None]
        ticks = {int(s.index): Fraction(s.time_base or Fraction(1, 90000)) for s in streams}
        breaks = bool(self._container.format.flags & Flags.ts_discont.value)
        self._line = TimeLine(ticks, self._video_index, LEAP_WHERE_CLOCKS_BREAK if breaks else LEAP)
        return self._line(self._demux())

    @property
    def breaks(self) -> list[float]:
        """Seconds after the beginning (:attr:`begin`) at which breaks of the source's clock were closed."""
        return [
            float(b + self._shift - self.begin) for b in self._line.breaks if b + self._shift >= self.begin
        ]

    @property
    def last_duration(self) -> int:
        """How long the last picture is on screen, in units of ``video.time_base``; known at the end."""
        if self._last is None:
            return 0
        pts, duration = self._last
        if self._part.end is not None:
            end = round(self._part.end / self._tick)
            duration = end - pts if self._newest >= end else min(duration, end - pts)
        return duration

    def _demux(self) -> Iterator[Any]:
        """Packets with data; a broken end of the file ends them, an error of the source raises."""
        streams = [s for s in (self._video_stream, self._audio_stream) if s is not None]
        packets = self._container.demux(streams)
        while True:
            try:
                packet = next(packets, None) if self._container is not None else None
            except (av.FFmpegError, OSError, ValueError):
                self._guard.check()
                self.skipped += 1
                return
            self._guard.check()
            if packet is None:
                return
            if packet.size:
                yield packet

    def _decode(self, packet: Any) -> list[av.VideoFrame]:
        try:
            frames = self._video_stream.codec_context.decode(packet)
        except EOFError:
            return self._deinterlacer.finish()
        except (av.FFmpegError, ValueError):
            self.skipped += 1
            return []
        good = [frame for frame in frames if not frame.is_corrupt]
        self.skipped += len(frames) - len(good)
        whole = self._deinterlacer(good)
        return whole if packet is not None else [*whole, *self._deinterlacer.finish()]

    @property
    def framed(self) -> bool:
        """Whether pictures of another shape than the first one's have been fitted into its size."""
        return self._converter.framed

    @property
    def interlaced(self) -> bool:
        """Whether pictures were made of interlaced ones so far."""
        return self._deinterlacer.used

    def _run(self) -> Iterator[VideoPicture | AudioPacket]:
        copied = self.audio.time_base if self.audio and isinstance(self._sound, CopiedSound) else None
        try:
            for item in self._part.of_items(self._read(), self._tick, copied):
                if isinstance(item, VideoPicture):
                    self._last = item.pts, item.duration
                yield item
            if self._part.start is not None and not self._last and self._container is not None:
                raise InputError(f"{self.name} has no picture {self._wanted[0]:g} s after its first one")
            if self._sound and self._container is not None:
                yield from self._sound.packets(None)
        except NeurocodecError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._input_error(error) from error

    def _read(self) -> Iterator[VideoPicture | AudioPacket]:
        while self._early:
            yield from self._early.popleft()
        for packet in self._packets:
            yield from self._content(packet)
        if self._container is not None:  # not closed meanwhile
            yield from self._pictures(self._decode(None))

    def _content(self, packet: Any) -> Iterator[VideoPicture | AudioPacket]:
        """What comes of a packet, which is not decoded before that is asked for."""
        if packet.stream_index == self._video_index:
            yield from self._pictures(self._decode(packet))
        elif self._sound:
            yield from self._sound.packets(packet)

    def _pictures(self, frames: list[av.VideoFrame]) -> Iterator[VideoPicture]:
        shift = round(self._shift / self._tick)
        for frame in frames:
            pts = self._choose_pts(frame.pts, frame.dts)
            pts = self._newest = self._video_clock(None if pts is None else pts + shift)
            duration = int(getattr(frame, "duration", 0) or 0)
            yield VideoPicture(frame, pts, duration if duration > 0 else self._step, self._converter)

    def _input_error(self, error: BaseException) -> InputError:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[:1]
        return InputError(f"cannot read {self.name}: {reason[0] if reason else type(error).__name__}")
