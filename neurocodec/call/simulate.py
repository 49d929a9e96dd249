"""A call on a virtual clock: everything happens in order of time, whatever this machine's speed."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from neurocodec.call.link import Link, LinkCounts, LinkOptions
from neurocodec.call.payload import ReceiverReport
from neurocodec.call.receiver import REPORT_SECONDS, Receiver, Shown
from neurocodec.call.rtp import UDP_IP, RtpPacket
from neurocodec.call.sender import USUAL_RATE, Sender, SentTotals
from neurocodec.models.feedback import FeedbackNetwork
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.models.timing import measure
from neurocodec.types import Picture

POLL_SECONDS = 0.01
TAIL_SECONDS = 1.0
"""How long is waited for the last frames."""


@dataclass(frozen=True)
class Call:
    """What is sent and how: pictures (S,S,3) at ``fps``, through a link whose randomness ``seed`` decides.

    ``rate``: the sender's in bit/s; ``buffer``: a fixed margin of the jitter buffer in seconds (None:
    adaptive).
    """

    pictures: list[Picture]
    fps: float
    link: LinkOptions
    seed: int = 1
    rate: float = USUAL_RATE
    buffer: float | None = None

    @property
    def end(self) -> float:
        """Seconds after which it is over."""
        return len(self.pictures) / self.fps + self.link.delay + TAIL_SECONDS


@dataclass(frozen=True)
class ComputeTimes:
    """Seconds that measuring a frame and a verdict take the sender, and rendering a frame the receiver."""

    measure: float = 0.012
    render: float = 0.030
    verdict: float = 0.040


@dataclass
class CallResult:
    """What happened: what was shown, what was sent, and the fate of the packets."""

    shown: list[Shown] = field(default_factory=list)
    sent: SentTotals = field(default_factory=SentTotals)
    packets: LinkCounts = field(default_factory=LinkCounts)
    report_bytes: int = 0
    damaged: int = 0
    compute: ComputeTimes = field(default_factory=ComputeTimes)


def measured_times(engine: MotionEngine, feedback: FeedbackNetwork, pictures: list[Picture]) -> ComputeTimes:
    """Medians of this machine, over a few pictures."""
    reference = engine.reference(pictures[0])

    def median(action: Callable[[Picture], Any]) -> float:
        some = itertools.cycle(pictures)
        return measure(lambda: action(next(some)), 0, least=7).median

    def rendered(picture: Picture) -> Any:
        return engine.render([reference], reference.keypoints[None])

    return ComputeTimes(
        median(lambda p: engine.coded_values(p[None])),
        median(rendered),
        median(lambda p: feedback(rendered(p), [p])),
    )


def take_report(sender: Sender, data: bytes, now: float) -> None:
    """Hand a report packet to the sender.

    Raises:
        DamagedFileError: it is none.
    """
    sender.take_report(ReceiverReport.unpack(RtpPacket.unpack(data).payload), now)


def simulate(
    engine: MotionEngine, feedback: FeedbackNetwork | None, call: Call, compute: ComputeTimes
) -> CallResult:
    """Send the pictures through the link; the way back has the same delay, jitter and loss.

    The sender does one thing at a time; a frame for which it is two frames late is left out.
    """
    pictures, fps = call.pictures, call.fps
    sender = Sender(engine, feedback, call.rate, fps)
    receiver = Receiver(engine, fps, call.buffer)
    there, back = Link(call.link, call.seed), Link(call.link.way_back, call.seed + 1)
    result = CallResult(sent=sender.totals, packets=there.counts, compute=compute)
    events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
    order = itertools.count()

    def at(moment: float | None, action: Callable[..., None], *arguments: Any) -> None:
        """Have ``action(moment, *arguments)`` called in its turn; never, where the moment is None."""
        if moment is not None:
            heapq.heappush(events, (moment, next(order), action, arguments))

    def send(packets: list[bytes], now: float) -> None:
        for packet in packets:
            at(there.send(now, len(packet) + UDP_IP), receive, packet)

    def take(k: int, free: float) -> None:
        """The first picture from ``k`` on for which the sender, free from then on, is in time."""
        while k < len(pictures) and free >= (k + 2) / fps:
            sender.totals.skipped += 1
            k += 1
        if k < len(pictures):
            at(max(k / fps, free) + compute.measure, frame, k)

    def frame(now: float, k: int) -> None:
        send(sender.frame(k, pictures[k], now), now)
        checked = sender.check(k, pictures[k])
        take(k + 1, now + compute.verdict if checked else now)

    def poll(now: float) -> None:
        send(sender.poll(now), now)
        at(now + POLL_SECONDS, poll)

    def receive(now: float, packet: bytes) -> None:
        receiver.packet(packet, now)

    def report(now: float) -> None:
        packet = receiver.report(now)
        at(back.send(now, len(packet) + UDP_IP), hear, packet)
        at(now + REPORT_SECONDS, report)

    def hear(now: float, packet: bytes) -> None:
        take_report(sender, packet, now)

    def show(now: float, k: int) -> None:
        due = receiver.due(k)
        if due is None or due > now + 1e-9:
            # nothing has come yet, or the margin has grown since this was planned
            at(now + POLL_SECONDS if due is None else due, show, k)
            return
        item = receiver.show(k, now)
        before = result.shown[-1].time if result.shown else 0.0
        item.time = max(now, before) + compute.render
        result.shown.append(item)
        if k + 1 < len(pictures):
            at(max(now, receiver.due(k + 1) or now), show, k + 1)

    take(0, 0.0)
    at(POLL_SECONDS, poll)
    at(REPORT_SECONDS, report)
    at(0.0, show, 0)
    while events:
        now, _, action, arguments = heapq.heappop(events)
        if now > call.end:
            break
        action(now, *arguments)
    result.report_bytes, result.damaged = receiver.report_bytes, receiver.damaged
    return result
