"""Pipes whose other end writes nothing."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from media_factory import make_clip, read_all

from neurocodec.files.pipes import stoppable
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.prefetch import Ahead

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be waited for there")


@pytest.fixture
def ends() -> Iterator[tuple[Any, Any]]:
    """The reading and the writing end of a pipe."""
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as target:  # noqa: PTH123
        yield source, target


def feed(target: Any, data: bytes) -> threading.Thread:
    """Write ``data`` in the background; the pipe stays open."""
    thread = threading.Thread(target=target.write, args=(data,))
    thread.start()
    return thread


def test_what_can_be_waited_for(ends: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"x")
    with path.open("rb") as file, path.open("rb", buffering=0) as raw:
        for other in (file, raw, io.BytesIO(b"x"), object()):
            assert stoppable(other) is other
    view = stoppable(ends[0])
    assert view is not ends[0]
    assert stoppable(view) is view
    assert (view.fileno(), view.name) == (ends[0].fileno(), ends[0].name)
    assert not view.seekable()


def test_all_that_is_written_is_read_in_order(ends: tuple[Any, Any]) -> None:
    source, target = ends
    data = bytes(range(256)) * 2000
    thread = feed(target, data)
    seen = source.read(3)  # and more is in the buffer of the file object then
    view = stoppable(source)
    seen += view.read(2) + view.read(5)
    while len(seen) < len(data):
        seen += view.read(70_000)
    thread.join(10)
    target.close()
    assert view.read(10) == b""
    assert seen == data


def test_an_end_that_does_not_block_is_waited_for_too(ends: tuple[Any, Any]) -> None:
    source, target = ends
    os.set_blocking(source.fileno(), False)
    view = stoppable(source)
    timer = threading.Timer(0.3, target.write, (b"late",))
    timer.start()
    assert view.read(10) == b"late"
    timer.join()


def test_closed_and_broken_files_say_so(ends: tuple[Any, Any]) -> None:
    view = stoppable(ends[0])
    feed(ends[1], b"x").join()
    assert view.read(1) == b"x"
    ends[0].close()
    with pytest.raises(ValueError, match="closed"):
        view.read(1)


def leave(items: Ahead[Any]) -> float:
    """Seconds that leaving takes, at most 5."""
    began = time.monotonic()
    leaving = threading.Thread(target=items.__exit__, args=(None, None, None), daemon=True)
    leaving.start()
    leaving.join(5)
    return time.monotonic() - began


def test_a_waiting_thread_ends_when_it_is_left(ends: tuple[Any, Any]) -> None:
    source, target = ends
    view = stoppable(source)
    items = Ahead(iter(lambda: view.read(10), b""), 4)
    target.write(b"first")
    assert next(iter(items)) == b"first"
    took = leave(items)
    target.write(b"a read that still waits ends now")
    assert took < 2


@pytest.mark.parametrize("kind", ["pipe", "fifo"])
def test_a_media_reader_ends_when_it_is_left(ends: tuple[Any, Any], tmp_path: Path, kind: str) -> None:
    data = make_clip(tmp_path / "a.mkv", frames=20, audio="libopus").read_bytes()
    source, target = ends
    if kind == "fifo":
        source = tmp_path / "fifo"
        os.mkfifo(source)
        target = os.fdopen(os.open(source, os.O_RDWR), "wb", buffering=0)
    thread = feed(target, data)
    with MediaReader(source, threads=1) as reader:
        items = Ahead(reader, 100)
        assert any(isinstance(item, VideoPicture) for item in items)
        thread.join(10)
        took = leave(items)
        target.close()
    assert took < 2


def test_a_pipe_gives_what_the_file_gives(ends: tuple[Any, Any], tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=12, audio="aac")
    source, target = ends

    def write() -> None:
        target.write(path.read_bytes())
        target.close()

    thread = threading.Thread(target=write)
    thread.start()
    _, pictures, packets = read_all(source)
    thread.join(10)
    _, from_file, sound = read_all(path)
    assert [p.pts for p in pictures] == [p.pts for p in from_file]
    assert packets == sound
