"""The same call in real time: sender and receiver as two processes that exchange UDP packets on this machine.

The link is emulated where packets are sent: each one is held back until the time at which it would arrive.
Both processes read the same monotonic clock, which counts from an agreed moment, so that latencies can be
told.  What the receiver cannot render in time it does not show; that is counted as frozen.
"""

from __future__ import annotations

import heapq
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from neurocodec.call.link import Link, LinkCounts, LinkOptions
from neurocodec.call.receiver import REPORT_SECONDS, Receiver, Shown
from neurocodec.call.rtp import UDP_IP
from neurocodec.call.sender import Sender, SenderOptions, SentTotals
from neurocodec.call.simulate import POLL_SECONDS, CallResult, ComputeTimes, end_of_call, take_report
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.models import files as models
from neurocodec.models.feedback import open_feedback
from neurocodec.models.files import ModelDescription
from neurocodec.models.opening import open_engine
from neurocodec.types import Picture

_READY_SECONDS = 120.0
_LEAD = 0.5


@dataclass(frozen=True)
class _Setup:
    """What both processes need."""

    model: ModelDescription
    landmarks: ModelDescription | None
    pictures: list[Picture]
    fps: float
    link: LinkOptions
    seed: int
    sender: SenderOptions
    buffer: float | None
    threads: int | None

    @property
    def end(self) -> float:
        """When the call is over."""
        return end_of_call(len(self.pictures), self.fps, self.link)


class _Meeting:
    """Where the two processes agree on the moment zero, with a socket of each, connected to the other's."""

    def __init__(self, context: Any) -> None:
        self.barrier = context.Barrier(2)
        self._zero = context.Value("d", 0.0)
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for end in self.sockets:
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        for end, other in zip(self.sockets, reversed(self.sockets), strict=True):
            end.connect(other.getsockname())

    def clock(self) -> Callable[[], float]:
        """Wait for the other process; seconds since the moment that both count from."""
        if self.barrier.wait(_READY_SECONDS) == 0:
            self._zero.value = time.monotonic() + _LEAD
        self.barrier.wait(_READY_SECONDS)
        zero: float = self._zero.value
        return lambda: time.monotonic() - zero

    def close(self) -> None:
        for end in self.sockets:
            end.close()


class _Wire:
    """A socket behind an emulated link."""

    def __init__(self, end: socket.socket, link: Link) -> None:
        self.link, self._socket = link, end
        self._held: list[tuple[float, bytes]] = []

    def send(self, packets: Iterable[bytes], now: float) -> None:
        """Hand packets to the link, and let go of those that arrive by now."""
        for data in packets:
            arrival = self.link.send(now, len(data) + UDP_IP)
            if arrival is not None:
                heapq.heappush(self._held, (arrival, data))
        while self._held and self._held[0][0] <= now:
            self._socket.send(heapq.heappop(self._held)[1])

    def receive(self) -> list[bytes]:
        """What has come."""
        out = []
        with suppress(BlockingIOError, ConnectionError):
            while True:
                out.append(self._socket.recv(65536))
        return out


_meeting: _Meeting


def _join(meeting: _Meeting) -> None:
    """What a process begins with; a meeting can only be handed over at its start."""
    global _meeting
    _meeting = meeting


def _typical(seconds: list[float]) -> float:
    return median(seconds) if seconds else 0.0


def _send(setup: _Setup) -> tuple[SentTotals, LinkCounts, float, float]:
    """The sending process: what was sent, its fate, and the usual seconds of a frame and of a verdict."""
    engine = open_engine(setup.model, setup.landmarks, threads=setup.threads)
    feedback = open_feedback(models.find(models.DEFAULT_FEEDBACK, "feedback"))
    engine.measure(setup.pictures[0][None])
    warm = engine.reference(setup.pictures[0])
    feedback(engine.render([warm], warm.keypoints[None]), [warm.picture])
    sender = Sender(engine, feedback, setup.sender, setup.fps)
    wire = _Wire(_meeting.sockets[0], Link(setup.link, setup.seed))
    measuring: list[float] = []
    judging: list[float] = []
    k = 0
    clock = _meeting.clock()
    while (now := clock()) < setup.end:
        for data in wire.receive():
            with suppress(DamagedFileError):
                take_report(sender, data, now)
        if k < len(setup.pictures) and now >= k / setup.fps:
            if now < (k + 2) / setup.fps:
                began = clock()
                packets = sender.frame(k, setup.pictures[k], now)
                sent = clock()
                measuring.append(sent - began)
                wire.send(packets, sent)
                began = clock()
                checked = sender.check(k, setup.pictures[k])
                now = clock()
                if checked:
                    judging.append(now - began)
            else:
                sender.totals.skipped += 1
            k += 1
        wire.send(sender.poll(now), now)
        time.sleep(POLL_SECONDS / 5)
    return sender.totals, wire.link.counts, _typical(measuring), _typical(judging)


def _receive(setup: _Setup) -> tuple[list[Shown], int, int, float]:
    """The receiving process: what was shown, bytes of reports, damaged packets, seconds of a rendering."""
    engine = open_engine(setup.model, setup.landmarks, threads=setup.threads)
    warm = engine.reference(np.zeros((engine.size, engine.size, 3), np.uint8))
    engine.render([warm], warm.keypoints[None])
    receiver = Receiver(engine, setup.fps, setup.buffer)
    wire = _Wire(_meeting.sockets[1], Link(setup.link.way_back, setup.seed + 1))
    shown: list[Shown] = []
    rendering: list[float] = []
    next_report = REPORT_SECONDS
    clock = _meeting.clock()
    while (now := clock()) < setup.end:
        for data in wire.receive():
            receiver.packet(data, now)
        reports = []
        if now >= next_report:
            reports.append(receiver.report(now))
            next_report = now + REPORT_SECONDS
        wire.send(reports, now)
        due = receiver.due(len(shown)) if len(shown) < len(setup.pictures) else None
        if due is None or now < due:
            time.sleep(POLL_SECONDS / 5)
            continue
        following = receiver.due(len(shown) + 1)
        if following is not None and now >= following and len(shown) + 1 < len(setup.pictures):
            last = shown[-1].picture if shown else None
            shown.append(Shown(len(shown), now, "nothing" if last is None else "frozen", last))
            continue
        began = clock()
        item = receiver.show(len(shown), now)
        item.time = clock()
        rendering.append(item.time - began)
        shown.append(item)
    return shown, receiver.report_bytes, receiver.damaged, _typical(rendering)


def run_realtime(
    model: ModelDescription, landmarks: ModelDescription | None, pictures: list[Picture], fps: float,
    link: LinkOptions, seed: int, sender: SenderOptions, buffer: float | None = None,
    threads: int | None = None,
) -> CallResult:  # fmt: skip
    """Send the pictures (S,S,3) from one process to another.

    Raises:
        NeurocodecError: one of the processes failed, could not start, or died.
    """
    setup = _Setup(model, landmarks, pictures, fps, link, seed, sender, buffer, threads)
    context = multiprocessing.get_context("spawn")
    meeting = _Meeting(context)
    with ProcessPoolExecutor(2, context, _join, (meeting,)) as pool:
        sending, receiving = pool.submit(_send, setup), pool.submit(_receive, setup)
        ends: list[Future[Any]] = [sending, receiving]
        wait(ends, return_when=FIRST_EXCEPTION)
        meeting.barrier.abort()  # an end that waits for one that failed need not
        problems = [problem for end in ends if (problem := end.exception())]
    meeting.close()
    for problem in problems:
        if isinstance(problem, NeurocodecError):
            raise NeurocodecError(f"an end of the call failed: {problem}")
    if problems:
        raise NeurocodecError("an end of the call died or did not answer") from problems[0]
    totals, counts, measure, verdict = sending.result()
    shown, report_bytes, damaged, render = receiving.result()
    times = ComputeTimes(measure, render, verdict)
    return CallResult(shown, totals, counts, report_bytes, damaged, times)
