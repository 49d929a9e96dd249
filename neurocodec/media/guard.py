"""Python file objects as FFmpeg sees them.

FFmpeg's callbacks cannot carry a Python exception, and a KeyboardInterrupt raised in one would be lost.
These wrappers keep the first exception instead, behave as an ended (or bottomless) file from then on, and
hand the exception out through ``check`` once control is back in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neurocodec.files.pipes import is_seekable, stoppable


class _Guard:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._seekable = is_seekable(file)
        self.error: BaseException | None = None

    def seekable(self) -> bool:
        return self._seekable

    def check(self) -> None:
        """Raise the exception that a callback met, if any."""
        if self.error is not None:
            raise self.error


class GuardedReader(_Guard):
    """Reading side. The name of the file is withheld, so that formats are recognised by content alone."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._file = stoppable(file)
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self.error is not None:
            return b""
        try:
            data = self._file.read(size) or b""
        except BaseException as error:
            self.error = error
            return b""
        self.bytes_read += len(data)
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return int(self._file.seek(offset, whence))
        except BaseException as error:
            self.error = self.error or error
            return -1

    def tell(self) -> int:
        return int(self._file.tell())


class GuardedWriter(_Guard):
    """Writing side. After the first error, or once ``dead``, everything written is dropped."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._position = 0
        self.dead = False

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self._attempt(lambda: self._write_all(data))
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        reached = self._attempt(lambda: int(self._file.seek(offset, whence)))
        pretended = offset if whence == 0 else self._position + offset
        self._position = pretended if reached is None else reached
        return self._position

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Flush the wrapped file; an error is kept for ``check``."""
        if hasattr(self._file, "flush"):
            self._attempt(self._file.flush)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while len(view):
            count = self._file.write(view)
            view = view[len(view) if count is None else count :]

    def _attempt(self, call: Callable[[], Any]) -> Any:
        """What a call returns; None if it fails, one has failed before, or the writer is dead."""
        if self.error is None and not self.dead:
            try:
                return call()
            except BaseException as error:
                self.error = error
        return None
