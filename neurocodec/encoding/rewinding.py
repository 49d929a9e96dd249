"""Sources that are read more than once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from neurocodec.files.opening import opened_input
from neurocodec.files.pipes import is_pipe

IN_MEMORY = 1 << 25
"""Bytes of a temporary file that are kept in memory."""


def can_be_read_twice(source: Any) -> bool:
    """Whether a source (path or file object) can be read again from its start: no pipe can."""
    if isinstance(source, (str, os.PathLike)):
        return not is_pipe(source)
    try:
        return bool(source.seekable()) and source.tell() == 0
    except (OSError, AttributeError):
        return False


def rewindable(source: Any, stack: ExitStack) -> Callable[[], Any]:
    """A function that gives the source from its start; a pipe is copied to a temporary file first.

    Pipes have paths, too: ``/dev/stdin``, ``<(...)``, a FIFO.
    """
    if isinstance(source, (str, os.PathLike)):
        if not is_pipe(source):
            return lambda: source
        source = stack.enter_context(opened_input(source))[0]
    kept: Any = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
    shutil.copyfileobj(source, kept)

    def begin() -> Any:
        kept.seek(0)
        return kept

    return begin
