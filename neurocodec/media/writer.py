"""Writing MP4: H.264 pictures with correct colour tags and exact timestamps, and sound."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import lcm
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from neurocodec.errors import OutputError, UnsupportedError, UsageError
from neurocodec.files.atomic import AtomicFile, output_error
from neurocodec.files.opening import is_path
from neurocodec.format.description import Description
from neurocodec.media.color import ColorInfo, normalize_color, rgb_to_frame
from neurocodec.media.description import container_chapters, container_tags, sound_tags
from neurocodec.media.faststart import move_index_to_front
from neurocodec.media.guard import GuardedWriter
from neurocodec.media.sound_track import SoundTrack
from neurocodec.media.types import AudioInfo, AudioPacket

PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
"""Of libx264, the fastest first."""

_LARGEST_PICTURE = 139_264  # macroblocks: level 6.2, the highest of H.264
_LARGEST_TIMESCALE = 1_000_000
_LARGEST_MOVIE_TIMESCALE = 100_000_000
_FRAGMENTED = "frag_keyframe+empty_moov+delay_moov+default_base_moof"
_STANDARD_KEYS = {
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright",
    "grouping", "lyrics", "description", "synopsis", "creation_time",
}  # fmt: skip
"""What MP4's ordinary (iTunes style) metadata and its header can hold."""


class MediaWriter:
    """Writes an MP4 with one H.264 track (libx264, yuv420p, High) and at most one sound track.

    ``destination`` is a path, written through ``AtomicFile`` (``force`` allows replacing), or a binary file
    object, which stays open. Where the file is not seekable the MP4 is fragmented; where it is seekable and
    can be read back, the index is moved to the front at the end.

    ``width``, ``height``: size of the pictures. 4:2:0 needs even numbers: an odd size is extended by
    repeating the last column or row. ``sar``: pixel aspect ratio. ``time_base``: seconds per unit of the
    video pts; it becomes the track's timescale, so pts survive exactly (except for units below 1 us, which
    are rounded to that). ``fps``: average rate. ``color``: tags of the output, and the matrix and range that
    the RGB pictures are converted with. ``crf``: quality of libx264, 0 (lossless) to 51; 16 is visually
    lossless. ``threads``: encoder threads, 0 for automatic.

    ``audio``: the stream that the packets given to ``write_audio`` belong to. Opus, AAC, MP3 and AC-3 are
    stored as they are, anything else is decoded and encoded to AAC with 128 kbit/s. Both tracks are on the
    same clock; neither is moved to zero.

    ``metadata``: ``title``, ``comment`` and so on; any other key makes all of them QuickTime keys.
    ``description``: texts and chapters beside these, and what they say of the sound. ``name``: what messages
    call the output.

    As a context manager the file is completed by ``close`` at the end and removed by ``abort`` after an
    exception. Nothing is held in memory but what the encoder looks ahead and, when fragmented, one group
    of pictures (at most 5 s or 250 pictures).

    Raises OutputError when the output cannot be created or written (full disk, closed pipe), UsageError for
    values out of range, UnsupportedError for colours or codecs that cannot be written.
    """

    def __init__(
        self,
        destination: str | os.PathLike[str] | Any,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        fps: Fraction,
        color: ColorInfo,
        sar: Fraction = Fraction(1),
        crf: float = 16,
        preset: str = "veryfast",
        threads: int = 0,
        audio: AudioInfo | None = None,
        metadata: dict[str, str] | None = None,
        description: Description | None = None,
        force: bool = False,
        name: str | None = None,
    ) -> None:
        _check_options(width, height, time_base, fps, crf, preset)
        self._size = (height, width)
        self._color = normalize_color(color, width, height)
        self._time_base = Fraction(time_base)
        self._step = max(1, round(1 / (Fraction(fps) * self._time_base)))
        self._last_pts: int | None = None
        self._last_ticks: int | None = None
        self._end_ticks = 0
        self._held: Any = None  # the newest packet of the encoder
        self._lag: int | None = None  # by which pictures are decoded before they are shown
        self._last_audio_pts: int | None = None
        self._reformatter = VideoReformatter()
        self._container: Any = None
        self._closed = False
        self._atomic: AtomicFile | None = None
        self._sound: SoundTrack | None = None
        self._file: Any = destination
        own_name = getattr(destination, "name", None)
        self.name = name or (own_name if isinstance(own_name, str) else "the output stream")
        if is_path(destination):
            self._atomic = AtomicFile(destination, force)
            self._atomic.open()
            self._file = self._atomic.file
            self.name = os.fspath(destination)
        self._guard = GuardedWriter(self._file)
        with self._translated():
            told = description or Description()
            tags = {**container_tags(told), **(metadata or {})}
            self._container = self._opened_container(tags, audio)
            self._container.metadata.update(tags)
            if told.chapters:
                self._container.set_chapters(container_chapters(told))
            self._add_video(Fraction(fps), Fraction(sar), crf, preset, threads)
            if audio is not None:
                self._sound = SoundTrack(self._container, audio, sound_tags(told))
            self._container.start_encoding()
            self._guard.check()

    def __enter__(self) -> MediaWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    # Setting up

    def _opened_container(self, metadata: dict[str, str], audio: AudioInfo | None) -> Any:
        timescale = min(self._time_base.denominator, _LARGEST_TIMESCALE)
        self._encoder_time_base = Fraction(1, timescale)
        # the start of both tracks is a whole number in the movie's timescale, where there is such a one
        movie_timescale = lcm(timescale, 1000, (audio.sample_rate if audio else 1) or 1)
        if movie_timescale > _LARGEST_MOVIE_TIMESCALE:
            movie_timescale = timescale
        options = {"video_track_timescale": str(timescale), "movie_timescale": str(movie_timescale)}
        movflags = [] if self._guard.seekable() else [_FRAGMENTED]
        if set(metadata) - _STANDARD_KEYS:
            movflags.append("use_metadata_tags")
        if movflags:
            options["movflags"] = "+".join(movflags)
        return av.open(self._guard, "w", format="mp4", container_options=options, buffer_size=1 << 16)

    def _add_video(self, fps: Fraction, sar: Fraction, crf: float, preset: str, threads: int) -> None:
        height, width = self._size
        stream: Any = self._container.add_stream("libx264", rate=fps.limit_denominator(1_000_000))
        self._video_stream = stream
        context = stream.codec_context
        context.width = width + width % 2
        context.height = height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = stream.time_base = self._encoder_time_base
        context.sample_aspect_ratio = sar.limit_denominator(65535) if sar > 0 else Fraction(1)
        context.color_primaries = self._color.primaries
        context.color_trc = self._color.transfer
        context.colorspace = self._color.matrix
        context.color_range = self._color.sample_range
        context.thread_count = max(0, threads)
        context.gop_size = min(250, max(1, round(5 * fps)))
        context.flags = int(context.flags) | Flags.frame_duration
        context.options = {"crf": f"{crf:g}", "preset": preset, **({"profile": "high"} if crf > 0 else {})}
        context.open()

    # Writing

    def write_video(self, rgb: npt.NDArray[np.uint8], pts: int, duration: int | None = None) -> None:
        """Add a picture: ``height x width x 3`` uint8 RGB, shown from ``pts`` on (units of ``time_base``).

        ``duration``, in the same units, matters for the last picture only (default: 1/fps).
        Raises ValueError for a wrong shape or type, or a pts that is negative or does not increase.
        """
        self._require_open()
        if rgb.dtype != np.uint8 or rgb.shape != (*self._size, 3):
            raise ValueError(f"expected uint8 pictures of {self._size}, got {rgb.dtype} {rgb.shape}")
        if pts < 0 or (self._last_pts is not None and pts <= self._last_pts):
            raise ValueError(f"pts {pts} is negative or not after {self._last_pts}")
        self._last_pts = pts
        with self._translated():
            frame = self._frame_of(rgb)
            frame.time_base = self._encoder_time_base
            ticks = self._ticks(pts)
            if self._last_ticks is not None:  # units below 1 us may round to the same
                ticks = max(ticks, self._last_ticks + 1)
            frame.pts = self._last_ticks = ticks
            frame.duration = max(1, self._ticks(pts + (duration or self._step)) - ticks)
            self._end_ticks = ticks + frame.duration
            self._mux_video(self._video_stream.encode(frame))

    def _frame_of(self, rgb: npt.NDArray[np.uint8]) -> av.VideoFrame:
        height, width = self._size
        if height % 2 or width % 2:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = rgb_to_frame(rgb, self._color, self._reformatter)
        frame.color_primaries = self._color.primaries
        frame.color_trc = self._color.transfer
        return frame

    def write_audio(self, packet: AudioPacket) -> None:
        """Add a packet of the stream described by ``audio``.

        Raises ValueError if there is none, or if its pts does not increase.
        """
        self._require_open()
        if self._sound is None:
            raise ValueError("the writer was opened without an audio stream")
        if self._last_audio_pts is not None and packet.pts <= self._last_audio_pts:
            raise ValueError(f"audio pts {packet.pts} is not after {self._last_audio_pts}")
        self._last_audio_pts = packet.pts
        if not packet.data:
            return
        with self._translated():
            self._mux(self._sound.packets(packet))

    def close(self) -> None:
        """Complete the file. On failure it is removed and OutputError is raised."""
        if self._closed:
            return
        with self._translated():
            if self._sound is not None:
                self._mux(self._sound.packets(None))
            self._mux_video(self._video_stream.encode(None))
            self._mux_last()
            self._container.close()
            self._guard.flush()
            self._guard.check()
            self._container = None
            if self._guard.seekable() and _readable(self._file):
                move_index_to_front(self._file)
            self._closed = True
            if self._atomic is not None:
                self._atomic.commit()

    def abort(self) -> None:
        """Give up: nothing more is written, and a file opened by the writer is removed. Never raises."""
        self._closed = True
        self._guard.dead = True
        container, self._container = self._container, None
        try:
            if container is not None:
                with contextlib.suppress(Exception):
                    container.close()
        finally:
            if self._atomic is not None:
                self._atomic.discard()

    def _ticks(self, pts: int) -> int:
        return round(pts * self._time_base / self._encoder_time_base)

    def _mux_video(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            if self._lag is None:
                self._lag = packet.pts - packet.dts
            if self._held is not None:
                self._mux([self._held])
            self._held = packet

    def _mux_last(self) -> None:
        """Write the last packet, in time for the end.

        The durations in an MP4 are those of decoding, which lags some pictures behind. Where one of these
        stays for long, they would add up to less than what is shown: then the last is decoded as late as can
        be. Elsewhere it is not, for the average rate that players see is that of decoding.
        """
        packet, self._held = self._held, None
        if packet is None:
            return
        step = round(self._step * self._time_base / self._encoder_time_base)
        if self._end_ticks - packet.dts - (self._lag or 0) > packet.duration + step:
            packet.dts = packet.pts
            packet.duration = self._end_ticks - packet.pts
        self._mux([packet])

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self._container.mux(packet)
            self._guard.check()

    # Errors

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError("the writer is closed")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """What fails inside ends the writing, and becomes an OutputError where it stands for one."""
        try:
            yield
        except BaseException as error:
            self.abort()
            cause = self._guard.error or error
            if cause is not error and not isinstance(cause, Exception):
                raise cause from error  # an interruption
            if isinstance(cause, OSError) and not isinstance(cause, av.FFmpegError):
                raise output_error(self.name, cause) from error
            if isinstance(cause, (av.FFmpegError, ValueError)):
                reason = getattr(cause, "strerror", None) or cause
                raise OutputError(f"cannot write {self.name}: {reason}") from error
            raise


def _readable(file: Any) -> bool:
    readable = getattr(file, "readable", None)
    return bool(readable and readable() and hasattr(file, "read"))


def _check_options(
    width: int, height: int, time_base: Fraction, fps: Fraction, crf: float, preset: str
) -> None:
    blocks = -(-width // 16) * -(-height // 16)
    if not (1 <= width <= 16384 and 1 <= height <= 16384) or blocks > _LARGEST_PICTURE:
        raise UnsupportedError(f"pictures of {width}x{height} cannot be written as H.264")
    if time_base <= 0 or fps <= 0:
        raise UsageError("time base and frame rate must be positive")
    if not 0 <= crf <= 51:
        raise UsageError(f"crf must be from 0 to 51, not {crf:g}")
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; one of {', '.join(PRESETS)}")
