"""A forward-only view of a stream with a bounded look-ahead."""

from __future__ import annotations

import re
import zlib
from typing import BinaryIO

from neurocodec.errors import InputError


class Window:
    """A forward-only view of a stream with a bounded look-ahead."""

    def __init__(self, file: BinaryIO, offset: int = 0) -> None:
        self._file = file
        self._buffer = bytearray()
        self.offset = offset

    def fill(self, count: int) -> bool:
        """Read ahead to have ``count`` bytes from here; False when the stream ends before."""
        while len(self._buffer) < count:
            try:
                data = self._file.read(min(1 << 16, count - len(self._buffer)))
            except OSError as error:
                raise InputError(f"the input cannot be read: {error.strerror or error}") from error
            if not data:
                return False
            self._buffer += data
        return True

    def peek(self, count: int, start: int = 0) -> bytes:
        """Up to ``count`` bytes from ``start`` bytes after here, fewer at the end of the stream."""
        self.fill(start + count)
        return bytes(self._buffer[start : start + count])

    def crc(self, count: int) -> int:
        """CRC-32 of the next ``count`` bytes, which must have been read ahead; nothing is copied."""
        with memoryview(self._buffer) as view, view[:count] as part:
            return zlib.crc32(part)

    def skip(self, count: int) -> None:
        """Move on, by no more than was read ahead."""
        del self._buffer[:count]
        self.offset += count

    def find(self, pattern: re.Pattern[bytes]) -> bool:
        """Move on to the next byte ``pattern`` matches; False (at the end) if there is none."""
        while self.fill(1):
            match = pattern.search(self._buffer)
            if match:
                self.skip(match.start())
                return True
            self.skip(len(self._buffer))
            self.fill(1 << 16)
        return False
