"""Synthesized clips for the tests of the media layer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from neurocodec.media.color import ColorInfo
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket

Rgb = npt.NDArray[np.uint8]

COEFFICIENTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}

# tkhd matrices (a b u c d v x y w) of a clockwise rotation
_ROTATIONS = {
    90: (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30),
    180: (-(1 << 16), 0, 0, 0, -(1 << 16), 0, 0, 0, 1 << 30),
    270: (0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30),
}


def quadrants(width: int, height: int) -> Rgb:
    """Red top left, green top right, blue bottom left, white bottom right."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2] = (220, 20, 20)
    rgb[: height // 2, width // 2 :] = (20, 200, 20)
    rgb[height // 2 :, : width // 2] = (20, 20, 220)
    rgb[height // 2 :, width // 2 :] = (235, 235, 235)
    return rgb


def gray_steps(index: int, width: int = 64, height: int = 48) -> Rgb:
    """A flat grey that tells its index."""
    return np.full((height, width, 3), 40 + 12 * (index % 16), np.uint8)


def yuv_of(rgb: Sequence[int], color: ColorInfo, bits: int = 8) -> tuple[int, int, int]:
    """Exact YCbCr codes of a colour."""
    kr, kb = COEFFICIENTS[color.matrix]
    r, g, b = (value / 255 for value in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    top, scale = (1 << bits) - 1, 1 << (bits - 8)
    if color.full_range:
        codes = (y * top, 128 * scale + cb * top, 128 * scale + cr * top)
    else:
        codes = ((16 + 219 * y) * scale, (128 + 224 * cb) * scale, (128 + 224 * cr) * scale)
    return tuple(int(np.clip(round(code), 0, top)) for code in codes)  # type: ignore[return-value]


def flat_frame(codes: Sequence[int], width: int, height: int, pix_fmt: str = "yuv420p") -> av.VideoFrame:
    """A frame of one colour, given as codes."""
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, code in zip(frame.planes, codes, strict=True):
        if "10le" in pix_fmt:
            plane.update(np.full(plane.buffer_size // 2, code, "<u2").tobytes())
        else:
            plane.update(np.full(plane.buffer_size, code, np.uint8).tobytes())
    return frame


def make_clip(
    path: Any,
    *,
    width: int = 64,
    height: int = 48,
    fps: Fraction | int = 25,
    frames: int = 8,
    picture: Callable[[int], Rgb | av.VideoFrame] | None = None,
    codec: str = "libx264",
    format: str | None = None,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    sar: Fraction | None = None,
    rotation: int = 0,
    color: ColorInfo | None = None,
    tag_color: bool = True,
    audio: str | None = None,
    audio_rate: int = 48000,
    audio_layout: str = "mono",
    audio_bitrate: int | None = None,
    audio_start: float = 0.0,
    audio_seconds: float | None = None,
    sound: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] | None = None,
    gap: tuple[float, float] | None = None,
    extra_tracks: Sequence[tuple[str, int, int]] = (),
    container_options: dict[str, str] | None = None,
) -> Any:
    """Write a clip and return ``path``.

    ``picture(i)``: RGB array or ready frame. ``pts``: timestamps in ``time_base`` (default 1/fps).
    ``sound(t)``: samples -1..1 of the times ``t`` in seconds on the clock of the pictures; ``gap`` leaves out
    the sound between two times. ``extra_tracks``: further video tracks (codec, width, height), put first.
    """
    rate = Fraction(fps)
    base = time_base or 1 / rate
    picture = picture or (lambda i: gray_steps(i, width, height))
    target = str(path) if isinstance(path, Path) else path
    with av.open(target, "w", format=format, container_options=container_options or {}) as out:
        extras = []
        for name, extra_width, extra_height in extra_tracks:
            extra: Any = out.add_stream(name, rate=rate)
            extra.width, extra.height, extra.pix_fmt = extra_width, extra_height, "yuv420p"
            extras.append(extra)
        video: Any = out.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = base
        video.time_base = base
        video.options = options if options is not None else _default_options(codec)
        if sar is not None:
            video.codec_context.sample_aspect_ratio = sar
        if color is not None and tag_color:
            context = video.codec_context
            context.color_primaries, context.color_trc = color.primaries, color.transfer
            context.colorspace, context.color_range = color.matrix, 2 if color.full_range else 1
        sounds = None
        if audio:
            track: Any = out.add_stream(audio, rate=audio_rate)
            track.codec_context.layout = audio_layout
            if audio_bitrate is not None:
                track.codec_context.bit_rate = audio_bitrate
            seconds = audio_seconds if audio_seconds is not None else float(frames / rate)
            sounds = (track, _sound_frames(track, audio_start, seconds, sound, gap))
        stamps = list(pts) if pts is not None else list(range(frames))
        for index, stamp in enumerate(stamps):
            item = picture(index)
            frame = item if isinstance(item, av.VideoFrame) else av.VideoFrame.from_ndarray(item)
            if not isinstance(item, av.VideoFrame):
                frame = frame.reformat(format=pix_fmt, src_color_range=2, dst_color_range=1)
            frame.pts, frame.time_base = stamp, base
            if color is not None and tag_color:
                frame.colorspace, frame.color_range = color.matrix, 2 if color.full_range else 1
            out.mux(video.encode(frame))
            for extra in extras:
                blank = flat_frame((60, 128, 128), extra.width, extra.height)
                blank.pts, blank.time_base = stamp, base
                out.mux(extra.encode(blank))
            if sounds:
                _feed(out, *sounds, until=float(stamp * base) + 0.1)
        for stream in (video, *extras):
            out.mux(stream.encode(None))
        if sounds:
            _feed(out, *sounds, until=1e9)
            out.mux(sounds[0].encode(None))
    if rotation:
        rotate_mp4(Path(target), rotation)
    return path


def _default_options(codec: str) -> dict[str, str]:
    if codec == "libx264":
        return {"crf": "8", "preset": "ultrafast"}
    if codec == "libx265":
        return {
            "crf": "8",
            "preset": "ultrafast",
            "x265-params": "log-level=error:pools=none:frame-threads=1",
        }
    return {}


def _sound_frames(
    track: Any,
    start: float,
    seconds: float,
    sound: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] | None,
    gap: tuple[float, float] | None,
) -> Iterator[av.AudioFrame]:
    track.codec_context.open(strict=False)
    rate = track.codec_context.sample_rate
    channels = track.codec_context.channels
    size = track.codec_context.frame_size or 1024
    name = track.codec_context.format.name
    first = round(start * rate)
    for begin in range(first, first + round(seconds * rate), size):
        times = np.arange(begin, min(begin + size, first + round(seconds * rate))) / rate
        if gap and gap[0] <= times[0] < gap[1]:
            continue
        wave = sound(times) if sound else 0.3 * np.sin(2 * np.pi * 440 * times)
        samples = np.repeat(wave[None, :], channels, axis=0)
        if not name.endswith("p"):
            samples = samples.T.reshape(1, -1)
        dtype = {"s16": np.int16, "s16p": np.int16, "s32": np.int32, "s32p": np.int32}.get(name)
        if dtype is not None:
            samples = (samples * (np.iinfo(dtype).max - 1)).astype(dtype)
        else:
            samples = samples.astype(np.float32)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=name, layout=track.codec_context.layout.name
        )
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), begin
        yield frame


def _feed(out: Any, track: Any, frames: Iterator[av.AudioFrame], until: float) -> None:
    for frame in frames:
        out.mux(track.encode(frame))
        if frame.pts is not None and frame.pts * frame.time_base >= until:
            break


def rotate_mp4(path: Path, degrees: int, matrix: Sequence[int] | None = None) -> None:
    """Write a clockwise rotation into the header of the first track of an MP4."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 52 if data[at] else 40
    data[at : at + 36] = struct.pack(">9i", *(matrix or _ROTATIONS[degrees]))
    path.write_bytes(data)


class Pipe:
    """A binary file object that cannot seek: wraps bytes for reading, or collects what is written."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = memoryview(data)
        self.written = bytearray()

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = len(self._data) if size < 0 else min(size, 1000)
        out, self._data = bytes(self._data[:size]), self._data[size:]
        return out

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)


def read_all(source: Any, **options: Any) -> tuple[MediaReader, list[VideoPicture], list[AudioPacket]]:
    """Everything a reader yields."""
    with MediaReader(source, **options) as reader:
        items = list(reader)
    return (
        reader,
        [item for item in items if isinstance(item, VideoPicture)],
        [item for item in items if isinstance(item, AudioPacket)],
    )


def decode_sound(source: Any) -> tuple[npt.NDArray[np.float64], int]:
    """The first sound track, mono, as a player hears it: samples from time 0 on, and the rate."""
    rate = 48000
    with av.open(str(source) if isinstance(source, Path) else source) as file:
        resampler = av.AudioResampler("flt", "mono", rate)
        out = np.zeros(rate * 100)
        end = 0
        for frame in file.decode(audio=0):
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray().reshape(-1)
                at = round(piece.pts * piece.time_base * rate)
                if abs(at - end) < rate // 400:  # coarse container clocks
                    at = end
                samples, at = samples[max(0, -at) :], max(0, at)
                out[at : at + len(samples)] = samples
                end = max(end, at + len(samples))
    return out[:end], rate


def click_at(seconds: float) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """A 20 ms burst of 1 kHz beginning at ``seconds``, silence otherwise."""

    def sound(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        inside = (times >= seconds) & (times < seconds + 0.02)
        return np.where(inside, 0.8 * np.sin(2 * np.pi * 1000 * (times - seconds)), 0.0)

    return sound
