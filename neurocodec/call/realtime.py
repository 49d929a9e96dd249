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

from neurocodec.call.link import Link, LinkCounts
from neurocodec.call.receiver import REPORT_SECONDS, Receiver, Shown
from neurocodec.call.rtp import UDP_IP
from neurocodec.call.sender import Sender, SentTotals
from neurocodec.call.simulate import POLL_SECONDS, Call, CallResult, ComputeTimes, take_report
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.models import model_files as models
from neurocodec.models.engines import open_engine
from neurocodec.models.feedback import open_feedback
from neurocodec.models.model_files import ModelDescription
from neurocodec.options import DEFAULT_FEEDBACK

_READY_SECONDS = 120.0
_LEAD = 0.5


@dataclass(frozen=True)
class _Setup:
    """What both processes need."""

    call: Call
    motion: ModelDescription
    landmarks: ModelDescription | None
    threads: int | None


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
        """The packets that have arrived, which may be none."""
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
    call = setup.call
    engine = open_engine(setup.motion, setup.landmarks, threads=setup.threads)
    feedback = open_feedback(models.find(DEFAULT_FEEDBACK, "feedback"))
    engine.coded_values(call.pictures[0][None])
    warm = engine.reference(call.pictures[0])
    feedback(engine.render([warm], warm.keypoints[None]), [warm.picture])
    sender = Sender(engine, feedback, call.rate, call.fps)
    wire = _Wire(_meeting.sockets[0], Link(call.link, call.seed))
    measuring: list[float] = []
    checking: list[float] = []
    k = 0
    clock = _meeting.clock()
    while (now := clock()) < call.end:
        for data in wire.receive():
            with suppress(DamagedFileError):
                take_report(sender, data, now)
        if k < len(call.pictures) and now >= k / call.fps:
            if now < (k + 2) / call.fps:
                began = clock()
                packets = sender.frame(k, call.pictures[k], now)
                sent = clock()
                measuring.append(sent - began)
                wire.send(packets, sent)
                began = clock()
                checked = sender.check(k, call.pictures[k])
                now = clock()
                if checked:
                    checking.append(now - began)
            else:
                sender.totals.skipped += 1
            k += 1
        wire.send(sender.poll(now), now)
        time.sleep(POLL_SECONDS / 5)
    return sender.totals, wire.link.counts, _typical(measuring), _typical(checking)


def _receive(setup: _Setup) -> tuple[list[Shown], int, int, float]:
    """The receiving process: what was shown, bytes of reports, damaged packets, seconds of a rendering."""
    call = setup.call
    engine = open_engine(setup.motion, setup.landmarks, threads=setup.threads)
    warm = engine.reference(np.zeros((engine.size, engine.size, 3), np.uint8))
    engine.render([warm], warm.keypoints[None])
    receiver = Receiver(engine, call.fps, call.buffer)
    wire = _Wire(_meeting.sockets[1], Link(call.link.way_back, call.seed + 1))
    shown: list[Shown] = []
    rendering: list[float] = []
    next_report = REPORT_SECONDS
    clock = _meeting.clock()
    while (now := clock()) < call.end:
        for data in wire.receive():
            receiver.packet(data, now)
        reports = []
        if now >= next_report:
            reports.append(receiver.report(now))
            next_report = now + REPORT_SECONDS
        wire.send(reports, now)
        due = receiver.due(len(shown)) if len(shown) < len(call.pictures) else None
        if due is None or now < due:
            time.sleep(POLL_SECONDS / 5)
            continue
        following = receiver.due(len(shown) + 1)
        if following is not None and now >= following and len(shown) + 1 < len(call.pictures):
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
    call: Call, motion: ModelDescription, landmarks: ModelDescription | None, threads: int | None = None
) -> CallResult:
    """Send the pictures from one process to another.

    Raises:
        NeurocodecError: one of the processes failed, could not start, or died.
    """
    setup = _Setup(call, motion, landmarks, threads)
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
