"""The FFmpeg program that the package imageio-ffmpeg carries: VVC, libaom, VMAF and XPSNR."""

from __future__ import annotations

import re
import subprocess
import tempfile
from abc import abstractmethod
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from neurocodec.compare.clips import Frames
from neurocodec.compare.codec import Codec, Point, enlarge, scales, shrink
from neurocodec.compare.planes import from_raw, to_raw
from neurocodec.errors import DamagedFileError, UnsupportedError


@lru_cache(maxsize=1)
def program() -> str | None:
    """Path of the FFmpeg program, None where imageio-ffmpeg is not installed."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def run(*arguments: str, data: bytes | None = None, folder: Path | None = None) -> bytes:
    """Run the program on raw input; what it writes to stdout.

    Raises:
        UnsupportedError: it is not installed, or fails.
    """
    path = program()
    if path is None:
        raise UnsupportedError("the package imageio-ffmpeg is not installed")
    command = [path, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
    if data is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=data, capture_output=True, check=False, cwd=folder)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise UnsupportedError(f"FFmpeg failed: {lines[-1]}")
    return done.stdout


@lru_cache(maxsize=16)
def listing(what: str) -> str:
    """What ``-encoders``, ``-filters`` or ``-version`` prints; empty without the program."""
    return run(f"-{what}").decode(errors="replace") if program() else ""


def lacks(kind: str, name: str) -> str | None:
    """Why an encoder or filter is not at hand; None when it is."""
    if program() is None:
        return "needs the FFmpeg of the package imageio-ffmpeg (pip install 'neurocodec[compare-extra]')"
    if not re.search(rf"^\s*\S+\s+{re.escape(name)}\s", listing(kind), re.MULTILINE):
        return f"the FFmpeg of imageio-ffmpeg has no {name}"
    return None


class ProgramCodec(Codec):
    """An encoder of the FFmpeg program; raw frames in through a pipe, an elementary stream out."""

    encoder: ClassVar[str]
    form: ClassVar[str]
    """FFmpeg's name of the elementary stream's format."""
    decoder: ClassVar[str]
    levels: ClassVar[tuple[int, ...]]

    @abstractmethod
    def options(self, level: int | str) -> list[str]:
        """The encoder's options."""

    def missing(self) -> str | None:
        return lacks("encoders", self.encoder)

    def version(self) -> str:
        return f"{self.encoder} of {' '.join(listing('version').split()[:3])}"

    def settings(self) -> dict[str, str]:
        return {
            "encoder": " ".join(self.options(self.varied.upper())),
            "pixel format": "yuv420p, 8 bits, full range, BT.601: what our own references use",
            "counted": "bytes of the elementary stream; no container",
        }

    def ladder(self, width: int, height: int) -> list[Point]:
        return [{self.varied: v, "scale": s} for s in scales(width, height) for v in self.levels]

    def _passes(self) -> int:
        return 1

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        small = shrink(frames, point["scale"])
        size = f"{small.shape[2]}x{small.shape[1]}"
        raw = to_raw(small)
        source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(fps), "-i", "-"]
        coding = ["-c:v", self.encoder, *self.options(point[self.varied])]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(1, self._passes() + 1):
                split = ["-pass", str(number), "-passlogfile", "log"] if self._passes() > 1 else []
                run(*source, *coding, *split, "-f", self.form, "out", data=raw, folder=folder)
            return self.split((folder / "out").read_bytes())

    def split(self, stream: bytes) -> list[bytes]:
        """The packets of what the program wrote, without what no decoder needs."""
        return [stream]

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        small = shrink_size(shape, point["scale"])
        arguments = [
            "-f",
            self.form,
            "-c:v",
            self.decoder,
            "-i",
            "-",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "yuv420p",
        ]
        raw = run(*arguments, "-fps_mode", "passthrough", "-", data=self.join(packets))
        out = from_raw(raw, *small)
        if len(out) != shape[0]:
            raise DamagedFileError(f"{self.title} gave {len(out)} frames for {shape[0]}")
        return enlarge(out, shape[2], shape[1])

    def join(self, packets: list[bytes]) -> bytes:
        """Inverse of :meth:`split`."""
        return b"".join(packets)


def shrink_size(shape: tuple[int, ...], scale: int) -> tuple[int, int]:
    """Width and height that :func:`neurocodec.compare.codec.shrink` gives frames of this shape."""
    width, height = (
        max(2, 2 * round(side / scale / 2)) if scale > 1 else side for side in (shape[2], shape[1])
    )
    return width, height
