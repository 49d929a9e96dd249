"""The peers of the FFmpeg program that the package imageio-ffmpeg carries: VVC and libaom."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

from neurocodec.measure.clips import Frames
from neurocodec.media.ffmpeg_program import lacks, run, version
from neurocodec.peers.codec import Point
from neurocodec.peers.planes import from_raw, to_raw
from neurocodec.peers.scaled import ScaledCodec
from neurocodec.references.ycbcr import TEMPORAL_DELIMITER

_RAW = ("-f", "rawvideo", "-pix_fmt", "yuv420p")


class ProgramCodec(ScaledCodec):
    """An encoder of the FFmpeg program; raw frames in through a pipe, an elementary stream out."""

    encoder: ClassVar[str]
    form: ClassVar[str]
    """FFmpeg's name of the elementary stream's format."""
    decoder: ClassVar[str]
    passes: ClassVar[int] = 1

    @abstractmethod
    def options(self, level: int | str) -> list[str]:
        """The encoder's options."""

    def missing(self) -> str | None:
        return lacks("encoders", self.encoder)

    def version(self) -> str:
        return f"{self.encoder} of {version()}"

    def command(self) -> str:
        return " ".join(self.options(self.varied.upper()))

    def split(self, stream: bytes) -> list[bytes]:
        """The packets of what the program wrote, without what no decoder needs."""
        return [stream]

    def join(self, packets: list[bytes]) -> bytes:
        """Inverse of :meth:`split`."""
        return b"".join(packets)

    def encode_scaled(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        size = f"{frames.shape[2]}x{frames.shape[1]}"
        command = [*_RAW, "-s", size, "-r", str(fps), "-i", "-"]
        command += ["-c:v", self.encoder, *self.options(point[self.varied])]
        raw = to_raw(frames)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(1, self.passes + 1):
                passing = ["-pass", str(number), "-passlogfile", "log"] if self.passes > 1 else []
                run(*command, *passing, "-f", self.form, "out", data=raw, folder=folder)
            return self.split((folder / "out").read_bytes())

    def decode_scaled(self, packets: list[bytes], width: int, height: int) -> Frames:
        source = ("-f", self.form, "-c:v", self.decoder, "-i", "-")
        raw = run(*source, *_RAW, "-fps_mode", "passthrough", "-", data=self.join(packets))
        return from_raw(raw, width, height)


class Vvc(ProgramCodec):
    """VVC by VVenC."""

    name, title = "vvc", "VVC (VVenC slow)"
    encoder, form, decoder = "libvvenc", "vvc", "vvc"
    levels, varied = (32, 37, 42, 47, 52), "qp"
    why = "one key frame, no picture hashes"

    def options(self, level: int | str) -> list[str]:
        parameters = "intraperiod=9999:decodedpicturehash=0:verbosity=0:threads=1"
        return ["-preset", "slow", "-qp", str(level), "-qpa", "1", "-vvenc-params", parameters]


class LibAom(ProgramCodec):
    """AV1 by libaom."""

    name, title = "libaom", "AV1 (libaom cpu-used 2)"
    encoder, form, decoder = "libaom-av1", "obu", "libdav1d"
    levels, varied, passes = (46, 52, 57, 60, 63), "crf", 2
    why = "two passes, one key frame (g=9999), 48 frames ahead, delimiters not counted"

    def options(self, level: int | str) -> list[str]:
        options = "-cpu-used 2 -b:v 0 -g 9999 -lag-in-frames 48 -auto-alt-ref 1 -threads 1 -row-mt 0"
        return ["-crf", str(level), *options.split()]

    def split(self, stream: bytes) -> list[bytes]:
        return temporal_units(stream)

    def join(self, packets: list[bytes]) -> bytes:
        return b"".join(TEMPORAL_DELIMITER + p for p in packets)


def temporal_units(stream: bytes) -> list[bytes]:
    """An AV1 stream of sized OBUs (AV1 specification, 5.3) cut at its temporal delimiters, without them."""
    units: list[bytearray] = []
    at = 0
    while at < len(stream):
        header = stream[at]
        body = at + (2 if header & 4 else 1)
        length, shift = 0, 0
        while True:
            byte = stream[body]
            length |= (byte & 127) << shift
            body, shift = body + 1, shift + 7
            if byte < 128:
                break
        if header >> 3 & 15 == 2:
            units.append(bytearray())
        elif units:
            units[-1] += stream[at : body + length]
        at = body + length
    return [bytes(u) for u in units]
