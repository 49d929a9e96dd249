"""Looks through a checkpoint's pickles before PyTorch's restricted reader sees them.

That reader runs no code, but a few hundred bytes can still keep it busy for ever, or make it ask for any
amount of memory: tuples nested in themselves, which take 2^n steps to hash, and calls that only allocate
(``bytearray(n)``, ``torch.Tensor(n)``).  Nothing is built here; opcodes are read with :mod:`pickletools`,
and of every value on the stack only how deep its tuples are nested is known.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
import zlib
from pathlib import Path
from typing import IO

from neurocodec.errors import InputError, UnsupportedError

DEEPEST = 16
"""Tuples in tuples; a state dict has four."""
_MOST_PICKLES = 5
_MARK = -1
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}


def check_pickles(path: Path) -> None:
    """Read through the pickles of a zip archive, and through those that a file begins with.

    What is no pickle at all is left to whoever reads the file next.  PyTorch's reader of archives is more
    lenient than this one, so that an archive which is not read here must not be read there.

    Raises:
        InputError: a damaged archive.
        UnsupportedError: one of them would take too much time or memory.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        archived = file.read(2) == b"PK"
        file.seek(0)
        for _ in range(_MOST_PICKLES):
            if not _check(file, path):
                break
    if archived or zipfile.is_zipfile(path):
        try:
            _check_archive(path)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
            raise InputError(f"{path}: a damaged or truncated checkpoint, or none at all") from None


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(set(names)) < len(names):
            raise zipfile.BadZipFile("two entries of one name")
        for name in names:
            if name.rpartition("/")[2].endswith(".pkl"):
                _check(io.BytesIO(archive.read(name)), path)


def _check(file: IO[bytes], path: Path) -> bool:
    """Look through one pickle; False if it is none."""
    stack: list[int] = []
    memo: dict[int, int] = {}
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "GLOBAL":
                _check_global(str(argument), path)
            if _step(opcode, argument, stack, memo) > DEEPEST:
                raise UnsupportedError(f"{path}: refused, because what it holds nests too deep")
    except (ValueError, IndexError, KeyError, EOFError):
        return False
    return True


def _check_global(name: str, path: Path) -> None:
    last = name.rpartition(" ")[2]
    if last == "bytearray" or last.endswith("Tensor"):
        raise UnsupportedError(f"{path}: refused, because it holds more than tensors ({last})")


def _step(opcode: pickletools.OpcodeInfo, argument: object, stack: list[int], memo: dict[int, int]) -> int:
    """Do to the stack of depths what an opcode does; returns the depth of what it leaves on top."""
    name = opcode.name
    if name == "MARK":
        stack.append(_MARK)
        return 0
    if name in _PUTS:
        memo[len(memo) if name == "MEMOIZE" else int(str(argument))] = stack[-1]
        return 0
    if name in _GETS:
        stack.append(memo[int(str(argument))])
        return stack[-1]
    taken: list[int] = []
    before = list(opcode.stack_before)
    if pickletools.markobject in before:
        while stack and stack[-1] != _MARK:
            taken.append(stack.pop())
        stack.pop()
        before = before[: before.index(pickletools.markobject)]
    for _ in before:
        taken.append(stack.pop())
    depth = max(taken, default=0) + 1 if name in _TUPLES else 0
    stack.extend([depth] * len(opcode.stack_after))
    return depth
