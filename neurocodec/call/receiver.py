"""The receiving end: a jitter buffer, concealment of what is missing, and reports to the sender.

A frame is shown at a fixed time after it was taken: the shortest transit seen plus a margin that follows the
jitter.  What has not come by then is concealed: interpolated when a later frame is here already, else
predicted from the motion of the last ones, for a short while.  After that the picture stands still, which is
counted as frozen.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocodec.call.payload import (
    FrameSymbols,
    LandmarkEntry,
    ReceiverReport,
    ReferenceFragment,
    decode_symbols,
    unpack_entries,
)
from neurocodec.call.rtp import CLOCK, LANDMARKS, REFERENCE, REPORT, UDP_IP, PacketCounter, RtpPacket
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import StillCodec
from neurocodec.keypoints.quantization import Symbols, dequantize
from neurocodec.models.motion_engine import MotionEngine, Reference
from neurocodec.references.still import decode_still
from neurocodec.types import Picture

REPORT_SECONDS = 0.1
"""Between reports."""
PREDICTED_SECONDS = 0.2
"""How long a missing face is predicted before it stands still."""
_DAMPING = 0.8
_AHEAD = 8
"""Frames within which one that is here serves to interpolate, or to tell the motion."""
_FIRST_MARGIN, _LEAST_MARGIN, _MOST_MARGIN = 0.06, 0.02, 0.5
_KEPT_FRAMES, _KEPT_REFERENCES = 256, 4
_MISSING = 0.3
"""Seconds without a further fragment after which the missing ones count as lost."""
_ASK_AGAIN = 0.4
"""Seconds between requests for the same missing fragment."""
_MOST_ASKED = 32


@dataclass
class Shown:
    """A frame as it was shown: when, how it came about, and the picture (None: nothing to show yet)."""

    frame: int
    time: float
    how: str
    picture: Picture | None


@dataclass
class _Arriving:
    """A reference of which fragments are here."""

    count: int
    asked: float
    since: float
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class _Pose:
    """A frame's keypoints (N,2), to be rendered from a reference."""

    frame: int
    reference: int
    keypoints: NDArray[np.float32]


class Receiver:
    """Packets in, pictures and reports out; driven from outside with the time.

    ``buffer``: a fixed margin of the jitter buffer in seconds (None: adaptive).
    """

    def __init__(self, engine: MotionEngine, fps: float, buffer: float | None = None) -> None:
        self._engine, self._fps, self._fixed = engine, fps, buffer
        self._references: OrderedDict[int, Reference] = OrderedDict()
        self._arriving: OrderedDict[int, _Arriving] = OrderedDict()
        self._frames: OrderedDict[int, FrameSymbols] = OrderedDict()
        self._counter = PacketCounter()
        self._received = self._octets = 0
        self._transit: deque[float] = deque(maxlen=100)
        self._last: _Pose | None = None
        self._velocity: NDArray[np.float32] | None = None
        self._picture: Picture | None = None
        self._newest_reference: int | None = None
        self._newest_frame: int | None = None
        self._refresh = False
        self._sequence = 0
        self.damaged = 0
        self.report_bytes = 0

    # Packets

    def packet(self, data: bytes, now: float) -> None:
        """Take a packet that arrives now; what is damaged is counted and dropped."""
        try:
            packet = RtpPacket.unpack(data)
            self._counter.extended(packet.sequence)
            self._received += 1
            self._octets += len(data) + UDP_IP
            if packet.kind == LANDMARKS:
                self._transit.append(now - packet.timestamp / CLOCK)
                for entry in reversed(unpack_entries(packet.payload)):
                    self._take_entry(entry)
            elif packet.kind == REFERENCE:
                self._take_fragment(ReferenceFragment.unpack(packet.payload), now)
            else:
                self.damaged += 1
        except DamagedFileError:
            self.damaged += 1

    def _take_entry(self, entry: LandmarkEntry) -> None:
        if entry.frame in self._frames:
            return
        base: Symbols | None = None
        if entry.base is not None:
            known = self._frames.get(entry.base)
            if not known or (known.reference, known.quantization) != (entry.reference, entry.quantization):
                return
            base = known.symbols
        symbols = decode_symbols(entry.data, base, self._engine.coordinates)
        self._frames[entry.frame] = FrameSymbols(entry.reference, entry.quantization, symbols)
        self._newest_frame = max(entry.frame, self._newest_frame or 0)
        while len(self._frames) > _KEPT_FRAMES:
            self._frames.popitem(last=False)

    def _take_fragment(self, part: ReferenceFragment, now: float) -> None:
        if part.reference in self._references or part.reference < (self._newest_reference or 0):
            return
        some = self._arriving.setdefault(part.reference, _Arriving(part.count, now, now))
        if part.count != some.count:
            raise DamagedFileError("fragments of a reference contradict each other")
        some.parts[part.index] = part.data
        some.since = now
        if len(some.parts) < some.count:
            while len(self._arriving) > _KEPT_REFERENCES:
                self._arriving.popitem(last=False)
            return
        data = b"".join(some.parts[k] for k in range(some.count))
        for name in [n for n in self._arriving if n <= part.reference]:
            del self._arriving[name]
        picture = decode_still(data, StillCodec.AV1, self._engine.size)
        self._references[part.reference] = self._engine.reference(picture)
        self._newest_reference = part.reference
        self._refresh = False
        while len(self._references) > _KEPT_REFERENCES:
            self._references.popitem(last=False)

    # Showing

    @property
    def margin(self) -> float:
        """Seconds that a frame waits beyond the shortest transit."""
        if self._fixed is not None:
            return self._fixed
        if len(self._transit) < 2:
            return _FIRST_MARGIN
        seen = np.array(self._transit)
        return float(np.clip(np.quantile(seen, 0.96) - seen.min() + 0.01, _LEAST_MARGIN, _MOST_MARGIN))

    def due(self, frame: int) -> float | None:
        """When a frame is to be shown; None before anything has arrived."""
        if not self._transit:
            return None
        return frame / self._fps + min(self._transit) + self.margin

    def show(self, frame: int, now: float) -> Shown:
        """The picture for a frame, whose time has come."""
        how, pose = self._pose(frame)
        if pose is not None:
            reference = self._references[pose.reference]
            self._picture = self._engine.render([reference], pose.keypoints[None])[0]
        return Shown(frame, now, how, self._picture)

    def _decoded(self, frame: int) -> _Pose | None:
        """A frame's keypoints, if its symbols and their reference are here."""
        known = self._frames.get(frame)
        if known is None or known.reference not in self._references:
            return None
        coded = self._references[known.reference].coded
        values = dequantize(known.symbols, coded, known.quantization, self._engine.basis)
        return _Pose(frame, known.reference, self._engine.keypoints_from(values[None])[0])

    def _pose(self, frame: int) -> tuple[str, _Pose | None]:
        """How a frame's keypoints come about, and they themselves."""
        own = self._decoded(frame)
        if own is not None:
            self._remember(own)
            return "received", own
        last = self._last
        if last is None or last.reference not in self._references:
            self._refresh = self._refresh or (not self._references and not self._arriving)
            return "nothing" if self._picture is None else "frozen", None
        for later in range(frame + 1, frame + 1 + _AHEAD):
            found = self._decoded(later)
            if found is not None and found.reference == last.reference:
                share = np.float32((frame - last.frame) / (later - last.frame))
                between = last.keypoints + share * (found.keypoints - last.keypoints)
                return "interpolated", _Pose(frame, last.reference, between)
        gap = frame - last.frame
        if gap / self._fps > PREDICTED_SECONDS:
            return "frozen", None
        moved = last.keypoints
        if self._velocity is not None:
            moved = moved + np.float32((1 - _DAMPING**gap) / (1 - _DAMPING)) * self._velocity
        return "predicted", _Pose(frame, last.reference, moved)

    def _remember(self, own: _Pose) -> None:
        last, self._last, self._velocity = self._last, own, None
        if last and last.reference == own.reference and 0 < own.frame - last.frame <= _AHEAD:
            self._velocity = (own.keypoints - last.keypoints) / np.float32(own.frame - last.frame)

    # Reports

    def report(self, now: float) -> bytes:
        """A report packet."""
        recent = list(self._transit)[-8:]
        queueing = min(recent) - min(self._transit) if recent else 0.0
        missing: list[tuple[int, int]] = []
        for name, some in self._arriving.items():
            if now - some.since > _MISSING and now - some.asked > _ASK_AGAIN:
                some.asked = now
                missing += [(name, k) for k in range(some.count) if k not in some.parts]
        report = ReceiverReport(
            self._counter.expected, self._received, self._octets, queueing, self._newest_reference,
            self._newest_frame, self._refresh, tuple(missing[:_MOST_ASKED]),
        )  # fmt: skip
        packet = RtpPacket(REPORT, self._sequence, round(now * CLOCK), 1, report.pack()).pack()
        self._sequence += 1
        self.report_bytes += len(packet) + UDP_IP
        return packet
