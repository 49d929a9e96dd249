"""The receiving end: a jitter buffer, concealment of what is missing, and feedback.

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

from neurocodec.call.payload import Entry, Feedback, Fragment, decode_symbols, unpack_entries
from neurocodec.call.rtp import CLOCK, FEEDBACK, LANDMARKS, REFERENCE, UDP_IP, Counter, RtpPacket
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import StillCodec
from neurocodec.keypoints.quantization import Symbols, dequantize
from neurocodec.models.engine import Engine, Reference
from neurocodec.references.still import decode_still
from neurocodec.types import Picture

FEEDBACK_SECONDS = 0.1
PREDICTED_SECONDS = 0.2
"""How long a missing face is predicted before it stands still."""
_DAMPING = 0.8
_LEAST_MARGIN, _MOST_MARGIN = 0.02, 0.5
_KEPT_FRAMES, _KEPT_REFERENCES = 256, 4
_MISSING = 0.3
"""Seconds without a further fragment after which the missing ones count as lost."""
_ASK_AGAIN = 0.4
"""Seconds between requests for the same missing fragment."""


@dataclass
class Shown:
    """A frame as it was shown: when, how it came about, and the picture (None: nothing to show yet)."""

    frame: int
    time: float
    how: str
    picture: Picture | None


@dataclass
class _Arriving:
    frame: int
    count: int
    parts: dict[int, bytes] = field(default_factory=dict)
    asked: float = 0.0
    since: float = 0.0


class Receiver:
    """Packets in, pictures and feedback out; driven from outside with the time."""

    def __init__(self, engine: Engine, fps: float, buffer: float | None = None) -> None:
        self._engine, self._fps = engine, fps
        self._coordinates = engine.coordinates
        self._fixed = buffer
        self._references: OrderedDict[int, Reference] = OrderedDict()
        self._arriving: OrderedDict[int, _Arriving] = OrderedDict()
        self._frames: OrderedDict[int, tuple[int, int, Symbols]] = OrderedDict()
        self._counter = Counter()
        self._numbers: tuple[int, int] | None = None
        self._received = self._octets = 0
        self._transit: deque[float] = deque(maxlen=100)
        self._last: tuple[int, int, NDArray[np.float32]] | None = None
        self._velocity: NDArray[np.float32] | None = None
        self._picture: Picture | None = None
        self._newest_reference: int | None = None
        self._newest_frame: int | None = None
        self._refresh = False
        self._sequence = 0
        self.damaged = 0
        self.feedback_bytes = 0

    # Packets

    def packet(self, data: bytes, now: float) -> None:
        """Take a packet that arrives now; what is damaged is counted and dropped."""
        try:
            packet = RtpPacket.unpack(data)
            number = self._counter.extended(packet.sequence)
            low, high = self._numbers or (number, number)
            self._numbers = min(low, number), max(high, number)
            self._received += 1
            self._octets += len(data) + UDP_IP
            if packet.kind == LANDMARKS:
                self._transit.append(now - packet.timestamp / CLOCK)
                for entry in reversed(unpack_entries(packet.payload)):
                    self._take(entry)
            elif packet.kind == REFERENCE:
                self._fragment(Fragment.unpack(packet.payload), now)
            else:
                self.damaged += 1
        except DamagedFileError:
            self.damaged += 1

    def _take(self, entry: Entry) -> None:
        if entry.frame in self._frames:
            return
        base: Symbols | None = None
        if entry.base is not None:
            known = self._frames.get(entry.base)
            if known is None or known[:2] != (entry.reference, entry.quantization):
                return
            base = known[2]
        symbols = decode_symbols(entry.data, base, self._coordinates)
        self._frames[entry.frame] = entry.reference, entry.quantization, symbols
        self._newest_frame = max(entry.frame, self._newest_frame or 0)
        while len(self._frames) > _KEPT_FRAMES:
            self._frames.popitem(last=False)

    def _fragment(self, part: Fragment, now: float) -> None:
        if part.reference in self._references or part.reference < (self._newest_reference or 0):
            return
        some = self._arriving.setdefault(
            part.reference, _Arriving(part.frame, part.count, asked=now, since=now)
        )
        if part.count != some.count:
            raise DamagedFileError("fragments of a reference contradict each other")
        some.parts[part.index] = part.data
        some.since = now
        if len(some.parts) < some.count:
            while len(self._arriving) > _KEPT_REFERENCES:
                self._arriving.popitem(last=False)
            return
        data = b"".join(some.parts[k] for k in range(some.count))
        for number in [n for n in self._arriving if n <= part.reference]:
            del self._arriving[number]
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
            return 0.06
        seen = np.array(self._transit)
        return float(np.clip(np.quantile(seen, 0.96) - seen.min() + 0.01, _LEAST_MARGIN, _MOST_MARGIN))

    def due(self, frame: int) -> float | None:
        """When a frame is to be shown; None before anything has arrived."""
        if not self._transit:
            return None
        return frame / self._fps + min(self._transit) + self.margin

    def show(self, frame: int, now: float) -> Shown:
        """The picture for a frame, whose time has come."""
        how, points, name = self._points(frame)
        if points is not None and name is not None:
            self._picture = self._engine.render([self._references[name]], points[None])[0]
        return Shown(frame, now, how, self._picture)

    def _decoded(self, frame: int) -> tuple[int, NDArray[np.float32]] | None:
        """A frame's reference and keypoints (N,2), if both are here."""
        known = self._frames.get(frame)
        if known is None or known[0] not in self._references:
            return None
        name, steps, symbols = known
        values = dequantize(symbols, self._references[name].coded, steps, self._engine.basis)
        return name, self._engine.points(values[None])[0]

    def _points(self, frame: int) -> tuple[str, NDArray[np.float32] | None, int | None]:
        """How a frame's keypoints come about, they themselves (N,2), and their reference."""
        own = self._decoded(frame)
        if own is not None:
            self._remember(frame, own)
            return "received", own[1], own[0]
        if self._last is None or self._last[1] not in self._references:
            self._refresh = self._refresh or (not self._references and not self._arriving)
            return "nothing" if self._picture is None else "frozen", None, None
        last, name, points = self._last
        for later in range(frame + 1, frame + 9):
            found = self._decoded(later)
            if found is not None and found[0] == name:
                share = (frame - last) / (later - last)
                return "interpolated", points + np.float32(share) * (found[1] - points), name
        gap = frame - last
        if gap / self._fps <= PREDICTED_SECONDS:
            moved = points
            if self._velocity is not None:
                steps = (1 - _DAMPING**gap) / (1 - _DAMPING)
                moved = points + np.float32(steps) * self._velocity
            return "predicted", moved, name
        return "frozen", None, None

    def _remember(self, frame: int, own: tuple[int, NDArray[np.float32]]) -> None:
        name, points = own
        self._velocity = None
        if self._last is not None and self._last[1] == name and 0 < frame - self._last[0] <= 8:
            self._velocity = (points - self._last[2]) / np.float32(frame - self._last[0])
        self._last = frame, name, points

    # Feedback

    def feedback(self, now: float) -> bytes:
        """A feedback packet."""
        low, high = self._numbers or (0, -1)
        recent = list(self._transit)[-8:]
        queueing = min(recent) - min(self._transit) if recent else 0.0
        missing: list[tuple[int, int]] = []
        for number, some in self._arriving.items():
            if now - some.since > _MISSING and now - some.asked > _ASK_AGAIN:
                some.asked = now
                missing += [(number, k) for k in range(some.count) if k not in some.parts]
        report = Feedback(
            high - low + 1, self._received, self._octets, queueing, self._newest_reference,
            self._newest_frame, self._refresh, tuple(missing[:32]),
        )  # fmt: skip
        packet = RtpPacket(FEEDBACK, self._sequence, round(now * CLOCK), 1, report.pack()).pack()
        self._sequence += 1
        self.feedback_bytes += len(packet) + UDP_IP
        return packet
