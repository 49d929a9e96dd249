"""Python file objects as FFmpeg sees them.

FFmpeg's callbacks cannot carry a Python exception, and a KeyboardInterrupt raised in one would be lost.
These wrappers keep the first exception instead, behave as an ended (or bottomless) file from then on, and
hand the exception out through ``check`` once control is back in Python.
"""

from __future__ import annotations

from typing import Any

from neurocodec.files.pipes import is_seekable, stoppable


class GuardedReader:
    """Reading side. The name of the file is withheld, so that formats are recognised by content alone."""

    def __init__(self, file: Any) -> None:
        self._file = stoppable(file)
        self._seekable = is_seekable(file)
        self.error: BaseException | None = None
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

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

    def check(self) -> None:
        """Raise the exception that a callback met, if any."""
        if self.error is not None:
            raise self.error


class GuardedWriter:
    """Writing side. After the first error, or once ``dead``, everything written is dropped."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._seekable = is_seekable(file)
        self._position = 0
        self.error: BaseException | None = None
        self.dead = False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def write(self, data: bytes) -> int:
        if self.error is None and not self.dead:
            try:
                view = memoryview(data)
                while len(view):
                    count = self._file.write(view)
                    view = view[len(view) if count is None else count :]
            except BaseException as error:
                self.error = error
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if self.error is None and not self.dead:
            try:
                self._position = int(self._file.seek(offset, whence))
                return self._position
            except BaseException as error:
                self.error = error
        self._position = offset if whence == 0 else self._position + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Flush the wrapped file; an error is kept for ``check``."""
        flush = getattr(self._file, "flush", None)
        if self.error is None and not self.dead and flush is not None:
            try:
                flush()
            except BaseException as error:
                self.error = error

    def check(self) -> None:
        """Raise the exception that a callback met, if any."""
        if self.error is not None:
            raise self.error
