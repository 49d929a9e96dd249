"""A file read, and its blocks written again."""

from __future__ import annotations

import io

from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter


def rewritten(data: bytes) -> bytes:
    """Header and blocks of a file, and nothing else of it, in a new one."""
    reader, out = NfcReader(io.BytesIO(data)), io.BytesIO()
    writer = NfcWriter(out, reader.header)
    for item in reader:
        assert isinstance(item, tuple)
        writer.write_block(item[0])
    writer.close()
    return out.getvalue()
