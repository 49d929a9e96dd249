"""What is fuzzed: each target takes any bytes, and may raise nothing but errors of the package.

``parser``: header, block and description payloads under checksums that fit (those of parts are not looked
at).  ``entropy``: landmark packets in all three codes.  ``container``: a whole file, by index and in order,
repaired, and read by ``info``.  ``frames``: a whole file up to what is rendered: references as pictures,
symbols, gaps, what is concealed.  ``references``: the bytes of stills and chains, through the real decoders.
``models``: files given to ``models import``.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from neurocodec.decoding.concealment import Anchors, between
from neurocodec.decoding.filling import fill
from neurocodec.entropy.bits import ByteReader
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format import block_reader
from neurocodec.format.block import Block, ReferenceFrame, StillCodec
from neurocodec.format.block_reader import read_block, salvage_block
from neurocodec.format.checksums import CHECK_BYTES, Part
from neurocodec.format.damage import Loss
from neurocodec.format.description import FORBIDDEN, read_description, write_description
from neurocodec.format.head import read_head
from neurocodec.format.header import AudioTrack, Colour, Fit, Header, LandmarkCode, read_header
from neurocodec.format.layer import LayerPart, LayerPicture, read_layer
from neurocodec.format.limits import Limits
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import Timeline
from neurocodec.inspect.info import read_info
from neurocodec.inspect.repair import repair_stream
from neurocodec.keypoints.packet_code import PacketDecoder
from neurocodec.keypoints.packets import SymbolDigest, outline_frames, parse_frames, parse_head
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.layers.switches import block_switches
from neurocodec.models.model_files import describe, load
from neurocodec.models.published import read_published
from neurocodec.references.still import decode_still
from neurocodec.references.store import ReferenceStore

SIDE = 64
LIMITS = Limits(frames=20_000, chunk=1 << 20)
_LAYERED, _MOST_PICTURES = 240, 20
_NOTHING = np.zeros((1, 1, 3), np.uint8)
_AUDIO = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960)


def _header(choice: int) -> Header:
    """One of a few headers; from 240 on, of layered files."""
    if choice >= _LAYERED:
        return replace(_header(choice % 2 + 130), layered=True, version=5, fit=Fit.REGION)
    version = 1 + choice % 2 if choice < 128 else 4
    return Header(
        SIDE, SIDE, Fraction(1), 0, Fit(choice // 2 % 3), Fraction(1, 1000), Fraction(25), 0, Colour(), "m",
        bytes(8), SIDE, 1 + choice // 6 % 4, 100,
        LandmarkCode.GOLOMB if version == 1 else LandmarkCode(choice // 24 % 3),
        _AUDIO if choice & 64 else None, (), version, False,
    )  # fmt: skip


def parser(data: bytes) -> None:
    """First byte: a header for a block, a layer or a head, or a header (255) or description (254) payload."""
    choice, payload = data[:1], data[1:]
    with suppress(NeurocodecError), patch.object(block_reader, "check", _any_checksum):
        if choice == b"\xff":
            read_header(payload, 5).content()
        elif choice == b"\xfe":
            found = read_description(payload)
            assert not FORBIDDEN.search(found.title) and read_description(write_description(found)) == found
        elif choice:
            header = _header(choice[0])
            if header.layered and choice[0] % 3:
                if choice[0] % 3 == 1:
                    block_switches(read_layer(payload, header), header)
                else:
                    _head(payload, header)
                return
            left = salvage_block(payload, header)
            if left and not header.layered:
                with suppress(DamagedFileError):
                    parse_frames(left[0], header)
                outline_frames(left[0])
            block = read_block(payload, header)
            if not header.layered:
                parse_frames(block, header)


def _head(payload: bytes, header: Header) -> None:
    """A head of a block that shows every third picture."""
    part = read_head(payload)
    layer = LayerPart(tuple(LayerPicture(offset, b"k") for offset in range(0, 300, 3)))
    block = Block(0, tuple(range(part.stop)), 0, (), (), b"", layer=layer, heads=(part,))
    found = parse_head(part, block, header)
    assert [frame.square for frame in found] == [part.square_at(frame.offset) for frame in found]


def _any_checksum(source: ByteReader, _start: int, _part: str) -> None:
    source.take(CHECK_BYTES)


def entropy(data: bytes) -> None:
    """First byte: code and number of coordinates."""
    if not data:
        return
    count = 2 * (1 + data[0] // 3 % 30)
    with suppress(DamagedFileError):
        decoder = PacketDecoder(LandmarkCode(data[0] % 3), count, data[1:])
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


def frames(data: bytes) -> None:
    """All that ``decode`` does before and after a network."""
    with suppress(NeurocodecError):
        reader = NfcReader(io.BytesIO(data), "input", LIMITS)
        header, store, anchors = reader.header, ReferenceStore(SIDE), Anchors()
        timeline, items = Timeline(header), []
        if header.model_size != SIDE:
            return
        if header.layered:
            _layered_frames(reader)
            return
        for item in reader:
            block = item.salvaged if isinstance(item, Loss) else item[0]
            if block is None:
                continue
            items += timeline.until(block.first_frame, block.pts[0] if block.pts else None)
            timeline.seen(block.first_frame, block.pts)
            for k, reference in enumerate(block.references):
                store.add(block.first_reference + k, reference)
            anchors.add(block)
            items += block.audio
            if not store.has(block.needed):
                continue
            with suppress(DamagedFileError):
                for frame in outline_frames(block) if block.lost else parse_frames(block, header):
                    for number in frame.uses:
                        store.picture(number)
                    if Part.LANDMARKS in block.lost:
                        between(frame.pts, anchors.of(block), lambda _: np.zeros((2, 2), np.float32))
                    items.append((frame.pts, _NOTHING))
        for _ in fill(items[:2000], header):
            pass


def _layered_frames(reader: NfcReader) -> None:
    """What a layered file is made of, up to what is rendered."""
    layer, pictures = None, 0
    for item in reader:
        block = item.salvaged if isinstance(item, Loss) else item[0]
        if block is None:
            continue
        with suppress(DamagedFileError):
            SymbolDigest().layered(block, reader.header)
        if block.layer and block.layer.size:
            layer = LayerDecoder(block.layer.size)
        for picture in block.layer.pictures if block.layer and layer else ():
            pictures += 1
            if pictures <= _MOST_PICTURES:
                with suppress(DamagedFileError):
                    layer.decode(picture.data)


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
        load(describe(path))
    with suppress(NeurocodecError):
        read_published(path)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parser": parser,
    "entropy": entropy,
    "container": container,
    "frames": frames,
    "references": references,
    "models": models_import,
}
__all__ = ["TARGETS"]
