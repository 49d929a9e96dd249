"""Output folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurocodec.errors import OutputError
from neurocodec.files.atomic import output_error, part_of

try:
    import fcntl
except ImportError:  # without it, two runs at once are not noticed
    fcntl = None  # type: ignore[assignment]


@contextmanager
def whole_folder(path: str | os.PathLike[str], ours: re.Pattern[str], force: bool = False) -> Iterator[Path]:
    """A new folder to put files in, which gets the name ``path`` when the block ends without an exception.

    Until then it is ``NAME.part``, and it is removed after an exception. An empty folder at ``path`` is
    replaced; with ``force`` also one in which there is nothing but files whose names match ``ours``.

    Raises:
        OutputError: ``path`` exists, holds other files, cannot be made, or another run is writing it.
    """
    final = Path(path)
    part = part_of(final)
    _refuse(final, ours, force)
    try:
        part.mkdir(exist_ok=True)
        lock = _lock(part)
    except OSError as error:
        raise output_error(final, error) from error
    try:
        for left in part.iterdir():  # by a run that was killed
            left.unlink()
        yield part
        _refuse(final, ours, force)
        if final.exists():
            shutil.rmtree(final)
        part.rename(final)
    except OSError as error:
        raise output_error(final, error) from error
    finally:
        if part.exists():
            shutil.rmtree(part, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def remove_left_folder(path: Path) -> None:
    """Remove what a run that was killed left of a folder; what a living run writes stays. Never raises."""
    part = part_of(path)
    with contextlib.suppress(OSError, OutputError):
        if part.is_dir() and not part.is_symlink():
            lock = _lock(part)
            shutil.rmtree(part, ignore_errors=True)
            if lock >= 0:
                os.close(lock)


def _lock(folder: Path) -> int:
    """A descriptor that holds the folder's lock, -1 where there are no locks.

    Raises:
        OutputError: another run has it.
    """
    if fcntl is None:
        return -1
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OutputError(f"{folder} is being written by another run") from None
    except OSError:  # a file system without locks
        pass
    return descriptor


def _refuse(path: Path, ours: re.Pattern[str], force: bool) -> None:
    try:
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise OutputError(f"cannot write {path}: it is no folder")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: no such folder: {path.parent}")
        names = [p.name for p in path.iterdir()] if path.exists() else []
    except (OSError, ValueError) as error:
        raise output_error(path, error if isinstance(error, OSError) else OSError(str(error))) from error
    if any(not ours.fullmatch(name) for name in names):
        raise OutputError(f"cannot write {path}: the folder holds other files")
    if names and not force:
        raise OutputError(f"{path} exists already (overwriting was not asked for)")
