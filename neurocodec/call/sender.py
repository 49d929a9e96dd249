"""The sending end: landmarks of every frame at once, references when they are worth it, at a rate that fits.

Frames are only ever predicted from what the receiver has acknowledged, so that a lost packet costs its own
frame and no other.  A new reference is used as soon as it is acknowledged; until then the old one serves.
The sender knows what the receiver will show and holds the original: now and then it renders a frame that it
has sent, and where the verdict on that is bad, it makes a new reference.  The rate follows what comes back:
it falls when packets queue up or are lost in numbers, and rises slowly otherwise.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np

from neurocodec.call.payload import Entry, Feedback, Fragment, code_symbols, pack_entries
from neurocodec.call.rtp import CLOCK, LANDMARKS, LARGEST_PAYLOAD, REFERENCE, UDP_IP, RtpPacket
from neurocodec.format.block import StillCodec
from neurocodec.keypoints.quantization import Symbols, dequantize, quantize
from neurocodec.models.engine import Engine, Reference
from neurocodec.models.feedback import FeedbackNetwork
from neurocodec.references.still import decode_still, encode_still
from neurocodec.types import Picture

SOURCE = 0x4E46_4301
LOWEST_RATE, HIGHEST_RATE = 2_000.0, 400_000.0
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
_JUDGED = 12
"""Every how many frames that are sent one is judged."""
_HISTORY = 256
_HEADERS = UDP_IP + 12
_PATIENCE = 1.0
"""Seconds after which a reference that was not acknowledged is sent again."""


@dataclass
class SenderOptions:
    """``rate`` to begin with and never to exceed (bit/s); ``alpha``: verdict (1 = perfect) at which a new
    reference is made; ``interval``: least seconds between references."""

    rate: float = 40_000.0
    alpha: float = 0.45
    interval: float = 1.0


@dataclass
class _Sent:
    reference: int
    quantization: int
    symbols: Symbols


@dataclass
class SenderReport:
    """What was sent, in bytes by kind, and how the rate went (time, bit/s)."""

    bytes: dict[str, int] = field(default_factory=dict)
    rates: list[tuple[float, float]] = field(default_factory=list)
    references: int = 0
    skipped: int = 0

    def add(self, kind: str, count: int) -> None:
        self.bytes[kind] = self.bytes.get(kind, 0) + count


class Sender:
    """Pictures in, packets out; driven from outside with the time.

    ``judge`` gives the verdicts on which new references are made; without it, only the receiver asks for one.
    """

    def __init__(
        self, engine: Engine, judge: FeedbackNetwork | None, options: SenderOptions, fps: float
    ) -> None:
        self._engine, self._judge, self._options, self._fps = engine, judge, options, fps
        self.report = SenderReport()
        self.target = options.rate
        self._sequence = 0
        self._queue: deque[tuple[str, int, int, bytes]] = deque()
        self._credit, self._last_time = 0.0, 0.0
        self._references: OrderedDict[int, tuple[Reference, list[Fragment], float]] = OrderedDict()
        self._acknowledged: int | None = None
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._newest_decoded: int | None = None
        self._before: Entry | None = None
        self._unjudged = 0
        self._bad = self._asked = False
        self._last_reference = -1e9
        self._packet_bytes = 40.0
        self._loss = 0.0
        self._feedback = (0, 0)

    @property
    def quantization(self) -> int:
        """Steps per unit at the present rate."""
        return 100 if self.target > 16_000 else 60

    @property
    def stride(self) -> int:
        """Every how many frames are sent at the present rate."""
        for stride in _STRIDES:
            if (self._packet_bytes + _HEADERS) * 8 * self._fps / stride <= _SHARE * self.target:
                return stride
        return _STRIDES[-1]

    def frame(self, number: int, picture: Picture, now: float) -> list[bytes]:
        """Packets for a picture (S,S,3), which was taken and measured by ``now``."""
        out: list[bytes] = []
        due = now - self._last_reference >= self._options.interval
        if not self._references or ((self._bad or self._asked) and due and not self._queue):
            self._new_reference(number, picture, now)
        if number % self.stride == 0:
            out.append(self._landmarks(number, picture))
        else:
            self.report.skipped += 1
        self.report.rates.append((now, self.target))
        return out + self.poll(now)

    def judge(self, number: int, picture: Picture) -> bool:
        """Render and judge the frame (S,S,3) just sent, if it is time; whether that was done.

        Not before the receiver has the newest reference: one that is on its way may already help.
        """
        newest = next(reversed(self._references), None)
        due = self._unjudged >= _JUDGED and newest is not None and newest == self._acknowledged
        sent = self._sent.get(number)
        if self._judge is None or sent is None or sent.reference != newest or not due:
            return False
        reference = self._references[sent.reference][0]
        values = dequantize(sent.symbols, reference.coded, sent.quantization, self._engine.basis)
        rendering = self._engine.render([reference], self._engine.points(values[None]))
        self._bad = float(self._judge(rendering, [picture])[0]) <= self._options.alpha
        self._unjudged = 0
        return True

    def poll(self, now: float) -> list[bytes]:
        """Packets of references that may go out by now."""
        newest = next(reversed(self._references), None)
        if newest is not None and newest != self._acknowledged and not self._queue:
            _, fragments, since = self._references[newest]
            if now - since > _PATIENCE:
                self._enqueue(fragments, "repeated", now)
        landmark_rate = (self._packet_bytes + _HEADERS) * 8 * self._fps / self.stride
        spare = max(self.target - landmark_rate, 0.25 * self.target)
        self._credit = min(self._credit + (now - self._last_time) * spare, 8.0 * LARGEST_PAYLOAD)
        self._last_time = now
        out = []
        while self._queue and self._credit > 0:
            kind, _reference, frame, payload = self._queue.popleft()
            packet = self._packet(REFERENCE, frame, payload, kind)
            self._credit -= 8 * (len(packet) + UDP_IP)
            out.append(packet)
        return out

    def feedback(self, report: Feedback, now: float) -> None:
        """Take what the receiver tells."""
        expected, received = report.expected - self._feedback[0], report.received - self._feedback[1]
        if expected > 0:
            self._feedback = (report.expected, report.received)
            # packets on their way look lost, and make up for it when they arrive
            self._loss += 0.2 * (1 - received / expected - self._loss)
        if report.delay > _DELAYED or self._loss > _LOSSY:
            self.target = max(LOWEST_RATE, self.target * _FALL)
        else:
            self.target = min(self._options.rate, HIGHEST_RATE, self.target * _RISE)
        if report.reference is not None and report.reference in self._references:
            self._acknowledged = max(report.reference, self._acknowledged or 0)
        if report.frame is not None:
            self._newest_decoded = max(report.frame, self._newest_decoded or 0)
        self._asked = report.refresh
        queued = {(r, index) for _, r, index, _ in self._waiting()}
        for reference, index in report.missing:
            known = self._references.get(reference)
            if known and index < len(known[1]) and (reference, index) not in queued:
                self._enqueue([known[1][index]], "repeated", now)

    def _waiting(self) -> list[tuple[str, int, int, bytes]]:
        return [(kind, r, Fragment.unpack(data).index, data) for kind, r, _, data in self._queue]

    def _new_reference(self, number: int, picture: Picture, now: float) -> None:
        quality = float(np.clip(6 + self.target / 1500, 8, 45))
        data = encode_still(picture, StillCodec.AV1, quality)
        reference = self._engine.reference(decode_still(data, StillCodec.AV1, self._engine.size))
        name = self.report.references
        largest = int(np.clip(_FRAGMENT_SECONDS * self.target / 8, _LEAST_FRAGMENT, LARGEST_PAYLOAD))
        count = max(1, -(-len(data) // largest))
        size = -(-len(data) // count)
        parts = [data[k * size : (k + 1) * size] for k in range(count)]
        fragments = [Fragment(name, number, k, count, part) for k, part in enumerate(parts)]
        self._references[name] = (reference, fragments, now)
        while len(self._references) > 4:
            oldest = next(iter(self._references))
            if oldest == self._acknowledged:
                self._references.move_to_end(oldest, last=False)
                oldest = list(self._references)[1]
            del self._references[oldest]
        self._queue.clear()
        self._enqueue(fragments, "references", now)
        self.report.references += 1
        self._last_reference, self._bad, self._asked = now, False, False

    def _enqueue(self, fragments: list[Fragment], kind: str, now: float) -> None:
        for fragment in fragments:
            self._queue.append((kind, fragment.reference, fragment.frame, fragment.pack()))
            reference, parts, _ = self._references[fragment.reference]
            self._references[fragment.reference] = (reference, parts, now)

    def _landmarks(self, number: int, picture: Picture) -> bytes:
        name = self._acknowledged if self._acknowledged is not None else next(iter(self._references))
        reference = self._references[name][0]
        values = self._engine.measure(picture[None])[0]
        steps = self.quantization
        symbols = quantize(values, reference.coded, steps, self._engine.basis)
        base, predicted = self._newest_decoded, None
        if base is not None and base in self._sent:
            sent = self._sent[base]
            if (sent.reference, sent.quantization) == (name, steps):
                predicted = sent.symbols
        base = None if predicted is None else base
        entry = Entry(number, name, base, steps, code_symbols(symbols, predicted))
        self._sent[number] = _Sent(name, steps, symbols)
        self._unjudged += 1
        while len(self._sent) > _HISTORY:
            self._sent.popitem(last=False)
        entries = [entry]
        if self._before is not None and self._loss > _REDUNDANT_LOSS:
            entries.append(self._before)
        payload = pack_entries(entries)
        own = len(pack_entries([entry]))
        self.report.add("redundancy", len(payload) - own)
        self._before = entry
        self._packet_bytes += 0.1 * (len(payload) - self._packet_bytes)
        return self._packet(LANDMARKS, number, payload, "landmarks", own)

    def _packet(self, kind: int, frame: int, payload: bytes, name: str, count: int | None = None) -> bytes:
        packet = RtpPacket(kind, self._sequence, round(frame * CLOCK / self._fps), SOURCE, payload).pack()
        self._sequence += 1
        self.report.add(name, len(payload) if count is None else count)
        self.report.add("headers", len(packet) - len(payload) + UDP_IP)
        return packet
