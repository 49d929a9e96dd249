"""From a block's bytes to each frame's references and symbols, and a digest of them.  Integers only."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block, ReferenceFrame, Region, frame_runs
from neurocodec.format.checksums import Part
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Header, LandmarkCode
from neurocodec.keypoints.packet_code import PacketDecoder, PacketEncoder
from neurocodec.keypoints.quantization import Symbols


class SymbolDigest:
    """SHA-256 over what a file decodes to: every frame's symbols and every reference's bytes.

    Of a layered file: the bytes of the layer's pictures, and every head's squares and symbols.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def symbols(self, u: NDArray[np.int32]) -> None:
        self._digest.update(b"u" + u.astype("<i4").tobytes())

    def reference(self, data: bytes) -> None:
        self._digest.update(b"r" + data)

    def layered(self, block: Block, header: Header) -> None:
        """Everything of a block of a layered file: its layer, then each head's squares and symbols.

        Raises:
            DamagedFileError: the landmarks of a head cannot be read.
        """
        for picture in block.layer.pictures if block.layer else ():
            self.reference(picture.data)
        if block.layer and block.layer.switches is not None:
            self._digest.update(b"s" + block.layer.switches)
        for part in block.heads:
            self._digest.update(b"h%d,%d,%d" % (part.head, part.start, part.frames))
            for offset, square in part.squares:
                self._digest.update(b"q%d,%d,%d,%d" % (offset, square.x, square.y, square.side))
            for frame in parse_head(part, block, header):
                if frame.symbols is not None:
                    self.symbols(frame.symbols)

    def frames(self, frames: Iterable[FrameSymbols]) -> None:
        """Symbols and references of frames, in order of time."""
        for frame in frames:
            if frame.reference:
                self.reference(frame.reference.data)
            elif frame.symbols is not None:
                self.symbols(frame.symbols)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True)
class FrameSymbols:
    """One frame of a block: the reference that it shows, if any, and what it is rendered from.

    ``uses`` are the numbers of one or two references, ``symbols`` u (2N,) its keypoints relative to those
    of the first one (None: the reference itself is shown, or they are lost).  ``fresh``: prediction starts
    again here.
    """

    pts: int
    reference: ReferenceFrame | None
    uses: tuple[int, ...]
    symbols: Symbols | None
    fresh: bool = False


@dataclass(frozen=True)
class HeadSymbols:
    """One frame of a head, at ``offset`` in its block, in this ``square``.

    ``symbols`` are u (2N,), its keypoints relative to those of the picture of the layer before it (None: a
    picture of the layer is shown, or they are lost).  ``fresh``: prediction starts again here.
    """

    offset: int
    square: Region
    fresh: bool
    symbols: Symbols | None


def code_of(block: Block | HeadPart, header: Header) -> LandmarkCode:
    """The code that the landmark packets of a block, or of a head, are in."""
    return LandmarkCode.GOLOMB if block.golomb else header.landmark_code


def outline_frames(block: Block) -> list[FrameSymbols]:
    """A block's frames without their symbols."""
    references = {r.offset: (block.first_reference + k, r) for k, r in enumerate(block.references)}
    uses: list[tuple[int, ...]] = []
    starts = set()
    for run in frame_runs(block):
        starts.add(len(uses))
        uses += [(run.first,) if run.second is None else (run.first, run.second)] * run.frames
    frames = []
    rendered = iter(enumerate(uses))
    for k, pts in enumerate(block.pts):
        if k in references:
            number, reference = references[k]
            frames.append(FrameSymbols(pts, reference, (number,), None))
        else:
            place, used = next(rendered)
            frames.append(FrameSymbols(pts, None, used, None, place in starts))
    return frames


def parse_frames(block: Block, header: Header) -> list[FrameSymbols]:
    """Read a block's landmark packets.  Integers only: no network, no float.

    Raises:
        DamagedFileError: the packets do not fill the block exactly, hold impossible values, or are lost.
    """
    if Part.LANDMARKS in block.lost:
        raise DamagedFileError("the landmarks are lost")
    decoder = PacketDecoder(code_of(block, header), header.coordinates, block.landmarks)
    frames = []
    for frame in outline_frames(block):
        if frame.fresh:
            decoder.refresh()
        frames.append(frame if frame.reference else replace(frame, symbols=decoder.read()))
    decoder.finish()
    return frames


def outline_head(part: HeadPart, shown: Collection[int]) -> list[HeadSymbols]:
    """A head's frames without their symbols, in a block that shows pictures of the layer at these offsets."""
    frames = []
    squares = dict(part.squares)
    square, fresh = part.squares[0][1], True
    for offset in range(part.start, part.stop):
        fresh = fresh or offset in squares
        square = squares.get(offset, square)
        here = offset in shown
        frames.append(HeadSymbols(offset, square, fresh and not here, None))
        fresh = here
    return frames


def parse_head(part: HeadPart, block: Block, header: Header) -> list[HeadSymbols]:
    """Read the packets of a head of a block, whose layer is there; one entry for each of its frames.

    Raises:
        DamagedFileError: the packets do not fill the chunk exactly, or hold impossible values.
    """
    shown = {picture.offset for picture in block.layer.pictures} if block.layer else frozenset[int]()
    decoder = PacketDecoder(code_of(part, header), header.coordinates, part.landmarks)
    frames = []
    for frame in outline_head(part, shown):
        if frame.fresh:
            decoder.refresh()
        frames.append(frame if frame.offset in shown else replace(frame, symbols=decoder.read()))
    decoder.finish()
    return frames


def pack_head(symbols: Sequence[tuple[bool, Symbols]], header: Header) -> tuple[bytes, bool]:
    """The packets of a head, each whether prediction starts again and symbols (2N,); and whether in golomb.

    That is the smaller of the header's code and, where this is *range*, golomb.
    """
    packed = _packed(symbols, header.landmark_code, header)
    if header.landmark_code is LandmarkCode.RANGE:
        plain = _packed(symbols, LandmarkCode.GOLOMB, header)
        if len(plain) < len(packed):
            return plain, True
    return packed, False


def _packed(symbols: Sequence[tuple[bool, Symbols]], code: LandmarkCode, header: Header) -> bytes:
    encoder = PacketEncoder(code, header.coordinates)
    for fresh, u in symbols:
        if fresh:
            encoder.refresh()
        encoder.write(u)
    return encoder.getvalue()
