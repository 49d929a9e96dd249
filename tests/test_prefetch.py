"""Working ahead: order, errors, and an end that ends the thread."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from neurocodec.prefetch import Ahead, Unwanted, check_wanted


def test_order_is_kept() -> None:
    with Ahead(range(1000), 3) as items:
        assert list(items) == list(range(1000))


def test_works_ahead_but_not_further_than_allowed() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for k in range(100):
            made.append(k)
            yield k

    with Ahead(numbers(), 4) as items:
        first = next(iter(items))
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert first == 0
        assert 5 <= len(made) <= 6


def test_an_error_comes_in_its_place() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    seen = []
    with pytest.raises(ValueError, match="no more"), Ahead(numbers(), 8) as items:
        for item in items:
            seen.append(item)
    assert seen == [1]


def test_leaving_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with Ahead(endless(), 2) as items:
        assert next(iter(items)) == 0
    assert closed.is_set()
    assert threading.active_count() == before


def test_a_source_that_waits_learns_that_it_is_left() -> None:
    ended: list[BaseException] = []

    def waiting() -> Iterator[int]:
        yield 0
        try:
            while True:
                check_wanted()
                time.sleep(0.01)
        except Unwanted as error:
            ended.append(error)
            raise

    with Ahead(waiting(), 2) as items:
        assert next(iter(items)) == 0
    assert len(ended) == 1
    check_wanted()  # elsewhere it goes on


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interruption_while_leaving_does_not_leave_the_thread_behind() -> None:
    """What the thread uses is closed right after."""
    ended = threading.Event()

    def slow() -> Iterator[int]:
        yield 0
        time.sleep(0.5)
        ended.set()

    with pytest.raises(KeyboardInterrupt), Ahead(slow(), 2) as items:
        assert next(iter(items)) == 0
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert ended.is_set()
