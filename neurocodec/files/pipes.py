"""Reading pipes in a way that can be told to stop.

A read of a pipe waits for as long as the other end writes nothing, and holds the lock of the file object
meanwhile.  A thread of :class:`~neurocodec.prefetch.Ahead` inside one could not be ended, and Python itself
could not end either.  So there is no read before something is there, and the wait for it is in short pieces.
"""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import stat
from pathlib import Path
from typing import Any

from neurocodec.prefetch import check_wanted

_PATIENCE = 0.1
"""Seconds after which a waiting reader looks whether it is still wanted."""

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def stoppable(file: Any) -> Any:
    """``file``, or a view of it whose ``read`` ends when the ``Ahead`` whose thread it is in has been left.

    A view is given of what waits for another process: an ordinary file object of a pipe, a FIFO, a socket or
    a terminal.  Anything else comes back as it is, and everything does on Windows, which cannot wait for
    pipes.  The view must be the only one that reads from then on; it does not close ``file``.
    """
    ordinary = type(file) is io.FileIO or (type(file) is io.BufferedReader and type(file.raw) is io.FileIO)
    return _Stoppable(file) if ordinary and os.name != "nt" and not is_seekable(file) else file


def is_pipe(path: str | os.PathLike[Any]) -> bool:
    """Whether a path leads to what cannot be read again from its start: a pipe, FIFO, socket or terminal.

    Nothing is opened; a path that leads nowhere is none.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def is_seekable(file: Any) -> bool:
    """Whether a file object can seek."""
    try:
        seekable = getattr(file, "seekable", None)
        return bool(seekable()) if seekable is not None else hasattr(file, "seek") and hasattr(file, "tell")
    except (OSError, ValueError):
        return False


class _Stoppable(io.RawIOBase):
    """The view: ``read(n)`` gives 1 to n bytes as soon as there are any, none at the end.

    Reading raises ``Unwanted`` where :func:`~neurocodec.prefetch.check_wanted` does, OSError as a file does,
    and ValueError when the file has been closed.
    """

    def __init__(self, file: io.BufferedReader | io.FileIO) -> None:
        self._file = file
        self.name = getattr(file, "name", None)
        self._held: bytes | None = None
        """What the file object had read before; None until that has been asked for."""

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer).cast("B") as view:
            data = self._next(len(view))
            view[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        if self._held is None:
            # This first read may wait: whether the buffer holds something cannot be seen from outside.
            self._held = self._file.read1(-1) if isinstance(self._file, io.BufferedReader) else b""
        if self._held:
            data, self._held = self._held[:size], self._held[size:]
            return data
        descriptor = self._file.fileno()
        with _Selector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                check_wanted()
                if selector.select(_PATIENCE):
                    with contextlib.suppress(BlockingIOError):
                        return os.read(descriptor, size)
