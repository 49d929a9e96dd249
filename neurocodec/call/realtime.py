"""The same call in real time: sender and receiver as two processes that exchange UDP packets on this machine.

The link is emulated where packets are sent: each one is held back until the time at which it would arrive.
Both processes read the same monotonic clock, which counts from an agreed moment, so that latencies can be
told.  What the receiver cannot render in time it does not show; that is counted as frozen.
"""

from __future__ import annotations

import heapq
import itertools
import multiprocessing
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from neurocodec.call.link import Link, LinkOptions
from neurocodec.call.receiver import FEEDBACK_SECONDS, Receiver, Shown
from neurocodec.call.rtp import UDP_IP
from neurocodec.call.sender import Sender, SenderOptions
from neurocodec.call.simulate import POLL_SECONDS, TAIL_SECONDS, CallResult, ComputeTimes, take_feedback
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.models import files as models
from neurocodec.models.engine import Engine
from neurocodec.models.feedback import open_feedback
from neurocodec.models.files import ModelDescription
from neurocodec.models.landmark_driven import DrivenEngine
from neurocodec.types import Picture

_READY_SECONDS = 120.0
_LEAD = 0.5


@dataclass
class _Setup:
    """What both processes need; ``folder`` holds the pictures and takes what was shown."""

    model: ModelDescription
    landmarks: ModelDescription | None
    folder: Path
    fps: float
    link: LinkOptions
    seed: int
    sender: SenderOptions
    buffer: float | None
    threads: int | None


class _Wire:
    """A UDP socket behind an emulated link, without blocking."""

    def __init__(self, link: Link) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._other: tuple[str, int] | None = None
        self._link = link
        self._held: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()

    def connect(self, port: int) -> None:
        """Where packets go."""
        self._other = ("127.0.0.1", port)

    def send(self, data: bytes, now: float) -> None:
        """Hand a packet to the link."""
        arrival = self._link.send(now, len(data) + UDP_IP)
        if arrival is not None:
            heapq.heappush(self._held, (arrival, next(self._order), data))

    def flush(self, now: float) -> None:
        """Let go of the packets that arrive by now."""
        assert self._other is not None
        while self._held and self._held[0][0] <= now:
            self._socket.sendto(heapq.heappop(self._held)[2], self._other)

    def receive(self) -> list[bytes]:
        """What has come."""
        out = []
        while True:
            try:
                out.append(self._socket.recv(65536))
            except (BlockingIOError, ConnectionError):
                return out

    def close(self) -> None:
        self._socket.close()


def _engine(setup: _Setup) -> Engine:
    if setup.landmarks:
        return DrivenEngine(setup.model, setup.landmarks, threads=setup.threads)
    return Engine(setup.model, threads=setup.threads)


def _median(seconds: list[float]) -> float:
    return float(np.median(seconds)) if seconds else 0.0


def _meet(wire: _Wire, pipe: Any) -> float:
    """Exchange ports through the parent; returns the agreed moment zero."""
    pipe.send(("ready", wire.port))
    port, zero = pipe.recv()
    wire.connect(port)
    return float(zero)


def _send(setup: _Setup, pipe: Any) -> None:
    """The sending process."""
    try:
        pictures = np.load(setup.folder / "pictures.npy", mmap_mode="r")
        link = Link(setup.link, setup.seed)
        wire = _Wire(link)
        engine = _engine(setup)
        engine.measure(np.array(pictures[:1]))
        judge = open_feedback(models.find(models.DEFAULT_FEEDBACK, "feedback"))
        warm = engine.reference(np.array(pictures[0]))
        judge(engine.render([warm], warm.keypoints[None]), [warm.picture])
        sender = Sender(engine, judge, setup.sender, setup.fps)
        zero = _meet(wire, pipe)
        end = len(pictures) / setup.fps + setup.link.delay + TAIL_SECONDS
        k = 0
        spent: list[float] = []
        judging: list[float] = []
        while (now := time.monotonic() - zero) < end:
            for data in wire.receive():
                try:
                    take_feedback(sender, data, now)
                except DamagedFileError:
                    continue
            if k < len(pictures) and now >= k / setup.fps:
                if now < (k + 2) / setup.fps:
                    began = time.perf_counter()
                    packets = sender.frame(k, np.array(pictures[k]), now)
                    spent.append(time.perf_counter() - began)
                    now = time.monotonic() - zero
                    for packet in packets:
                        wire.send(packet, now)
                    wire.flush(now)
                    began = time.perf_counter()
                    if sender.judge(k, np.array(pictures[k])):
                        judging.append(time.perf_counter() - began)
                    now = time.monotonic() - zero
                else:
                    sender.report.skipped += 1
                k += 1
            for packet in sender.poll(now):
                wire.send(packet, now)
            wire.flush(now)
            time.sleep(POLL_SECONDS / 5)
        wire.close()
        pipe.send(("done", (sender.report, link.counts, _median(spent), _median(judging))))
    except NeurocodecError as error:
        pipe.send(("failed", str(error)))


def _receive(setup: _Setup, pipe: Any) -> None:
    """The receiving process."""
    try:
        count = len(np.load(setup.folder / "pictures.npy", mmap_mode="r"))
        back = LinkOptions(0.0, setup.link.loss, setup.link.delay, setup.link.jitter)
        wire = _Wire(Link(back, setup.seed + 1))
        engine = _engine(setup)
        warm = engine.reference(np.zeros((engine.size, engine.size, 3), np.uint8))
        engine.render([warm], warm.keypoints[None])
        receiver = Receiver(engine, setup.fps, setup.buffer)
        zero = _meet(wire, pipe)
        end = count / setup.fps + setup.link.delay + TAIL_SECONDS
        shown: list[Shown] = []
        next_feedback, spent = FEEDBACK_SECONDS, []
        while (now := time.monotonic() - zero) < end:
            for data in wire.receive():
                receiver.packet(data, now)
            if now >= next_feedback:
                wire.send(receiver.feedback(now), now)
                next_feedback = now + FEEDBACK_SECONDS
            wire.flush(now)
            due = receiver.due(len(shown)) if len(shown) < count else None
            if due is not None and now >= due:
                following = receiver.due(len(shown) + 1)
                last = shown[-1].picture if shown else None
                if following is not None and now >= following and len(shown) + 1 < count:
                    shown.append(Shown(len(shown), now, "nothing" if last is None else "frozen", last))
                    continue
                began = time.perf_counter()
                item = receiver.show(len(shown), now)
                spent.append(time.perf_counter() - began)
                item.time = time.monotonic() - zero
                shown.append(item)
            else:
                time.sleep(POLL_SECONDS / 5)
        wire.close()
        known = [s for s in shown if s.picture is not None]
        if known:
            np.save(setup.folder / "shown.npy", np.stack([s.picture for s in known if s.picture is not None]))
        rows = [(s.frame, s.time, s.how, s.picture is not None) for s in shown]
        pipe.send(("done", (rows, receiver.feedback_bytes, receiver.damaged, _median(spent))))
    except NeurocodecError as error:
        pipe.send(("failed", str(error)))


def run_realtime(
    model: ModelDescription,
    landmarks: ModelDescription | None,
    pictures: list[Picture],
    fps: float,
    link: LinkOptions,
    seed: int,
    sender: SenderOptions,
    buffer: float | None = None,
    threads: int | None = None,
) -> CallResult:
    """Send the pictures (S,S,3) from one process to another.

    Raises:
        NeurocodecError: one of the processes could not start, or died.
    """
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "pictures.npy", np.stack(pictures))
        setup = _Setup(model, landmarks, folder, fps, link, seed, sender, buffer, threads)
        pipes, processes = [], []
        for target in (_send, _receive):
            ours, theirs = context.Pipe()
            process = context.Process(target=target, args=(setup, theirs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        try:
            ports = [_answer(pipe, "ready", _READY_SECONDS) for pipe in pipes]
            zero = time.monotonic() + _LEAD
            for pipe, port in zip(pipes, reversed(ports), strict=True):
                pipe.send((port, zero))
            wait = len(pictures) / fps + link.delay + TAIL_SECONDS + _READY_SECONDS
            report, counts, measure, judge = _answer(pipes[0], "done", wait)
            rows, feedback_bytes, damaged, render = _answer(pipes[1], "done", wait)
        finally:
            for process in processes:
                process.join(1)
                if process.is_alive():
                    process.terminate()
        stored = folder / "shown.npy"
        known = iter(np.load(stored)) if stored.exists() else iter(())
        shown = [Shown(k, t, how, next(known) if there else None) for k, t, how, there in rows]
    return CallResult(
        shown, report, feedback_bytes, counts.sent, counts.dropped, counts.lost, damaged,
        ComputeTimes(measure, render, judge),
    )  # fmt: skip


def _answer(pipe: Any, wanted: str, seconds: float) -> Any:
    """What a process sends, once it is of the wanted kind."""
    try:
        if pipe.poll(seconds):
            kind, value = pipe.recv()
            if kind == wanted:
                return value
            raise NeurocodecError(f"an end of the call failed: {value}")
    except EOFError:
        pass
    raise NeurocodecError("an end of the call died or did not answer")
