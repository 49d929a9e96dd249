"""The FFmpeg program that the package imageio-ffmpeg carries: VVC, libaom, VMAF and XPSNR."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

from neurocodec.errors import DamagedFileError
from neurocodec.measure.clips import Frames
from neurocodec.media.ffmpeg_program import lacks, listing, run
from neurocodec.peers.codec import Codec, Point, enlarge, scales, shrink
from neurocodec.peers.planes import from_raw, to_raw
from neurocodec.references.ycbcr import TEMPORAL_DELIMITER


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
    """Width and height that :func:`neurocodec.peers.codec.shrink` gives frames of this shape."""
    width, height = (
        max(2, 2 * round(side / scale / 2)) if scale > 1 else side for side in (shape[2], shape[1])
    )
    return width, height


class Vvc(ProgramCodec):
    """VVC by VVenC."""

    name, title = "vvc", "VVC (VVenC slow)"
    encoder, form, decoder = "libvvenc", "vvc", "vvc"
    levels, varied = (32, 37, 42, 47, 52), "qp"

    def options(self, level: int | str) -> list[str]:
        parameters = "intraperiod=9999:decodedpicturehash=0:verbosity=0:threads=1"
        return ["-preset", "slow", "-qp", str(level), "-qpa", "1", "-vvenc-params", parameters]

    def settings(self) -> dict[str, str]:
        return {**super().settings(), "why": "one key frame, no picture hashes; qp is varied"}


class LibAom(ProgramCodec):
    """AV1 by libaom."""

    name, title = "libaom", "AV1 (libaom cpu-used 2)"
    encoder, form, decoder = "libaom-av1", "obu", "libdav1d"
    levels, varied = (46, 52, 57, 60, 63), "crf"

    def options(self, level: int | str) -> list[str]:
        options = "-cpu-used 2 -b:v 0 -g 9999 -lag-in-frames 48 -auto-alt-ref 1 -threads 1 -row-mt 0"
        return ["-crf", str(level), *options.split()]

    def settings(self) -> dict[str, str]:
        note = "two passes, one key frame (g=9999), 48 frames ahead, delimiters not counted; crf is varied"
        return {**super().settings(), "why": note}

    def _passes(self) -> int:
        return 2

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
