"""Writing MP4: H.264 pictures with correct colour tags and exact timestamps, and sound."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from neurocodec.errors import NeurocodecError, OutputError, UnsupportedError, UsageError
from neurocodec.files.atomic import AtomicFile, output_error
from neurocodec.media.audio import AudioEncoder, aac_encoder
from neurocodec.media.color import ColorInfo, normalize_color, rgb_to_frame
from neurocodec.media.faststart import move_index_to_front
from neurocodec.media.guard import GuardedWriter
from neurocodec.media.sound import sound_decoder
from neurocodec.media.stream_template import REMUXED, add_audio_stream
from neurocodec.media.types import AudioInfo, AudioPacket

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)

_FLAG_FRAME_DURATION = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION
_LARGEST_PICTURE = 139_264  # macroblocks: level 6.2, the highest of H.264
_LARGEST_TIMESCALE = 1_000_000
_LARGEST_MOVIE_TIMESCALE = 100_000_000
_FRAGMENTED = "frag_keyframe+empty_moov+delay_moov+default_base_moof"
# Keys that MP4's ordinary (iTunes style) metadata can hold.
_STANDARD_KEYS = frozenset(
    (
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "grouping",
        "lyrics",
        "description",
        "synopsis",
    )
)


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

    ``metadata``: ``title``, ``comment`` and so on; any other key makes all of them QuickTime keys. ``name``:
    what messages call the output.

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
        self._last_audio_pts: int | None = None
        self._reformatter = VideoReformatter()
        self._container: Any = None
        self._closed = False
        self._atomic: AtomicFile | None = None
        self._audio_info = audio
        self._audio_stream: Any = None
        self._audio_decoder: Any = None
        self._audio_encoder: AudioEncoder | None = None
        file = destination
        own_name = getattr(destination, "name", None)
        self.name = name or (own_name if isinstance(own_name, str) else "the output stream")
        if isinstance(destination, (str, os.PathLike)):
            self._atomic = AtomicFile(destination, force)
            self._atomic.open()
            file = self._atomic.file
            self.name = os.fspath(destination)
        self._file: Any = file
        self._guard = GuardedWriter(file)
        try:
            self._open(Fraction(fps), Fraction(sar), crf, preset, threads, dict(metadata or {}))
        except BaseException as error:
            self.abort()
            self._translate(error)
            raise

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

    def _open(
        self, fps: Fraction, sar: Fraction, crf: float, preset: str, threads: int, metadata: dict[str, str]
    ) -> None:
        height, width = self._size
        movflags = [] if self._guard.seekable() else [_FRAGMENTED]
        if set(metadata) - _STANDARD_KEYS:
            movflags.append("use_metadata_tags")
        timescale = self._timescale()
        options = {
            "video_track_timescale": str(timescale),
            "movie_timescale": str(self._movie_timescale(timescale)),
        }
        if movflags:
            options["movflags"] = "+".join(movflags)
        container: Any = av.open(
            self._guard, "w", format="mp4", container_options=options, buffer_size=1 << 16
        )
        self._container = container
        container.metadata.update(metadata)
        stream: Any = container.add_stream("libx264", rate=fps.limit_denominator(1_000_000))
        self._video_stream = stream
        context = stream.codec_context
        context.width = width + width % 2
        context.height = height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = self._encoder_time_base = Fraction(1, timescale)
        stream.time_base = self._encoder_time_base
        context.sample_aspect_ratio = sar.limit_denominator(65535) if sar > 0 else Fraction(1)
        context.color_primaries = self._color.primaries
        context.color_trc = self._color.transfer
        context.colorspace = self._color.matrix
        context.color_range = 2 if self._color.full_range else 1
        context.thread_count = max(0, threads)
        context.gop_size = min(250, max(1, round(5 * fps)))
        context.flags = int(context.flags) | _FLAG_FRAME_DURATION
        context.options = {"crf": f"{crf:g}", "preset": preset}
        if crf > 0:
            context.options = {**context.options, "profile": "high"}
        context.open()
        if self._audio_info is not None:
            self._open_audio(self._audio_info)
        container.start_encoding()
        self._guard.check()

    def _timescale(self) -> int:
        return min(self._time_base.denominator, _LARGEST_TIMESCALE)

    def _movie_timescale(self, timescale: int) -> int:
        """A timescale in which the start of both tracks is a whole number, where there is one."""
        scale = lcm(timescale, 1000)
        if self._audio_info is not None:
            scale = lcm(scale, self._audio_info.sample_rate or 1)
        return scale if scale <= _LARGEST_MOVIE_TIMESCALE else timescale

    def _open_audio(self, info: AudioInfo) -> None:
        decoder = sound_decoder(info)
        if _can_remux(info):
            self._audio_stream = add_audio_stream(self._container, info)
            return
        self._audio_decoder = decoder
        self._audio_encoder = aac_encoder(info)
        self._audio_stream = add_audio_stream(self._container, self._audio_encoder.info)

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
        height, width = self._size
        if height % 2 or width % 2:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        with self._translated():
            frame = rgb_to_frame(rgb, self._color, self._reformatter)
            frame.color_primaries = self._color.primaries
            frame.color_trc = self._color.transfer
            frame.time_base = self._encoder_time_base
            ticks = self._ticks(pts)
            if self._last_ticks is not None:  # units below 1 us may round to the same
                ticks = max(ticks, self._last_ticks + 1)
            frame.pts = self._last_ticks = ticks
            frame.duration = max(1, self._ticks(pts + (duration or self._step)) - ticks)
            self._mux(self._video_stream.encode(frame))

    def write_audio(self, packet: AudioPacket) -> None:
        """Add a packet of the stream described by ``audio``.

        Raises ValueError if there is none, or if its pts does not increase.
        """
        self._require_open()
        if self._audio_info is None:
            raise ValueError("the writer was opened without an audio stream")
        if self._last_audio_pts is not None and packet.pts <= self._last_audio_pts:
            raise ValueError(f"audio pts {packet.pts} is not after {self._last_audio_pts}")
        self._last_audio_pts = packet.pts
        if not packet.data:
            return
        with self._translated():
            if self._audio_decoder is None:
                self._mux([self._audio_packet(packet, self._audio_info.time_base)])
            else:
                self._transcode(packet)

    def close(self) -> None:
        """Complete the file. On failure it is removed and OutputError is raised."""
        if self._closed:
            return
        with self._translated():
            if self._audio_encoder is not None:
                self._transcode(None)
            self._mux(self._video_stream.encode(None))
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

    def _audio_packet(self, packet: AudioPacket, time_base: Fraction) -> Any:
        out = _new_packet(packet.data)
        out.stream = self._audio_stream
        out.time_base = time_base
        out.pts = out.dts = packet.pts
        out.duration = packet.duration
        out.is_keyframe = packet.is_keyframe
        return out

    def _transcode(self, packet: AudioPacket | None) -> None:
        encoder, info = self._audio_encoder, self._audio_info
        assert encoder is not None and info is not None
        source: Any = None
        if packet is not None:
            source = _new_packet(packet.data)
            source.time_base = info.time_base
            source.pts = source.dts = packet.pts
            source.duration = packet.duration
        frames = []
        with contextlib.suppress(av.FFmpegError):  # a damaged packet is a gap
            frames = self._audio_decoder.decode(source)
        for frame in frames:
            start = None if frame.pts is None else frame.pts * Fraction(frame.time_base or info.time_base)
            for out in encoder.push(frame, start):
                self._mux([self._audio_packet(out, encoder.info.time_base)])
        if packet is None:
            for out in encoder.finish():
                self._mux([self._audio_packet(out, encoder.info.time_base)])

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            self._container.mux(packet)
            self._guard.check()

    # Errors

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError("the writer is closed")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.abort()
            self._translate(error)
            raise

    def _translate(self, error: BaseException) -> None:
        """Raise the OutputError that stands for ``error``; return if it should go out as it is."""
        cause = self._guard.error or error
        if cause is not error and not isinstance(cause, Exception):
            raise cause
        if isinstance(cause, NeurocodecError):
            return
        if isinstance(cause, av.FFmpegError):
            raise OutputError(f"cannot write {self.name}: {cause.strerror or cause}") from error
        if isinstance(cause, OSError):
            raise output_error(self.name, cause) from error
        if isinstance(cause, ValueError):
            raise OutputError(f"cannot write {self.name}: {cause}") from error


def _new_packet(data: bytes) -> Any:
    """A packet with its own, padded copy of ``data`` (decoders may read past the end)."""
    packet: Any = av.Packet(len(data))
    packet.update(data)
    return packet


def _readable(file: Any) -> bool:
    readable = getattr(file, "readable", None)
    return bool(readable and readable() and hasattr(file, "read"))


def _can_remux(info: AudioInfo) -> bool:
    if info.codec not in REMUXED or info.sample_rate <= 0 or info.channels <= 0:
        return False
    if info.codec == "mp3":
        return info.sample_rate >= 16000  # MP4 has no lower rates for MP3
    return bool(info.extradata) or info.codec == "ac3"


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
