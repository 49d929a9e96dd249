"""Many independent tasks on this machine's cores, or on many machines through Dask.

Dask needs no more than ``client.submit``: it is pure Python, one command on any machine starts worker
processes (``dask worker ADDRESS``), and a task whose worker dies goes to another one by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from neurocodec.errors import UnsupportedError, UsageError
from neurocodec.threads import cores

CONNECT_SECONDS = 10
RETRIES = 2
"""How often a task is tried again whose worker died."""
_ENDING_SECONDS = 5
"""How long a worker that was ended is waited for."""
ENGINES = ("processes", "dask")


@dataclass(frozen=True)
class Failure:
    """A task that could not be done, and why."""

    reason: str


Results = Generator[tuple[int, "Any | Failure"], None, None]
"""Index and result of tasks, as they are ready; closing it ends what still runs."""


class Workers(Protocol):
    """Runs a function over tasks; results come as they are ready, with the task's index."""

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Results:
        """Index and result, or :class:`Failure`, of every task."""

    def threads_each(self, tasks: int | None = None) -> int:
        """Threads that each of so many tasks (None: of many) may use."""


def workers(engine: str, jobs: int, scheduler: str | None) -> Workers:
    """The engine a user chose; ``jobs``: worker processes of this machine, 0: one for each core.

    Raises:
        UsageError: ``--scheduler`` without Dask, or a bad number.
        UnsupportedError: Dask is not installed, or its scheduler cannot be reached.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    if engine == "dask":
        if not scheduler:
            raise UsageError("--engine dask needs --scheduler ADDRESS (what 'dask scheduler' prints)")
        return DaskWorkers(scheduler)
    if scheduler:
        raise UsageError("--scheduler goes with --engine dask")
    if jobs < 0:
        raise UsageError("jobs must not be negative (0: one for each core)")
    return ProcessWorkers(jobs or cores())


def _guarded(function: Callable[[Any], Any], task: Any) -> Any:
    """A task's own exception is its failure, not the end of the others."""
    try:
        return function(task)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


def _begin_worker() -> None:
    """Ctrl-C goes to every process of a terminal; only the first one answers, and none outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class ProcessWorkers:
    """Processes of this machine, each a pool of its own, so that it is known whose task it was that died.

    A task whose process dies (killed, out of memory, crash of a codec) is tried again in a new one.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = max(1, jobs)
        self._spawn = multiprocessing.get_context("spawn")

    def threads_each(self, tasks: int | None = None) -> int:
        """So many that all processes together fill the cores and no more."""
        at_once = self.jobs if tasks is None else min(self.jobs, tasks)
        return max(1, cores() // max(1, at_once))

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=self._spawn, initializer=_begin_worker)

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Results:
        others = set(multiprocessing.active_children())
        pools = [self._pool() for _ in range(min(self.jobs, len(tasks)))]
        queue = deque((index, 0) for index in range(len(tasks)))
        free = list(range(len(pools)))
        busy: dict[Future[Any], tuple[int, int, int]] = {}
        try:
            while queue or busy:
                while free and queue:
                    slot, (index, attempt) = free.pop(), queue.popleft()
                    busy[pools[slot].submit(_guarded, function, tasks[index])] = slot, index, attempt
                for future in wait(busy, return_when=FIRST_COMPLETED).done:
                    slot, index, attempt = busy.pop(future)
                    free.append(slot)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        pools[slot].shutdown(wait=False)
                        pools[slot] = self._pool()
                        if attempt < RETRIES:
                            queue.append((index, attempt + 1))
                            continue
                        result = Failure(f"its worker process died {1 + RETRIES} times")
                    yield index, result
        finally:
            if busy:
                ended = set(multiprocessing.active_children()) - others
                for process in ended:
                    process.terminate()
                for process in ended:
                    process.join(_ENDING_SECONDS)
            for pool in pools:
                pool.shutdown(wait=not busy, cancel_futures=True)


class DaskWorkers:
    """The workers of a Dask scheduler, on any number of machines.

    They must see the videos under the same paths and have the same version of this package.  Dask gives
    a task whose worker died to another one.  It also gives up tasks that only waited on workers that kept
    dying; those are tried once more, one by one, so that only the one to blame fails.
    """

    def __init__(self, scheduler: str) -> None:
        """Check that the scheduler answers.

        Raises:
            UnsupportedError: Dask is not installed, or nothing answers at the address.
        """
        self._scheduler = scheduler
        self._connect().close()

    @staticmethod
    def threads_each(tasks: int | None = None) -> int:
        """One, since nothing is known of the machines."""
        return 1

    def _connect(self) -> Any:
        try:
            from distributed import Client
        except ImportError:
            raise UnsupportedError(
                "the engine dask needs the package distributed (pip install 'neurocodec[dask]')"
            ) from None
        try:
            return Client(self._scheduler, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            raise UnsupportedError(f"no Dask scheduler answers at {self._scheduler}: {error}") from None

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Results:
        if not tasks:
            return
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        client = self._connect()

        def submit(index: int) -> Any:
            return client.submit(_guarded, function, tasks[index], retries=RETRIES, pure=False)

        futures = {submit(index): index for index in range(len(tasks))}
        killed: list[int] = []
        try:
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except KilledWorker:
                    killed.append(futures[future])
            for index in sorted(killed):
                future = submit(index)
                futures[future] = index
                try:
                    yield index, future.result()
                except KilledWorker:
                    yield index, Failure("its worker process died every time")
        finally:
            client.cancel(list(futures))
            client.close()
