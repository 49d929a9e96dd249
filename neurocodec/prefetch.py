"""Stages that overlap: an iterator that works ahead in a thread of its own."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_DONE = object()
_PATIENCE = 0.1
"""Seconds after which a waiting thread looks whether it is still wanted."""
_GRACE = 3.0
"""Seconds for which a thread is still waited for after an interruption of the wait."""
_thread = threading.local()


class Unwanted(Exception):
    """The work of a thread is no longer asked for."""


def check_wanted() -> None:
    """For what waits in a source, again and again while it does.

    Raises:
        Unwanted: this is the thread of an :class:`Ahead` that has been left.
    """
    stop: threading.Event | None = getattr(_thread, "stop", None)
    if stop is not None and stop.is_set():
        raise Unwanted


class Ahead(Generic[T]):
    """The items of ``source`` in their order, up to ``depth`` of them made before they are asked for.

    What ``source`` raises is raised where the item would have come.  Use as a context manager: leaving it
    ends the thread, and closes ``source`` if it is a generator; a source that waits for something must call
    :func:`check_wanted` meanwhile, or leaving waits too.  With a depth of 0 there is no thread: items
    are made when they are asked for.
    """

    def __init__(self, source: Iterable[T], depth: int) -> None:
        self._source = source
        self._thread: threading.Thread | None = None
        if not depth:
            return
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._stop, self._ended = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="neurocodec ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        _thread.stop = self._stop
        try:
            self._work()
        finally:
            self._ended.set()

    def _work(self) -> None:
        try:
            for item in self._source:
                if not self._put(item):
                    break
        except BaseException as error:
            self._error = error
        finally:
            if self._stop.is_set():
                self._close()
            self._put(_DONE)

    def _close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_PATIENCE)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[T]:
        if self._thread is None:
            yield from self._source
            return
        while True:
            try:
                item = self._queue.get(timeout=_PATIENCE)
            except queue.Empty:
                if self._thread.is_alive() or not self._queue.empty():
                    continue
                item = _DONE
            if item is _DONE:
                if self._error is not None:
                    raise self._error
                return
            yield item  # type: ignore[misc]

    def __enter__(self) -> Ahead[T]:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            self._close()
            return
        self._stop.set()
        interruption: BaseException | None = None
        latest = math.inf
        while not self._ended.is_set() and time.monotonic() < latest:
            try:
                self._ended.wait(_PATIENCE)  # an interrupted join() of Python 3.11 takes a thread for ended
            except BaseException as error:  # a second Ctrl-C: what the thread uses must not go before it
                interruption = interruption or error
                latest = min(latest, time.monotonic() + _GRACE)
        if interruption is not None:
            raise interruption
        self._thread.join()
