"""From a block's bytes to each frame's references and symbols, and a digest of them.  Integers only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block, ReferenceFrame, frame_runs
from neurocodec.format.checksums import Part
from neurocodec.format.head import head_header
from neurocodec.format.header import Header, LandmarkCode
from neurocodec.keypoints.packet_code import PacketDecoder
from neurocodec.keypoints.quantization import Symbols


class SymbolDigest:
    """SHA-256 over what a file decodes to: every frame's symbols and every reference's bytes.

    Of a layered file also the bytes of the layer's pictures, and the squares of heads.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def symbols(self, u: NDArray[np.int32]) -> None:
        self._digest.update(b"u" + u.astype("<i4").tobytes())

    def reference(self, data: bytes) -> None:
        self._digest.update(b"r" + data)

    def layered(self, block: Block, header: Header) -> None:
        """Everything of a block of a layered file: its layer, then each head's squares and frames.

        Raises:
            DamagedFileError: the landmarks of a head cannot be read.
        """
        for picture in block.layer.pictures if block.layer else ():
            self._digest.update(b"l" + picture.data)
        for part in block.heads:
            for square in part.squares:
                self._digest.update(b"q%d,%d,%d" % (square.x, square.y, square.side))
            self.frames(parse_frames(part.block, head_header(header)))

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


def code_of(block: Block, header: Header) -> LandmarkCode:
    """The code that a block's landmark packets are in."""
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
