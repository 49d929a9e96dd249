"""What is fuzzed: each target takes any bytes, and may raise nothing but errors of the package.

``parser``: header and block payloads under a checksum that fits.  ``entropy``: landmark packets in all three
codes.  ``container``: a whole file, by index and in order, repaired, and read by ``info``.  ``references``:
the bytes of stills and chains, through the real decoders.  ``models``: files given to ``models import``.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neurocodec import models
from neurocodec.block import ReferenceFrame, StillCodec, read_block
from neurocodec.checkpoints_io import detect_checkpoint
from neurocodec.container import NfcReader
from neurocodec.decoder import ReferenceStore
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.header import AudioTrack, Colour, Fit, Header, read_header
from neurocodec.info import read_info
from neurocodec.landmarks import LandmarkCode, LandmarkDecoder
from neurocodec.limits import Limits
from neurocodec.packets import parse_frames
from neurocodec.salvage import repair_stream
from neurocodec.still import decode_still

SIDE = 64
LIMITS = Limits(frames=20_000, chunk=1 << 20)
_AUDIO = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960)


def _header(choice: int) -> Header:
    """One of a few headers."""
    version = 1 + choice % 2
    return Header(
        SIDE, SIDE, Fraction(1), 0, Fit(choice // 2 % 3), Fraction(1, 1000), Fraction(25), 0, Colour(), "m",
        bytes(8), SIDE, 1 + choice // 6 % 4, 100,
        LandmarkCode.GOLOMB if version == 1 else LandmarkCode(choice // 24 % 3),
        _AUDIO if choice & 64 else None, (), version, False,
    )  # fmt: skip


def parser(data: bytes) -> None:
    """First byte: a header for a block, or (255) a header payload."""
    choice, payload = data[:1], data[1:]
    with suppress(NeurocodecError):
        if choice == b"\xff":
            read_header(payload, 2).content()
        elif choice:
            header = _header(choice[0])
            parse_frames(read_block(payload, header), header)


def entropy(data: bytes) -> None:
    """First byte: code and number of coordinates."""
    if not data:
        return
    count = 2 * (1 + data[0] // 3 % 30)
    with suppress(DamagedFileError):
        decoder = LandmarkDecoder(LandmarkCode(data[0] % 3), count, data[1:])
        for k in range(50):
            if k % 7 == 0:
                decoder.refresh()
            decoder.read()
        decoder.finish()


def container(data: bytes) -> None:
    """A whole file."""
    with suppress(NeurocodecError):
        reader = NfcReader(io.BytesIO(data), "input", LIMITS)
        for entry in (reader.index() or [])[:20]:
            with suppress(DamagedFileError):
                reader.block_at(entry)
    with suppress(NeurocodecError):
        read_info(io.BytesIO(data), packets=True, limits=LIMITS)
    with suppress(NeurocodecError):
        out = io.BytesIO()
        repair_stream(io.BytesIO(data), "input", out, LIMITS)
        again = io.BytesIO()
        report = repair_stream(io.BytesIO(out.getvalue()), "input", again, LIMITS)
        assert not report.losses and again.getvalue() == out.getvalue(), "a repaired file is not whole"


def references(data: bytes) -> None:
    """First byte: codec; for AV1, further references follow where 0xFF 0xFE stands."""
    if not data:
        return
    codec = StillCodec(data[0] % 3)
    if codec is not StillCodec.AV1:
        with suppress(DamagedFileError):
            assert decode_still(data[1:], codec, SIDE).shape == (SIDE, SIDE, 3)
        return
    store = ReferenceStore(SIDE)
    parts = data[1:].split(b"\xff\xfe")[:6]
    for k, part in enumerate(parts):
        store.add(k, ReferenceFrame(k, codec, part, dependent=k > 0))
    for k in reversed(range(len(parts))):
        with suppress(DamagedFileError):
            assert store.picture(k).shape == (SIDE, SIDE, 3)


_scratch = tempfile.NamedTemporaryFile(suffix=".pth")  # noqa: SIM115


def models_import(data: bytes) -> None:
    """A file given to ``models import``."""
    path = Path(_scratch.name)
    path.write_bytes(data)
    with suppress(NeurocodecError):
        models.load(models.describe(path))
    with suppress(NeurocodecError):
        detect_checkpoint(path)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parser": parser,
    "entropy": entropy,
    "container": container,
    "references": references,
    "models": models_import,
}
__all__ = ["TARGETS"]
