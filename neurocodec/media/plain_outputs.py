"""Pictures alone, as other programs like to read them: a Y4M stream, or a folder of PNG.

Both are written as :class:`neurocodec.media.writer.MediaWriter` is, and have no place for sound.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from neurocodec.errors import UnsupportedError
from neurocodec.files.atomic import output_error
from neurocodec.media.color import ColorInfo, normalize_color, rgb_to_frame
from neurocodec.media.types import AudioPacket

TIMES = "timestamps.txt"
OURS = re.compile(rf"\d{{8}}\.png|{re.escape(TIMES)}")
"""Names of the files in a folder of PNG."""
_MOST_REPEATED = 1_000_000
"""Pictures that a Y4M stream repeats to keep its rate, in all."""
Rgb = npt.NDArray[np.uint8]


class _Pictures:
    """What both have: sound is dropped, and nothing is left to be done after an error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def write_audio(self, packet: AudioPacket) -> None:
        """Sound has no place here."""

    def close(self) -> None:
        """Complete the output."""


class Y4mWriter(_Pictures):
    """A YUV4MPEG2 stream: 8 bits, 4:2:0, limited range, in the matrix of ``color``.

    It has one rate, and its pictures have no times: a picture stands as often as it is on screen at the ticks
    of ``fps``. ``file`` is a binary file object, ``name`` what messages call it.

    Raises OutputError when the file cannot be written.
    """

    def __init__(
        self,
        file: Any,
        *,
        width: int,
        height: int,
        sar: Fraction,
        fps: Fraction,
        time_base: Fraction,
        color: ColorInfo,
        name: str,
    ) -> None:
        color = normalize_color(color, width, height)
        self._color = ColorInfo(color.primaries, color.transfer, color.matrix, False)
        self._file, self._name = file, name
        self._ticks = Fraction(time_base) * Fraction(fps)
        self._size = width, height
        self._reformatter = VideoReformatter()
        self._waiting: tuple[int, bytes] | None = None
        self._written = self._repeated = 0
        rate, shape = (
            fps.limit_denominator(1 << 20),
            (sar if sar > 0 else Fraction(1)).limit_denominator(65535),
        )
        self._put(
            f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip "
            f"A{shape.numerator}:{shape.denominator} C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED\n".encode()
        )

    def write_video(self, rgb: Rgb, pts: int, duration: int | None = None) -> None:
        """Add a picture (H,W,3), shown from ``pts`` on (units of ``time_base``).

        Raises:
            OutputError: it cannot be written.
            UnsupportedError: too many pictures would have to be repeated.
        """
        width, height = self._size
        padded = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = rgb_to_frame(padded, self._color, self._reformatter)
        half = (width + 1) // 2, (height + 1) // 2
        planes = [_plane(p, *size) for p, size in zip(frame.planes, (self._size, half, half), strict=True)]
        tick = round(pts * self._ticks)
        self._flush(tick)
        self._waiting = tick, b"".join(planes)

    def _flush(self, until: int) -> None:
        """Write the waiting picture for every tick before ``until``."""
        if self._waiting is None:
            self._written = until  # the stream begins with the first picture
            return
        count = max(0, until - self._written)
        self._repeated += max(0, count - 1)
        if self._repeated > _MOST_REPEATED:
            raise UnsupportedError(f"{self._name} would repeat more than {_MOST_REPEATED} pictures")
        for _ in range(count):
            self._put(b"FRAME\n" + self._waiting[1])
        self._written += count

    def close(self) -> None:
        if self._waiting is not None:
            self._flush(self._written + 1)
            self._waiting = None
        try:
            if hasattr(self._file, "flush"):
                self._file.flush()
        except OSError as error:
            raise output_error(self._name, error) from error

    def _put(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while len(view):
                count = self._file.write(view)
                view = view[len(view) if count is None else count :]
        except OSError as error:
            raise output_error(self._name, error) from error


def _plane(plane: Any, width: int, height: int) -> bytes:
    """The samples of a plane without what pads its lines."""
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[:height, :width].tobytes()


class PngWriter(_Pictures):
    """A folder of PNG, ``00000001.png`` and so on, and ``timestamps.txt``.

    The latter has the times in milliseconds, one a line, in Matroska's "timestamp format v2". ``folder``
    exists.

    Raises OutputError when a file cannot be written.
    """

    def __init__(self, folder: Path, *, width: int, height: int, time_base: Fraction) -> None:
        self._folder, self._tick = folder, Fraction(time_base)
        self._size = width, height
        self._times: list[Fraction] = []

    def write_video(self, rgb: Rgb, pts: int, duration: int | None = None) -> None:
        """Add a picture (H,W,3), shown from ``pts`` on (units of ``time_base``).

        Raises:
            OutputError: it cannot be written.
        """
        encoder: Any = av.CodecContext.create("png", "w")
        encoder.width, encoder.height = self._size
        encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1, 1000)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.pts = 0
        data = b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)])
        self._times.append(pts * self._tick)
        self._put(f"{len(self._times):08d}.png", data)

    def close(self) -> None:
        lines = ["# timestamp format v2", *(f"{float(t * 1000):.3f}" for t in self._times), ""]
        self._put(TIMES, "\n".join(lines).encode())

    def _put(self, name: str, data: bytes) -> None:
        try:
            (self._folder / name).write_bytes(data)
        except OSError as error:
            raise output_error(self._folder / name, error) from error
