"""The sending end: landmarks of every frame at once, references when they are worth it, at a rate that fits.

Frames are only ever predicted from what the receiver has acknowledged, so that a lost packet costs its own
frame and no other.  A new reference is used as soon as it is acknowledged; until then the old one serves.
The sender knows what the receiver will show and holds the original: now and then it renders a frame that it
has sent, and where the feedback network's verdict on that is bad, it makes a new reference.  The rate follows
the receiver's reports: it falls when packets queue up or are lost in numbers, and rises slowly otherwise.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from neurocodec.call.payload import (
    FrameSymbols,
    LandmarkEntry,
    ReceiverReport,
    ReferenceFragment,
    code_symbols,
    pack_entries,
)
from neurocodec.call.rtp import CLOCK, LANDMARKS, LARGEST_PAYLOAD, REFERENCE, UDP_IP, RtpPacket
from neurocodec.format.block import StillCodec
from neurocodec.keypoints.quantization import dequantize, quantize
from neurocodec.models.feedback import FeedbackNetwork
from neurocodec.models.motion_engine import MotionEngine, Reference
from neurocodec.references.still import decode_still, encode_still
from neurocodec.types import Picture

SOURCE = 0x4E46_4301
USUAL_RATE, LOWEST_RATE = 40_000.0, 2_000.0
"""Bit/s that a sender begins with where the link allows, and that it never falls below."""
_DELAYED, _LOSSY = 0.08, 0.15
"""Queueing (seconds) and loss (share) at which the rate falls."""
_FALL, _RISE = 0.8, 1.04
_SHARE = 0.7
"""Most of the rate that landmarks may take before frames are left out."""
_STRIDES = (1, 2, 3, 5, 8)
_REDUNDANT_LOSS = 0.015
"""Loss from which on a packet carries the frame before as well."""
_FRAGMENT_SECONDS, _LEAST_FRAGMENT = 0.05, 250
"""How long a fragment of a reference may keep landmarks waiting, and its least size in bytes."""
_CHECKED = 12
"""Every how many frames that are sent one gets a verdict."""
_KEPT_FRAMES, _KEPT_REFERENCES = 256, 4
_HEADERS = UDP_IP + 12
_PATIENCE = 1.0
"""Seconds after which a reference that was not acknowledged is sent again."""
_BAD_VERDICT, _INTERVAL = 0.45, 1.0
"""Verdict at which a new reference is made, and least seconds between references."""


@dataclass
class _SentReference:
    reference: Reference
    fragments: list[ReferenceFragment]
    enqueued: float


@dataclass
class SentTotals:
    """What was sent, in bytes by kind, and how the rate went (time, bit/s)."""

    bytes: dict[str, int] = field(default_factory=dict)
    rates: list[tuple[float, float]] = field(default_factory=list)
    references: int = 0
    skipped: int = 0

    def add(self, kind: str, count: int) -> None:
        self.bytes[kind] = self.bytes.get(kind, 0) + count


class Sender:
    """Pictures in, packets out; driven from outside with the time.

    ``rate`` in bit/s is what it begins with and never exceeds.  ``feedback`` gives the verdicts on which new
    references are made; without it, only the receiver asks for one.
    """

    def __init__(
        self, engine: MotionEngine, feedback: FeedbackNetwork | None, rate: float, fps: float
    ) -> None:
        self._engine, self._feedback, self._rate, self._fps = engine, feedback, rate, fps
        self.totals = SentTotals()
        self.target = rate
        self._sequence = 0
        self._queue: deque[tuple[str, ReferenceFragment]] = deque()
        self._credit, self._last_time = 0.0, 0.0
        self._references: OrderedDict[int, _SentReference] = OrderedDict()
        self._acknowledged: int | None = None
        self._sent: OrderedDict[int, FrameSymbols] = OrderedDict()
        self._newest_decoded = -1
        self._before: LandmarkEntry | None = None
        self._unchecked = 0
        self._bad = self._asked = False
        self._last_reference = -1e9
        self._packet_bytes = 40.0
        self._loss = 0.0
        self._counted = (0, 0)

    @property
    def quantization(self) -> int:
        """Steps per unit at the present rate."""
        return 100 if self.target > 16_000 else 60

    @property
    def stride(self) -> int:
        """Every how many frames are sent at the present rate."""
        fitting = (s for s in _STRIDES if self._landmark_rate(s) <= _SHARE * self.target)
        return next(fitting, _STRIDES[-1])

    def _landmark_rate(self, stride: int) -> float:
        """Bit/s that landmarks take if every ``stride``-th frame is sent."""
        return (self._packet_bytes + _HEADERS) * 8 * self._fps / stride

    def frame(self, number: int, picture: Picture, now: float) -> list[bytes]:
        """Packets for a picture (S,S,3), which was taken and measured by ``now``."""
        out: list[bytes] = []
        due = now - self._last_reference >= _INTERVAL
        if not self._references or ((self._bad or self._asked) and due and not self._queue):
            self._new_reference(number, picture, now)
        if number % self.stride == 0:
            out.append(self._landmarks(number, picture))
        else:
            self.totals.skipped += 1
        self.totals.rates.append((now, self.target))
        return out + self.poll(now)

    def check(self, number: int, picture: Picture) -> bool:
        """Render the frame (S,S,3) just sent and have its verdict, if it is time; whether that was done.

        Not before the receiver has the newest reference: one that is on its way may already help.
        """
        newest = next(reversed(self._references), None)
        sent = self._sent.get(number)
        due = self._unchecked >= _CHECKED and newest is not None and newest == self._acknowledged
        if self._feedback is None or not due or sent is None or sent.reference != newest:
            return False
        reference = self._references[sent.reference].reference
        values = dequantize(sent.symbols, reference.coded, sent.quantization, self._engine.basis)
        rendering = self._engine.render([reference], self._engine.keypoints_from(values[None]))
        self._bad = float(self._feedback(rendering, [picture])[0]) <= _BAD_VERDICT
        self._unchecked = 0
        return True

    def poll(self, now: float) -> list[bytes]:
        """Packets of references that may go out by now."""
        newest = next(reversed(self._references), None)
        if newest is not None and newest != self._acknowledged and not self._queue:
            waiting = self._references[newest]
            if now - waiting.enqueued > _PATIENCE:
                self._enqueue(waiting.fragments, "repeated", now)
        spare = max(self.target - self._landmark_rate(self.stride), 0.25 * self.target)
        self._credit = min(self._credit + (now - self._last_time) * spare, 8.0 * LARGEST_PAYLOAD)
        self._last_time = now
        out = []
        while self._queue and self._credit > 0:
            kind, fragment = self._queue.popleft()
            packet = self._packet(REFERENCE, fragment.frame, fragment.pack(), kind)
            self._credit -= 8 * (len(packet) + UDP_IP)
            out.append(packet)
        return out

    def take_report(self, report: ReceiverReport, now: float) -> None:
        """Take what the receiver tells."""
        expected, received = report.expected - self._counted[0], report.received - self._counted[1]
        if expected > 0:
            self._counted = (report.expected, report.received)
            # packets on their way look lost, and make up for it when they arrive
            self._loss += 0.2 * (1 - received / expected - self._loss)
        if report.delay > _DELAYED or self._loss > _LOSSY:
            self.target = max(LOWEST_RATE, self.target * _FALL)
        else:
            self.target = min(self._rate, self.target * _RISE)
        if report.reference is not None and report.reference in self._references:
            self._acknowledged = max(report.reference, self._acknowledged or 0)
        if report.frame is not None:
            self._newest_decoded = max(report.frame, self._newest_decoded)
        self._asked = report.refresh
        queued = {(f.reference, f.index) for _, f in self._queue}
        for name, index in report.missing:
            known = self._references.get(name)
            if known and index < len(known.fragments) and (name, index) not in queued:
                self._enqueue([known.fragments[index]], "repeated", now)

    def _new_reference(self, number: int, picture: Picture, now: float) -> None:
        quality = float(np.clip(6 + self.target / 1500, 8, 45))
        data = encode_still(picture, StillCodec.AV1, quality)
        reference = self._engine.reference(decode_still(data, StillCodec.AV1, self._engine.size))
        name = self.totals.references
        largest = int(np.clip(_FRAGMENT_SECONDS * self.target / 8, _LEAST_FRAGMENT, LARGEST_PAYLOAD))
        count = max(1, -(-len(data) // largest))
        size = -(-len(data) // count)
        fragments = [
            ReferenceFragment(name, number, k, count, data[k * size : (k + 1) * size]) for k in range(count)
        ]
        self._references[name] = _SentReference(reference, fragments, now)
        while len(self._references) > _KEPT_REFERENCES:
            del self._references[next(n for n in self._references if n != self._acknowledged)]
        self._queue.clear()
        self._enqueue(fragments, "references", now)
        self.totals.references += 1
        self._last_reference, self._bad, self._asked = now, False, False

    def _enqueue(self, fragments: Iterable[ReferenceFragment], kind: str, now: float) -> None:
        for fragment in fragments:
            self._queue.append((kind, fragment))
            self._references[fragment.reference].enqueued = now

    def _landmarks(self, number: int, picture: Picture) -> bytes:
        """The packet of a frame's landmarks."""
        name = self._acknowledged if self._acknowledged is not None else next(iter(self._references))
        reference, steps = self._references[name].reference, self.quantization
        values = self._engine.coded_values(picture[None])[0]
        symbols = quantize(values, reference.coded, steps, self._engine.basis)
        base, predicted = self._sent.get(self._newest_decoded), None
        if base and (base.reference, base.quantization) == (name, steps):
            predicted = base.symbols
        entry = LandmarkEntry(
            number, name, None if predicted is None else self._newest_decoded, steps,
            code_symbols(symbols, predicted),
        )  # fmt: skip
        self._sent[number] = FrameSymbols(name, steps, symbols)
        self._unchecked += 1
        while len(self._sent) > _KEPT_FRAMES:
            self._sent.popitem(last=False)
        payload = own = pack_entries([entry])
        if self._before is not None and self._loss > _REDUNDANT_LOSS:
            payload = pack_entries([entry, self._before])
        self.totals.add("redundancy", len(payload) - len(own))
        self._before = entry
        self._packet_bytes += 0.1 * (len(payload) - self._packet_bytes)
        return self._packet(LANDMARKS, number, payload, "landmarks", len(own))

    def _packet(self, kind: int, frame: int, payload: bytes, name: str, count: int | None = None) -> bytes:
        """A packet, ``count`` bytes of whose payload (None: all) are counted under ``name``."""
        packet = RtpPacket(kind, self._sequence, round(frame * CLOCK / self._fps), SOURCE, payload).pack()
        self._sequence += 1
        self.totals.add(name, len(payload) if count is None else count)
        self.totals.add("headers", len(packet) - len(payload) + UDP_IP)
        return packet
