"""The Python API: a few functions over paths or file objects, which the command line uses."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from neurocodec.block import SoundPacket
from neurocodec.container import NfcReader
from neurocodec.decoder import DecodeReport, Progress, decode_pictures, decode_stream
from neurocodec.encoder import EncodeReport, encode_stream
from neurocodec.errors import DamagedFileError, InputError, UnsupportedError, UsageError
from neurocodec.info import FileInfo, read_info
from neurocodec.limits import Limits
from neurocodec.media.atomic import AtomicFile, output_error
from neurocodec.media.pipes import stoppable
from neurocodec.options import DecodeOptions, EncodeOptions
from neurocodec.salvage import RepairReport, repair_stream

PathOrFile = str | os.PathLike[str] | BinaryIO
_MOST_PIPED = 1 << 28
"""Bytes of a pipe that a strict decode to a pipe keeps in memory."""


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _open_input(source: PathOrFile, stack: ExitStack) -> tuple[BinaryIO, str]:
    if not _is_path(source):
        return cast(BinaryIO, source), str(getattr(source, "name", "input"))
    path = Path(cast("str | os.PathLike[str]", source))
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder")
        return stoppable(stack.enter_context(path.open("rb"))), str(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _same_file(a: PathOrFile, b: PathOrFile) -> bool:
    try:
        return _is_path(a) and _is_path(b) and Path(cast(str, a)).samefile(cast(str, b))
    except OSError:
        return False


def encode(
    source: PathOrFile,
    destination: PathOrFile,
    options: EncodeOptions | None = None,
    *,
    force: bool = False,
    verify: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> EncodeReport:
    """Encode a video into an ``.nfc`` file.

    Args:
        source: anything FFmpeg reads; a path or a binary file object.
        destination: a path (written to a temporary file, then renamed) or a binary file object.
        options: settings; keyword arguments of :class:`EncodeOptions` override them.
        force: replace an existing output.
        verify: decode the written file and compare symbols and references with what was encoded.
        progress: called with frames done and an estimate of all frames, or None.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`; nothing is left at ``destination`` then.
    """
    chosen = replace(options or EncodeOptions(), **settings)
    chosen.resolved()
    if _same_file(source, destination):
        raise UsageError("input and output are the same file")
    if not _is_path(destination):
        if verify:
            raise UsageError("verify needs an output that can be read again, not a pipe")
        guarded = _OutputGuard(cast(BinaryIO, destination), _name_of(destination))
        return _run(source, guarded, chosen, progress)
    with AtomicFile(cast(str, destination), force) as output:
        if verify and not output.file.readable():
            raise UsageError("verify needs an output that can be read again, not a pipe or a device")
        guarded = _OutputGuard(output.file, str(destination))
        report = _run(source, guarded, chosen, progress)
        if verify:
            output.file.flush()
            _verify(output.file, report, str(destination))
    return report


def _run(source: Any, file: Any, options: EncodeOptions, progress: Progress | None) -> EncodeReport:
    if options.target_kbps is None and options.target_lpips is None and options.max_size is None:
        return encode_stream(source, cast(BinaryIO, file), options, progress)
    from neurocodec.ratecontrol import encode_to_target

    return encode_to_target(source, cast(BinaryIO, file), options, progress)


def _name_of(file: Any) -> str:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else "the output"


class _OutputGuard:
    """Turns a failing write into an :class:`OutputError`; every block goes out at once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name

    def write(self, data: bytes) -> int:
        try:
            count = self._file.write(data)
            if hasattr(self._file, "flush"):
                self._file.flush()
            return count
        except OSError as error:
            raise output_error(self._name, error) from error


def _verify(file: BinaryIO, report: EncodeReport, name: str) -> None:
    """Read the file back and compare what it holds with what was encoded."""
    from neurocodec.check import check_whole

    try:
        file.seek(0)
    except OSError:
        raise UsageError("verify needs an output that can be read again, not a pipe") from None
    try:
        digest = check_whole(NfcReader(file, name))
    except DamagedFileError as error:
        raise DamagedFileError(f"verification of {name} failed: {error}") from error
    if digest != report.symbols_sha256:
        raise DamagedFileError(f"verification of {name} failed: it decodes to other symbols")
    report.verified = True


def decode(
    source: PathOrFile,
    destination: PathOrFile,
    options: DecodeOptions | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> DecodeReport:
    """Decode an ``.nfc`` file into an MP4 with picture and sound.

    Arguments as for :func:`encode`, with :class:`DecodeOptions`.  A truncated or damaged file is decoded
    as far as it goes, with pictures held where some are lost; the report's ``losses`` say what is missing and
    ``lost`` when.  With ``strict``, a damaged file is an error, found before anything is written to a
    destination that is no path.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`; nothing is left at ``destination`` then.
    """
    chosen = replace(options or DecodeOptions(), **settings).resolved()
    if _same_file(source, destination):
        raise UsageError("input and output are the same file")
    with ExitStack() as stack:
        file, name = _open_input(source, stack)
        target: Any = destination
        if chosen.strict and not _is_path(destination):
            file = _checked(file, name, chosen)
        if _is_path(destination):
            target = stack.enter_context(AtomicFile(cast(str, destination), force)).file
        output = str(destination) if _is_path(destination) else _name_of(destination)
        return decode_stream(file, name, target, chosen, progress, output_name=output)


def _checked(file: BinaryIO, name: str, options: DecodeOptions) -> BinaryIO:
    """The file (a pipe: its contents in memory), after it has been found whole.

    Raises:
        DamagedFileError: it is not.
        UnsupportedError: a pipe holds more than can be kept.
    """
    from neurocodec.check import check_whole

    try:
        place = file.tell()
        file.seek(place)
    except (OSError, AttributeError):
        data = file.read(_MOST_PIPED + 1)
        if len(data) > _MOST_PIPED:
            raise UnsupportedError(
                f"{name} is over {_MOST_PIPED} bytes, too much for a strict decode between pipes; name a file"
            ) from None
        file, place = io.BytesIO(data), 0
    try:
        check_whole(NfcReader(file, name, options.limits))
    except DamagedFileError as error:
        raise DamagedFileError(f"{name} is damaged: {error}") from error
    file.seek(place)
    return file


def pictures(
    source: PathOrFile, options: DecodeOptions | None = None, **settings: Any
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Seconds since the first frame and the rendered squares (S,S,3) RGB of an ``.nfc`` file.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`.
    """
    chosen = replace(options or DecodeOptions(), **settings).resolved()
    with ExitStack() as stack:
        file, name = _open_input(source, stack)
        reader = NfcReader(file, name, chosen.limits)
        for item in decode_pictures(reader, chosen, DecodeReport()):
            if not isinstance(item, SoundPacket):
                pts, picture = item
                yield float((pts - reader.header.start) * reader.header.time_base), picture


def probe(source: PathOrFile, *, packets: bool = False, limits: Limits | None = None) -> FileInfo:
    """What is in an ``.nfc`` file (path or file object); with ``packets``, every frame's symbols.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`.
    """
    with ExitStack() as stack:
        file, name = _open_input(source, stack)
        return read_info(file, name, packets=packets, limits=limits)


def repair(
    source: PathOrFile, destination: PathOrFile, *, force: bool = False, limits: Limits | None = None
) -> RepairReport:
    """Write all that is whole of a damaged or truncated ``.nfc`` file as a whole one.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`; nothing is left at ``destination`` then.
    """
    if _same_file(source, destination):
        raise UsageError("input and output are the same file")
    with ExitStack() as stack:
        file, name = _open_input(source, stack)
        target: Any = destination
        if _is_path(destination):
            target = stack.enter_context(AtomicFile(cast(str, destination), force)).file
        output = str(destination) if _is_path(destination) else _name_of(destination)
        return repair_stream(file, name, cast(BinaryIO, _OutputGuard(target, output)), limits)


def encode_bytes(source: PathOrFile, **settings: Any) -> bytes:
    """:func:`encode` into memory."""
    out = io.BytesIO()
    encode(source, out, **settings)
    return out.getvalue()
