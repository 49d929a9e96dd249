"""The peers of the FFmpeg program: VVC (libvvenc) and AV1 (libaom)."""

from __future__ import annotations

from neurocodec.compare.external import ProgramCodec
from neurocodec.still import TEMPORAL_DELIMITER


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
