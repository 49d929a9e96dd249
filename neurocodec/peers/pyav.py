"""The peers that PyAV's FFmpeg carries: x264, x265, SVT-AV1, VP9.

All are set for few bits: one long group of pictures, deep look-ahead and references, no side data in the
stream, one thread (which costs nothing in quality), constant quality (CRF).
"""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from typing import Any, ClassVar

import av
import av.codec
import av.error
import numpy as np
from av import library_versions

from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.measure.clips import Frames
from neurocodec.peers.codec import Point
from neurocodec.peers.planes import from_frame
from neurocodec.peers.scaled import ScaledCodec
from neurocodec.references.chain import SHARP
from neurocodec.references.ycbcr import TEMPORAL_DELIMITER, rgb_to_frame, same_priority


class PyAvCodec(ScaledCodec):
    """An encoder of PyAV's FFmpeg and the decoder that reads it again."""

    varied = "crf"
    encoder: ClassVar[str]
    decoder: ClassVar[str]

    @abstractmethod
    def options(self, crf: int | str) -> dict[str, str]:
        """FFmpeg's options at a CRF."""

    def missing(self) -> str | None:
        for name, mode in ((self.encoder, "w"), (self.decoder, "r")):
            try:
                av.codec.Codec(name, mode)  # type: ignore[arg-type]
            except (av.codec.codec.UnknownCodecError, ValueError):
                return f"this build of PyAV has no {name}"
        return None

    def version(self) -> str:
        parts = ".".join(str(n) for n in library_versions["libavcodec"])
        return (
            f"{self.encoder} of FFmpeg {av.ffmpeg_version_info} (libavcodec {parts}, PyAV {av.__version__})"
        )

    def command(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.options("CRF").items())

    def clean(self, packet: bytes) -> bytes:
        """A packet without what no decoder needs."""
        return packet

    def encode_scaled(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        packets: list[bytes] = []
        try:
            with same_priority():
                context: Any = av.CodecContext.create(self.encoder, "w")
                context.width, context.height, context.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
                context.framerate, context.time_base, context.thread_count = fps, 1 / fps, 1
                context.options = self.options(point[self.varied])
                for k, picture in enumerate(frames):
                    frame = rgb_to_frame(picture)
                    frame.pts = k
                    packets += [bytes(p) for p in context.encode(frame)]
                packets += [bytes(p) for p in context.encode(None)]
                del context
        except (av.error.FFmpegError, ValueError) as error:
            raise UnsupportedError(f"{self.title} failed at {self.label(point)}: {error}") from error
        return [self.clean(p) for p in packets]

    def decode_scaled(self, packets: list[bytes], width: int, height: int) -> Frames:
        context: Any = av.CodecContext.create(self.decoder, "r")
        context.thread_count = 1
        out = []
        try:
            for packet in [*map(av.Packet, packets), None]:
                out += [from_frame(f) for f in context.decode(packet)]
        except (av.error.FFmpegError, ValueError) as error:
            raise DamagedFileError(f"what {self.title} wrote cannot be decoded: {error}") from error
        return np.array(out, np.uint8)


class Hevc(PyAvCodec):
    """HEVC by x265."""

    name, title = "hevc", "HEVC (x265 veryslow)"
    encoder, decoder, levels = "libx265", "hevc", (30, 34, 38, 42, 46, 50)
    why = "one key frame (keyint=-1), no SEI (info=0), no delimiters (aud=0), no HRD"

    def options(self, crf: int | str) -> dict[str, str]:
        parameters = (
            f"crf={crf}:keyint=-1:info=0:aud=0:repeat-headers=1:hrd=0:range=full:"
            "log-level=none:pools=none:frame-threads=1"
        )
        return {"preset": "veryslow", "x265-params": parameters}


class H264(PyAvCodec):
    """H.264 by x264."""

    name, title = "h264", "H.264 (x264 veryslow)"
    encoder, decoder, levels = "libx264", "h264", (30, 34, 38, 42, 46, 50)
    why = "one key frame (keyint=infinite), supplemental NAL units (SEI) removed"

    def options(self, crf: int | str) -> dict[str, str]:
        parameters = "keyint=infinite:aud=0:nal-hrd=none:fullrange=on:log-level=-1:bframes=8"
        return {"preset": "veryslow", "crf": str(crf), "x264-params": parameters}

    def clean(self, packet: bytes) -> bytes:
        """The NAL units of an Annex B packet, but for SEI (type 6), which holds the encoder's settings."""
        units = packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
        return b"".join(b"\0\0\1" + unit for unit in units if unit and unit[0] & 31 != 6)


class Av1(PyAvCodec):
    """AV1 by SVT-AV1, preset 4."""

    name, title = "av1", "AV1 (SVT-AV1 preset 4)"
    encoder, decoder, levels = "libsvtav1", "libdav1d", (50, 56, 60, 63, 66, 70)
    why = "one key frame (keyint=-1), temporal delimiters removed, one thread (lp=1)"
    preset: ClassVar[int] = 4

    def options(self, crf: int | str) -> dict[str, str]:
        parameters = f"crf={crf}:keyint=-1:lp=1:color-range=1:scd=0"
        return {"preset": str(self.preset), "svtav1-params": parameters}

    def clean(self, packet: bytes) -> bytes:
        return packet.removeprefix(TEMPORAL_DELIMITER)


class Av1Slow(Av1):
    """AV1 by SVT-AV1, preset 1: several times slower than preset 4."""

    name, title, preset = "av1-slow", "AV1 (SVT-AV1 preset 1)", 1


class Av1Sharp(Av1):
    """AV1 by SVT-AV1 with the choices that our references are coded with: LPIPS likes them, PSNR does not."""

    name, title = "av1-sharp", "AV1 (SVT-AV1 preset 4, sharp)"
    levels = (53, 58, 62, 65, 68, 70)

    def options(self, crf: int | str) -> dict[str, str]:
        options = super().options(crf)
        return {**options, "svtav1-params": f"{options['svtav1-params']}:{SHARP}"}


class Vp9(PyAvCodec):
    """VP9 by libvpx."""

    name, title = "vp9", "VP9 (libvpx good, speed 0)"
    encoder, decoder, levels = "libvpx-vp9", "vp9", (44, 50, 56, 60, 63)
    why = "one key frame (g=9999), alternate references, one pass"

    def options(self, crf: int | str) -> dict[str, str]:
        return {
            "crf": str(crf), "b": "0", "deadline": "good", "cpu-used": "0", "lag-in-frames": "25",
            "auto-alt-ref": "1", "arnr-maxframes": "7", "g": "9999",
        }  # fmt: skip
