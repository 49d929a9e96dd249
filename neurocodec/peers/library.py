"""The peers that PyAV's FFmpeg carries: x264, x265, SVT-AV1, VP9.

All are set for few bits: one long group of pictures, deep look-ahead and references, no side data in the
stream, one thread (which costs nothing in quality), constant quality (CRF).
"""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from typing import ClassVar

import av
import av.codec
import av.error
import numpy as np
from av import library_versions

from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.measure.clips import Frames
from neurocodec.peers.codec import Codec, Point, enlarge, scales, shrink
from neurocodec.peers.planes import from_frame
from neurocodec.references.chain import SHARP
from neurocodec.references.ycbcr import TEMPORAL_DELIMITER, rgb_to_frame, same_priority

_VARIED = 12345
LOW_RATE = {
    "pixel format": "yuv420p, 8 bits, full range, BT.601: what our own references use",
    "counted": "bytes of the elementary stream; no container",
}


class PyAvCodec(Codec):
    """An encoder of PyAV's FFmpeg and the decoder that reads it again."""

    varied = "crf"
    encoder: ClassVar[str]
    decoder: ClassVar[str]
    crfs: ClassVar[dict[int, tuple[int, ...]]]
    """CRFs of the ladder at full size (1) and below (2)."""

    @abstractmethod
    def options(self, crf: int) -> dict[str, str]:
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

    def settings(self) -> dict[str, str]:
        return {
            "encoder": " ".join(f"{k}={v}" for k, v in self.options(_VARIED).items()).replace(
                str(_VARIED), "CRF"
            ),
            **LOW_RATE,
        }

    def ladder(self, width: int, height: int) -> list[Point]:
        return [
            {"crf": crf, "scale": scale}
            for scale in scales(width, height)
            for crf in self.crfs[min(scale, 2)]
        ]

    def clean(self, packet: bytes) -> bytes:
        """A packet without what no decoder needs."""
        return packet

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        small = shrink(frames, point["scale"])
        packets: list[bytes] = []
        try:
            with same_priority():
                context = av.CodecContext.create(self.encoder, "w")
                context.width, context.height = small.shape[2], small.shape[1]  # type: ignore[attr-defined]
                context.pix_fmt, context.framerate = "yuv420p", fps  # type: ignore[attr-defined]
                context.time_base = 1 / fps
                context.thread_count = 1
                context.options = self.options(point["crf"])
                for k, picture in enumerate(small):
                    frame = rgb_to_frame(picture)
                    frame.pts = k
                    packets += [bytes(p) for p in context.encode(frame)]  # type: ignore[attr-defined]
                packets += [bytes(p) for p in context.encode(None)]  # type: ignore[attr-defined]
                del context
        except (av.error.FFmpegError, ValueError) as error:
            raise UnsupportedError(f"{self.title} failed at {self.label(point)}: {error}") from error
        return [self.clean(p) for p in packets]

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        context = av.CodecContext.create(self.decoder, "r")
        context.thread_count = 1
        out = []
        try:
            for data in packets:
                out += [from_frame(f) for f in context.decode(av.Packet(data))]  # type: ignore[attr-defined]
            out += [from_frame(f) for f in context.decode(None)]  # type: ignore[attr-defined]
        except (av.error.FFmpegError, ValueError) as error:
            raise DamagedFileError(f"what {self.title} wrote cannot be decoded: {error}") from error
        if len(out) != shape[0]:
            raise DamagedFileError(f"{self.title} gave {len(out)} frames for {shape[0]}")
        return enlarge(np.stack(out), shape[2], shape[1])


class Hevc(PyAvCodec):
    """HEVC by x265."""

    name, title = "hevc", "HEVC (x265 veryslow)"
    encoder, decoder = "libx265", "hevc"
    crfs: ClassVar = {1: (30, 34, 38, 42, 46, 50), 2: (30, 34, 38, 42, 46, 50)}

    def options(self, crf: int) -> dict[str, str]:
        parameters = (
            f"crf={crf}:keyint=-1:info=0:aud=0:repeat-headers=1:hrd=0:range=full:"
            "log-level=none:pools=none:frame-threads=1"
        )
        return {"preset": "veryslow", "x265-params": parameters}

    def settings(self) -> dict[str, str]:
        note = "one key frame (keyint=-1), no SEI (info=0), no delimiters (aud=0), no HRD; crf is varied"
        return {**super().settings(), "why": note}


class H264(PyAvCodec):
    """H.264 by x264."""

    name, title = "h264", "H.264 (x264 veryslow)"
    encoder, decoder = "libx264", "h264"
    crfs: ClassVar = {1: (30, 34, 38, 42, 46, 50), 2: (30, 34, 38, 42, 46, 50)}

    def options(self, crf: int) -> dict[str, str]:
        parameters = "keyint=infinite:aud=0:nal-hrd=none:fullrange=on:log-level=-1:bframes=8"
        return {"preset": "veryslow", "crf": str(crf), "x264-params": parameters}

    def settings(self) -> dict[str, str]:
        note = "one key frame (keyint=infinite), supplemental NAL units (SEI) removed; crf is varied"
        return {**super().settings(), "why": note}

    def clean(self, packet: bytes) -> bytes:
        """The NAL units of an Annex B packet, but for SEI (type 6), which holds the encoder's settings."""
        units = packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
        return b"".join(b"\0\0\1" + unit for unit in units if unit and unit[0] & 31 != 6)


class Av1(PyAvCodec):
    """AV1 by SVT-AV1, preset 4."""

    name, title = "av1", "AV1 (SVT-AV1 preset 4)"
    encoder, decoder = "libsvtav1", "libdav1d"
    preset: ClassVar[int] = 4
    crfs: ClassVar = {1: (50, 56, 60, 63, 66, 70), 2: (50, 56, 60, 63, 66, 70)}

    def options(self, crf: int) -> dict[str, str]:
        parameters = f"crf={crf}:keyint=-1:lp=1:color-range=1:scd=0"
        return {"preset": str(self.preset), "svtav1-params": parameters}

    def settings(self) -> dict[str, str]:
        note = "one key frame (keyint=-1), temporal delimiters removed, one thread (lp=1); crf is varied"
        return {**super().settings(), "why": note}

    def clean(self, packet: bytes) -> bytes:
        return packet.removeprefix(TEMPORAL_DELIMITER)


class Av1Slow(Av1):
    """AV1 by SVT-AV1, preset 1: several times slower than preset 4."""

    name, title = "av1-slow", "AV1 (SVT-AV1 preset 1)"
    preset: ClassVar[int] = 1


class Av1Sharp(Av1):
    """AV1 by SVT-AV1 with the choices that our references are coded with: LPIPS likes them, PSNR does not."""

    name, title = "av1-sharp", "AV1 (SVT-AV1 preset 4, sharp)"
    crfs: ClassVar = {1: (53, 58, 62, 65, 68, 70), 2: (53, 58, 62, 65, 68, 70)}

    def options(self, crf: int) -> dict[str, str]:
        options = super().options(crf)
        return {**options, "svtav1-params": f"{options['svtav1-params']}:{SHARP}"}


class Vp9(PyAvCodec):
    """VP9 by libvpx."""

    name, title = "vp9", "VP9 (libvpx good, speed 0)"
    encoder, decoder = "libvpx-vp9", "vp9"
    crfs: ClassVar = {1: (44, 50, 56, 60, 63), 2: (44, 50, 56, 60, 63)}

    def options(self, crf: int) -> dict[str, str]:
        return {
            "crf": str(crf), "b": "0", "deadline": "good", "cpu-used": "0", "lag-in-frames": "25",
            "auto-alt-ref": "1", "arnr-maxframes": "7", "g": "9999",
        }  # fmt: skip

    def settings(self) -> dict[str, str]:
        note = "one key frame (g=9999), alternate references, one pass; crf is varied"
        return {**super().settings(), "why": note}
