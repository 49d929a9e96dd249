"""Inputs and outputs as a user names them: a path or an open binary file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard, cast

from neurocodec.errors import InputError, UsageError
from neurocodec.files.atomic import AtomicFile, output_error
from neurocodec.files.pipes import stoppable

PathLike = str | os.PathLike[str]
PathOrFile = PathLike | BinaryIO


def is_path(value: Any) -> TypeGuard[PathLike]:
    """Whether this names a file, rather than being an open one."""
    return isinstance(value, (str, os.PathLike))


def name_of(file: Any) -> str:
    """What messages call an output."""
    if is_path(file):
        return str(file)
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else "the output"


def refuse_same_file(source: Any, destination: Any) -> None:
    """Refuse to overwrite what is being read.

    Raises:
        UsageError: both are paths of the same file.
    """
    try:
        same = is_path(source) and is_path(destination) and Path(source).samefile(destination)
    except OSError:
        same = False
    if same:
        raise UsageError("input and output are the same file")


@contextmanager
def opened_input(source: PathOrFile) -> Iterator[tuple[BinaryIO, str]]:
    """A file to read from, and its name in messages; a path is opened, and closed at the end.

    Raises:
        InputError: a path that cannot be read.
    """
    if not is_path(source):
        yield cast(BinaryIO, source), str(getattr(source, "name", "input"))
        return
    path = Path(source)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder")
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    with file:
        yield stoppable(file), str(path)


@contextmanager
def opened_output(destination: PathOrFile, force: bool) -> Iterator[BinaryIO]:
    """A file to write to: for a path a temporary one, which takes the path's place if nothing goes wrong.

    Raises:
        OutputError: it exists and ``force`` is not set, or cannot be written.
    """
    if not is_path(destination):
        yield cast(BinaryIO, destination)
        return
    with AtomicFile(destination, force) as output:
        yield output.file


class OutputGuard:
    """Turns a failing write into an :class:`OutputError`; what is written goes out at once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name

    def write(self, data: bytes) -> int:
        """Write and flush.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            count = self._file.write(data)
            if hasattr(self._file, "flush"):
                self._file.flush()
            return count
        except OSError as error:
            raise output_error(self._name, error) from error
