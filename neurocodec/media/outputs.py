"""What a decoded video is written as: MP4, lossless Matroska, a Y4M stream, a folder of PNG."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from neurocodec.errors import UsageError
from neurocodec.files.folders import whole_folder
from neurocodec.files.opening import is_path, opened_output
from neurocodec.media.lossless import LosslessWriter
from neurocodec.media.plain_outputs import OURS, PngWriter, Y4mWriter
from neurocodec.media.writer import MediaWriter

SILENT = frozenset(("y4m", "png"))
"""Formats without sound."""
Writer = MediaWriter | Y4mWriter | PngWriter


def output_format(destination: Any, wanted: str | None) -> str:
    """The format of an output: ``wanted``, or else its name's (``.y4m``, ``.mkv``, a ``/`` at its end).

    Raises:
        UsageError: a folder of PNG at what is no path.
    """
    if wanted == "png" and not is_path(destination):
        raise UsageError("a folder of PNG needs a path, not a pipe")
    if wanted or not is_path(destination):
        return wanted or "mp4"
    if str(os.fspath(destination)).endswith(("/", os.sep)):
        return "png"
    return {".y4m": "y4m", ".mkv": "mkv"}.get(Path(destination).suffix.lower(), "mp4")


@contextmanager
def opened_decoded(destination: Any, form: str | None, force: bool) -> Iterator[Any]:
    """What a writer of a format writes to: an open file, or a folder that appears whole or not at all.

    Raises:
        OutputError: it exists and ``force`` is not set, or cannot be written.
    """
    opened: AbstractContextManager[Any]
    opened = whole_folder(destination, OURS, force) if form == "png" else opened_output(destination, force)
    with opened as target:
        yield target


def open_writer(form: str | None, destination: Any, name: str | None, **options: Any) -> Writer:
    """A writer of a format (None: MP4); ``options`` are those of :class:`MediaWriter`.

    Raises:
        NeurocodecError: as the writers do.
    """
    if form == "png":
        size = {k: options[k] for k in ("width", "height", "time_base")}
        return PngWriter(Path(destination), **size)
    if form == "y4m":
        shown = {k: options[k] for k in ("width", "height", "sar", "fps", "time_base", "color")}
        return Y4mWriter(destination, name=name or "the output stream", **shown)
    return (LosslessWriter if form == "mkv" else MediaWriter)(destination, name=name, **options)
