"""Sends references: coded, decoded and made ready to render with; and keeps account of their chains."""

from __future__ import annotations

from collections import deque

from neurocodec.encoding.block_builder import BlockBuilder
from neurocodec.encoding.framing import Frame
from neurocodec.encoding.stretches import Placed
from neurocodec.format.block import (
    BLOCK_SECONDS,
    MAX_BLOCK_REFERENCES,
    MAX_CHAIN,
    RECENT,
    ReferenceFrame,
    StillCodec,
)
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import EncodeSettings
from neurocodec.references.coder import ReferenceCoder


class ReferenceSender:
    """The references of one file.

    A chain is an independent reference and those that depend on it.  ``current`` is the reference in use at
    the end of the last block.
    """

    def __init__(self, engine: MotionEngine, settings: EncodeSettings) -> None:
        codec = StillCodec[settings.reference_codec.upper()]
        chained = settings.refresh == "lookahead"
        self._engine, self._period = engine, settings.reference_period
        self.coder = ReferenceCoder(codec, settings.reference_quality, engine.size, chained)
        self._chains: deque[tuple[int, int]] = deque(maxlen=RECENT)
        self.current: Placed | None = None

    @property
    def newest_chain(self) -> int:
        """Number of the independent reference that the newest chain begins with."""
        return self._chains[-1][0] if self._chains else 0

    def begins_anew(self, builder: BlockBuilder) -> bool:
        """Whether a block needs a reference of its own at its first frame.

        So it is where none is in use, or the one in use lies too far back; and where an independent one is
        due, which the next will then be.
        """
        if self.current is None:
            self.coder.restart()
            return True
        sent, newest = builder.first_reference, self.newest_chain
        since = min((pts for n, pts in self._chains if n in (newest, self.current.chain)), default=0)
        age = float((builder.pts[0] - since) * builder.header.time_base)
        long = sent - newest > MAX_CHAIN - MAX_BLOCK_REFERENCES
        if long or age + BLOCK_SECONDS > self._period:
            self.coder.restart()
            return True
        return self.current.number < sent - RECENT

    def send(self, builder: BlockBuilder, frame: Frame, offset: int) -> Placed:
        """A new reference, noted in the block."""
        coded = self.coder.code(frame.square)
        number = builder.next_number
        if not coded.dependent:
            self._chains.append((number, frame.pts))
        builder.references.append(ReferenceFrame(offset, self.coder.codec, coded.data, coded.dependent))
        return Placed(offset, number, self.newest_chain, self._engine.reference(coded.picture))

    def oldest_chain(self, builder: BlockBuilder) -> int:
        """Number of the oldest chain that a block may go back to."""
        first, pts = builder.first_reference, builder.pts[0]
        period = self._period / builder.header.time_base
        most = MAX_CHAIN - MAX_BLOCK_REFERENCES
        allowed = [n for n, t in self._chains if pts - t <= period and first - n <= most]
        return min(allowed, default=first)
