"""A call on a virtual clock: everything happens in order of time, whatever this machine's speed."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurocodec.call.link import Link, LinkOptions
from neurocodec.call.payload import Feedback
from neurocodec.call.receiver import FEEDBACK_SECONDS, Receiver, Shown
from neurocodec.call.rtp import UDP_IP, RtpPacket
from neurocodec.call.sender import Sender, SenderOptions, SenderReport
from neurocodec.models.engine import Engine
from neurocodec.models.feedback import FeedbackNetwork
from neurocodec.types import Picture

POLL_SECONDS = 0.01
TAIL_SECONDS = 1.0
"""How long is waited for the last frames."""


@dataclass(frozen=True)
class ComputeTimes:
    """Seconds that measuring a frame takes the sender, rendering one the receiver, judging one the sender."""

    measure: float = 0.012
    render: float = 0.030
    judge: float = 0.040


@dataclass
class CallResult:
    """What happened: what was shown, what was sent."""

    shown: list[Shown] = field(default_factory=list)
    sent: SenderReport = field(default_factory=SenderReport)
    feedback_bytes: int = 0
    packets: int = 0
    dropped: int = 0
    lost: int = 0
    damaged: int = 0
    compute: ComputeTimes = field(default_factory=ComputeTimes)


def measured_times(engine: Engine, judge: FeedbackNetwork, pictures: list[Picture]) -> ComputeTimes:
    """Medians of this machine, over a few pictures."""

    def median(action: Callable[[Picture], Any]) -> float:
        times = []
        for picture in pictures[:7]:
            began = time.perf_counter()
            action(picture)
            times.append(time.perf_counter() - began)
        return float(np.median(times))

    reference = engine.reference(pictures[0])
    return ComputeTimes(
        median(lambda p: engine.measure(p[None])),
        median(lambda p: engine.render([reference], reference.keypoints[None])),
        median(lambda p: judge(engine.render([reference], reference.keypoints[None]), [p])),
    )


def take_feedback(sender: Sender, data: bytes, now: float) -> None:
    """Hand a feedback packet to the sender."""
    sender.feedback(Feedback.unpack(RtpPacket.unpack(data).payload), now)


def simulate(
    engine: Engine,
    judge: FeedbackNetwork | None,
    pictures: list[Picture],
    fps: float,
    link: LinkOptions,
    seed: int,
    sender_options: SenderOptions,
    compute: ComputeTimes,
    buffer: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> CallResult:
    """Send the pictures (S,S,3) through a link; the way back has the same delay, jitter and loss.

    The sender does one thing at a time; a frame for which it is two frames late is left out.
    """
    sender = Sender(engine, judge, sender_options, fps)
    receiver = Receiver(engine, fps, buffer)
    there = Link(link, seed)
    back = Link(LinkOptions(0.0, link.loss, link.delay, link.jitter), seed + 1)
    result = CallResult(sent=sender.report, compute=compute)
    events: list[tuple[float, int, str, Any]] = []
    order = itertools.count()
    end = len(pictures) / fps + link.delay + TAIL_SECONDS

    def at(moment: float, what: str, data: Any = None) -> None:
        heapq.heappush(events, (moment, next(order), what, data))

    def send(packets: list[bytes], now: float) -> None:
        for packet in packets:
            arrival = there.send(now, len(packet) + UDP_IP)
            if arrival is not None:
                at(arrival, "packet", packet)

    def take(k: int, free: float) -> None:
        """The first picture from ``k`` on for which the sender, free from then on, is in time."""
        while k < len(pictures) and free >= (k + 2) / fps:
            sender.report.skipped += 1
            k += 1
        if k < len(pictures):
            at(max(k / fps, free) + compute.measure, "frame", k)

    take(0, 0.0)
    at(POLL_SECONDS, "poll")
    at(FEEDBACK_SECONDS, "feedback")
    at(0.0, "show", 0)
    shown_last = 0.0
    while events:
        now, _, what, data = heapq.heappop(events)
        if now > end:
            break
        if what == "frame":
            send(sender.frame(data, pictures[data], now), now)
            judged = sender.judge(data, pictures[data])
            take(data + 1, now + compute.judge if judged else now)
            if progress:
                progress(data + 1)
        elif what == "poll":
            send(sender.poll(now), now)
            at(now + POLL_SECONDS, "poll")
        elif what == "packet":
            receiver.packet(data, now)
        elif what == "feedback":
            packet = receiver.feedback(now)
            arrival = back.send(now, len(packet) + UDP_IP)
            if arrival is not None:
                at(arrival, "heard", packet)
            at(now + FEEDBACK_SECONDS, "feedback")
        elif what == "heard":
            take_feedback(sender, data, now)
        elif what == "show" and data < len(pictures):
            due = receiver.due(data)
            if due is None or due > now + 1e-9:
                # nothing has come yet, or the margin has grown since this was planned
                at(now + POLL_SECONDS if due is None else due, "show", data)
                continue
            item = receiver.show(data, now)
            item.time = max(now, shown_last) + compute.render
            shown_last = item.time
            result.shown.append(item)
            at(max(now, receiver.due(data + 1) or now), "show", data + 1)
    result.feedback_bytes, result.damaged = receiver.feedback_bytes, receiver.damaged
    counts = there.counts
    result.packets, result.dropped, result.lost = counts.sent, counts.dropped, counts.lost
    return result
