"""Output files that appear whole or not at all.

What an interrupted run leaves is at most ``NAME.part``, locked while that run lives (``flock``), so that the
next one on the same output knows whether to replace it or to say that it is being written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeGuard

from neurocodec.errors import OutputError

try:
    import fcntl
except ImportError:  # without it, two runs at once are not noticed
    fcntl = None  # type: ignore[assignment]

_LONGEST_NAME = 255
_ATTEMPTS, _PAUSE = 12, 0.03
"""How often a file that another run is writing is looked at, and how long is waited in between (seconds)."""

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


def is_write_error(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether an exception can only come from writing (full disk, quota, closed pipe...)."""
    return isinstance(error, OSError) and error.errno in _WRITE_ERRORS


def part_of(path: Path) -> Path:
    """Where the data of an output go before it is whole: ``NAME.part``, shortened where that is too long."""
    name = path.name + ".part"
    if len(os.fsencode(name)) <= _LONGEST_NAME:
        return path.with_name(name)
    whole = os.fsencode(path.name)
    digest = hashlib.sha256(whole).hexdigest()[:16]
    return path.with_name(f"{whole[:200].decode('utf-8', 'ignore')}.{digest}.part")


def _open_part(part: Path) -> int:
    """Create ``part`` and lock it; one that a dead run left is replaced.

    Raises:
        OutputError: another run holds it, or it is no regular file.
        OSError: from the file system.
    """
    extra = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    for _ in range(_ATTEMPTS):
        new = True
        try:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | extra, 0o666)
        except FileExistsError:
            new = False
            if not stat.S_ISREG(part.lstat().st_mode):
                raise OutputError(f"cannot write {part}: it is in the way and no ordinary file") from None
            try:
                descriptor = os.open(part, os.O_RDWR | extra)
            except FileNotFoundError:
                continue
        try:
            if not _lock(descriptor):
                time.sleep(_PAUSE)
                continue
            there = _same(descriptor, part)
            if there and new:
                keep, descriptor = descriptor, -1
                return keep
            if there:
                if fcntl is None:  # Windows, which removes no open file
                    os.close(descriptor)
                    descriptor = -1
                part.unlink()
        finally:
            if descriptor >= 0:
                os.close(descriptor)
    raise OutputError(f"{part} is being written by another run")


def remove_left_part(path: Path) -> None:
    """Remove what a run that was killed left of an output; what a living run writes stays. Never raises."""
    part = part_of(path)
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(part.lstat().st_mode):
            return
        descriptor = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _lock(descriptor) and _same(descriptor, part):
                part.unlink()
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Take the lock that a run holds while it writes; False if another one has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _same(descriptor: int, path: Path) -> bool:
    """Whether ``path`` still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


class AtomicFile:
    """Context manager for an output file; ``file`` is a binary file object open for writing and reading.

    The data go to ``NAME.part`` (:func:`part_of`) in the folder of the output and get the final name, in one
    step, when the block ends without an exception. With an exception (KeyboardInterrupt too) the temporary
    file is removed and an existing output stays as it was. One that a killed run left behind is replaced. A
    symbolic link is followed. Something that is not a regular file (``/dev/null``, a FIFO) is written
    directly, whatever ``force`` says.

    Raises OutputError if the output exists and ``force`` is false, is a folder, cannot be created, or is
    being written by another run (where there are no file locks, that is not noticed); and
    for a full disk or the like (ENOSPC, EDQUOT, EFBIG, EPIPE, EIO, EROFS) inside the block or while closing.
    """

    def __init__(self, path: str | os.PathLike[str], force: bool = False) -> None:
        self.path = Path(path)
        self._force = force
        self._temporary: Path | None = None
        self._final = self.path
        self._file: BinaryIO | None = None
        self._lock = -1

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
        if is_write_error(error):
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
            temporary = part_of(self._final)
            descriptor = _open_part(temporary)
            self._temporary = temporary
            self._file = os.fdopen(descriptor, "w+b")
            if fcntl is not None:
                self._lock = os.dup(descriptor)  # which keeps the lock until the file has its name
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
        lock, self._lock = self._lock, -1
        if lock >= 0:
            with contextlib.suppress(OSError):
                os.close(lock)

    def _refuse_existing(self, exists: bool) -> None:
        if exists and not self._force:
            raise OutputError(f"{self.path} exists already (overwriting was not asked for)")


def refuse_existing(paths: Iterable[Path | None], force: bool) -> None:
    """Raises OutputError, before any work is done, for an output that exists, unless ``force``."""
    for path in paths:
        if path and path.exists() and not force:
            raise OutputError(f"{path} exists; use -f to replace it")


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, where it is not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def write_whole(path: Path, data: bytes, force: bool = True) -> None:
    """Put a file in place in one step; ``force``: in place of one that exists.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with AtomicFile(path, force) as output:
            output.file.write(data)
    except OSError as error:
        raise output_error(path, error) from error
