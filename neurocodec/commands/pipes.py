"""Arguments that name an input or an output, ``-`` for a pipe."""

from __future__ import annotations

import sys
from typing import Any

from neurocodec.errors import InputError, OutputError, UsageError


def input_of(path: str) -> Any:
    """The input that an argument names; ``-`` is standard input.

    Raises:
        InputError: standard input is closed.
    """
    if path != "-":
        return path
    if sys.stdin is None:
        raise InputError("standard input is closed")
    from neurocodec.files.pipes import stoppable

    return stoppable(sys.stdin.buffer)


def output_of(path: str) -> Any:
    """The output that an argument names; ``-`` is standard output.

    Raises:
        OutputError: standard output is closed.
        UsageError: standard output is a terminal.
    """
    if path != "-":
        return path
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    if sys.stdout.isatty():
        raise UsageError("refusing to write a binary file to a terminal; give a file or a pipe")
    return sys.stdout.buffer
