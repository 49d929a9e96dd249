"""Output files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ..errors import OutputError

_WRITE_ERRORS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "disk quota exceeded",
    errno.EFBIG: "file too large",
    errno.EPIPE: "the reading end was closed",
    errno.EIO: "input/output error",
    errno.EROFS: "read-only file system",
}


def output_error(name: object, error: OSError) -> OutputError:
    """The one-line OutputError for an OSError met while writing to ``name``."""
    reason = _WRITE_ERRORS.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return OutputError(f"cannot write {name}: {reason}")


def is_write_error(error: BaseException | None) -> bool:
    """Whether an exception can only come from writing (full disk, quota, closed pipe...)."""
    return isinstance(error, OSError) and error.errno in _WRITE_ERRORS


class AtomicFile:
    """Context manager for an output file; ``file`` is a binary file object open for writing and reading.

    The data go to ``NAME.xxxxxxxx.part`` in the folder of the output and get the final name, in one step,
    when the block ends without an exception. With an exception (KeyboardInterrupt too) the temporary file is
    removed and an existing output stays as it was. A symbolic link is followed. Something that is not a
    regular file (``/dev/null``, a FIFO) is written directly, whatever ``force`` says.

    Raises OutputError if the output exists and ``force`` is false, is a folder, or cannot be created; and
    for a full disk or the like (ENOSPC, EDQUOT, EFBIG, EPIPE, EIO, EROFS) inside the block or while closing.
    """

    def __init__(self, path: str | os.PathLike[str], force: bool = False) -> None:
        self.path = Path(path)
        self._force = force
        self._temporary: Path | None = None
        self._final = self.path
        self._file: BinaryIO | None = None

    @property
    def file(self) -> BinaryIO:
        """The open file; only inside the block."""
        if self._file is None:
            raise ValueError("AtomicFile is not open")
        return self._file

    def __enter__(self) -> AtomicFile:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.commit()
            return
        self.discard()
        if isinstance(error, OSError) and is_write_error(error):
            raise output_error(self.path, error) from error

    def open(self) -> None:
        """Create the temporary file (what entering the block does)."""
        try:
            try:
                mode = self.path.stat().st_mode
            except FileNotFoundError:
                mode = None
            if mode is not None and stat.S_ISDIR(mode):
                raise OutputError(f"cannot write {self.path}: it is a folder")
            if mode is not None and not stat.S_ISREG(mode):
                self._file = self.path.open("wb")
                return
            self._refuse_existing(mode is not None)
            self._final = self.path.resolve() if self.path.is_symlink() else self.path
            if not self._final.parent.is_dir():
                raise OutputError(f"cannot write {self.path}: no such folder: {self._final.parent}")
            part = f"{self._final.name[:200]}.{secrets.token_hex(4)}.part"
            temporary = self._final.with_name(part)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            descriptor = os.open(temporary, flags, 0o666)
            self._temporary = temporary
            self._file = os.fdopen(descriptor, "w+b")
        except (OSError, ValueError) as error:
            self.discard()
            if isinstance(error, OSError):
                raise output_error(self.path, error) from error
            raise OutputError(f"cannot write {str(self.path)!r}: {error}") from error

    def commit(self) -> None:
        """Close the file and give it its name. Raises OutputError; nothing is left behind then."""
        try:
            if self._file is not None:
                self._file.close()
                self._file = None
            if self._temporary is not None:
                self._refuse_existing(self._final.exists())
                self._temporary.replace(self._final)
                self._temporary = None
        except OSError as error:
            raise output_error(self.path, error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Close and remove the temporary file, if there is one. Never raises an OSError."""
        file, self._file = self._file, None
        temporary, self._temporary = self._temporary, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _refuse_existing(self, exists: bool) -> None:
        if exists and not self._force:
            raise OutputError(f"{self.path} exists already (overwriting was not asked for)")
