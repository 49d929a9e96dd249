"""The Python API: encode and decode, over paths or file objects.  The command line uses it too.

What needs no networks is elsewhere: :func:`neurocodec.inspect.info.probe` and
:func:`neurocodec.inspect.repair.repair`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, cast

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.decoding.video import decode_stream
from neurocodec.encoding.report import EncodeReport
from neurocodec.errors import UsageError
from neurocodec.files.opening import (
    OutputGuard,
    PathOrFile,
    is_path,
    name_of,
    opened_input,
    opened_output,
    refuse_same_file,
)
from neurocodec.format.block import SoundPacket
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.check import refuse_damaged, verify_written
from neurocodec.media.outputs import opened_decoded, output_format
from neurocodec.options import DecodeOptions, EncodeOptions
from neurocodec.types import Picture, Progress


def encode(
    source: PathOrFile,
    destination: PathOrFile,
    options: EncodeOptions | None = None,
    *,
    force: bool = False,
    verify: bool = False,
    progress: Progress | None = None,
    stage: Callable[[str], None] | None = None,
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
        stage: called with what is done next, in words, where a target takes several encodes; each has its
            own progress.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`; nothing is left at ``destination`` then.
    """
    from neurocodec.encoding.targets import encode_once_or_to_target  # what decoding need not wait for

    chosen = replace(options or EncodeOptions(), **settings)
    chosen.settings()
    refuse_same_file(source, destination)
    if verify and not is_path(destination):
        raise UsageError("verify needs an output that can be read again, not a pipe")
    with opened_output(destination, force) as file:
        if verify and not file.readable():
            raise UsageError("verify needs an output that can be read again, not a pipe or a device")
        name = name_of(destination)
        report = encode_once_or_to_target(
            source, cast(BinaryIO, OutputGuard(file, name)), chosen, progress, stage
        )
        if verify:
            file.flush()
            verify_written(file, report.symbols_sha256, name)
            report.verified = True
    return report


def encode_bytes(source: PathOrFile, **settings: Any) -> bytes:
    """:func:`encode` into memory."""
    out = io.BytesIO()
    encode(source, out, **settings)
    return out.getvalue()


def decode(
    source: PathOrFile,
    destination: PathOrFile,
    options: DecodeOptions | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> DecodeReport:
    """Decode an ``.nfc`` file into an MP4 with picture and sound, or another format.

    Arguments as for :func:`encode`, with :class:`DecodeOptions`; for a format without sound, and for a folder
    of PNG, see ``format`` there.  A truncated or damaged file is decoded
    as far as it goes, with pictures held where some are lost; the report's ``losses`` say what is missing and
    ``lost`` when.  With ``strict``, a damaged file is an error, found before anything is written to a
    destination that is no path.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`; nothing is left at ``destination`` then.
    """
    chosen = replace(options or DecodeOptions(), **settings).resolved()
    refuse_same_file(source, destination)
    with opened_input(source) as (file, name):
        if chosen.strict and not is_path(destination):
            file = refuse_damaged(file, name, chosen.limits)
        chosen = replace(chosen, format=output_format(destination, chosen.format))
        with opened_decoded(destination, chosen.format, force) as target:
            return decode_stream(file, name, target, chosen, progress, output_name=name_of(destination))


def pictures(
    source: PathOrFile, options: DecodeOptions | None = None, **settings: Any
) -> Iterator[tuple[float, Picture]]:
    """Seconds since the first frame and the rendered squares (S,S,3) RGB of an ``.nfc`` file.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`.
    """
    chosen = replace(options or DecodeOptions(), **settings).resolved()
    with opened_input(source) as (file, name):
        reader = NfcReader(file, name, chosen.limits)
        for item in decode_pictures(reader, chosen, DecodeReport()):
            if not isinstance(item, SoundPacket):
                pts, picture = item
                yield float((pts - reader.header.start) * reader.header.time_base), picture
