"""One block of at most five seconds: timestamps, reference frames, landmark packets, audio packets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from neurocodec.format.checksums import Part

if TYPE_CHECKING:
    from neurocodec.format.head import HeadPart
    from neurocodec.format.layer import LayerPart

BLOCK_SECONDS = 5
MAX_FRAMES = 5000
MAX_AUDIO_PACKETS = 5000
MAX_REFERENCE_BYTES = 1 << 24
MAX_COUNT = 1 << 40
TIMING_BITS = 47
MAX_NEEDED = 16
"""A version 1 block may use references at most this many places before its own first one."""
MAX_CHAIN = 1024
"""A version 2 block may need at most this many references before its own first one to be decoded."""
MAX_BLOCK_REFERENCES = 256
"""References in a version 2 block."""
MAX_KEPT_BYTES = 1 << 28
"""Bytes of a block's references and those it needs: what a reader has to remember."""
RECENT = 64
"""Decoded references from before a version 2 block that its frames may use."""


class Flag(IntEnum):
    IRREGULAR = 1
    AUDIO = 2
    CONTINUES = 4
    RUNS = 8
    PAIRS = 16
    GOLOMB = 32
    GUARDED = 64
    ENTRY = 128


KNOWN_FLAGS = {1: 0x07, 2: 0x3F, 3: 0x3F, 4: 0x7F, 5: 0x7F}
LAYERED_FLAGS = Flag.IRREGULAR | Flag.AUDIO | Flag.GUARDED | Flag.ENTRY
"""Those of blocks of layered files."""


class StillCodec(IntEnum):
    """What a reference frame is coded with; the number stands in the file."""

    JPEG = 0
    HEVC = 1
    AV1 = 2


@dataclass(frozen=True)
class ReferenceFrame:
    """A refresh: at frame ``offset`` of the block this still is shown; other frames refer to it.

    A ``dependent`` one (version 2, AV1) is an inter picture, to be decoded after the reference before it.
    """

    offset: int
    codec: StillCodec
    data: bytes
    dependent: bool = False


@dataclass(frozen=True)
class Run:
    """``frames`` consecutive landmark frames that use the same one or two references, named by number."""

    frames: int
    first: int
    second: int | None = None


@dataclass(frozen=True)
class SoundPacket:
    """One packet of the audio codec; pts and duration in the audio time base."""

    data: bytes
    pts: int
    duration: int


@dataclass(frozen=True)
class Region:
    """A square of the source's upright picture, in its pixels."""

    x: int
    y: int
    side: int


@dataclass(frozen=True)
class Block:
    """What one block chunk holds, in a layered file with the chunks of its layer and heads.

    ``first_reference`` is the number its own first reference has (they count from 0 in the file).
    ``needed`` are the numbers of earlier references without which it cannot be decoded, ``current`` the
    one of them in use when it starts (None: the last of them).  ``runs`` say which references the landmark
    frames use; without them that is the one shown last before the frame and, with ``pairs``, also the next
    one to be shown.  With ``golomb`` its packets are in that code, whatever the header says.

    In a layered file landmarks are those of ``heads``, and there are no references.  With ``entry`` nothing
    before the block is needed to decode it or what follows.
    """

    first_frame: int
    pts: tuple[int, ...]
    first_reference: int
    needed: tuple[int, ...]
    references: tuple[ReferenceFrame, ...]
    landmarks: bytes
    audio: tuple[SoundPacket, ...] = ()
    region: Region | None = None
    current: int | None = None
    pairs: bool = False
    runs: tuple[Run, ...] | None = None
    golomb: bool = False
    guarded: bool = False
    lost: frozenset[Part] = frozenset()
    layer: LayerPart | None = None
    heads: tuple[HeadPart, ...] = ()
    entry: bool = False

    @property
    def payload_bytes(self) -> dict[str, int]:
        """Bytes of references and landmarks (those of heads too), audio and, if there is one, the layer."""
        sizes = {
            "references": sum(len(r.data) for r in self.references),
            "landmarks": len(self.landmarks) + sum(len(part.landmarks) for part in self.heads),
            "audio": sum(len(p.data) for p in self.audio),
        }
        if self.layer is not None:
            sizes["layer"] = self.layer.bytes
        return sizes


def frame_runs(block: Block) -> list[Run]:
    """All landmark frames of a block in runs, as stored or by the default rule."""
    if block.runs is not None:
        return list(block.runs)
    shown = sorted((r.offset, block.first_reference + k) for k, r in enumerate(block.references))
    stops = [*shown, (len(block.pts), None)]
    runs, position = [], 0
    current = block.needed[-1] if block.current is None and block.needed else block.current
    for offset, number in stops:
        if offset > position:
            assert current is not None
            runs.append(Run(offset - position, current, number if block.pairs else None))
        position, current = offset + 1, number
    return runs
