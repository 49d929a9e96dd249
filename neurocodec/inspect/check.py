"""Is a file whole: every block, every packet, every reference picture?  No network is run."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from neurocodec.errors import DamagedFileError, UnsupportedError, UsageError
from neurocodec.format.damage import Loss
from neurocodec.format.limits import Limits
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import Timeline
from neurocodec.inspect.check_layered import LayerCheck
from neurocodec.keypoints.packets import SymbolDigest, parse_frames
from neurocodec.references.store import ReferenceStore

_MOST_PIPED = 1 << 28
"""Bytes of a pipe that a strict decode to a pipe keeps in memory."""


def check_whole(reader: NfcReader) -> str:
    """Read a file to its end and decode everything but the rendered pictures; returns the digest of symbols.

    Raises:
        DamagedFileError: something is damaged or missing.
    """
    header, digest = reader.header, SymbolDigest()
    store, timeline = ReferenceStore[Any](header.model_size), Timeline(header)
    layer = LayerCheck(reader.header, reader.limits, reader.name)
    if reader.corrected:
        raise DamagedFileError(reader.corrected)
    for item in reader:
        if isinstance(item, Loss):
            raise DamagedFileError(f"byte {item.offset}: {item.reason}")
        block = item[0]
        if block.first_frame != timeline.expected or not store.has(block.needed):
            raise DamagedFileError(f"a block is missing before frame {block.first_frame}")
        timeline.seen(block.first_frame, block.pts)
        for k, reference in enumerate(block.references):
            store.add(block.first_reference + k, reference)
        if header.layered:
            if block.layer is not None:
                layer.check(block.layer)
            digest.layered(block, header)
            continue
        frames = parse_frames(block, header)
        digest.frames(frames)
        for frame in frames:
            if frame.reference:
                store.picture(frame.uses[0])
    if reader.promised not in (None, timeline.expected):
        raise DamagedFileError(f"the index promises {reader.promised} frames")
    return digest.hexdigest()


def verify_written(file: BinaryIO, symbols_sha256: str, name: str) -> None:
    """Read an encoded file back and compare what it holds with the digest of what was encoded.

    Raises:
        UsageError: the file cannot be read again.
        DamagedFileError: it holds something else.
    """
    try:
        file.seek(0)
    except OSError:
        raise UsageError("verify needs an output that can be read again, not a pipe") from None
    try:
        digest = check_whole(NfcReader(file, name))
    except DamagedFileError as error:
        raise DamagedFileError(f"verification of {name} failed: {error}") from error
    if digest != symbols_sha256:
        raise DamagedFileError(f"verification of {name} failed: it decodes to other symbols")


def refuse_damaged(file: BinaryIO, name: str, limits: Limits) -> BinaryIO:
    """The file (of a pipe: its contents in memory), after it has been found whole.

    Raises:
        DamagedFileError: it is not.
        UnsupportedError: a pipe holds more than can be kept.
    """
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
        check_whole(NfcReader(file, name, limits))
    except DamagedFileError as error:
        raise DamagedFileError(f"{name} is damaged: {error}") from error
    file.seek(place)
    return file
