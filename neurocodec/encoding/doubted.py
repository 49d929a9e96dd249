"""A full picture that is doubted: nothing of it is written until its first block has been looked at."""

from __future__ import annotations

import io
from typing import BinaryIO


class HeldBack:
    """Keeps what is written to it in memory; from :meth:`release` on, all goes to ``file``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held: io.BytesIO | None = io.BytesIO()

    def write(self, data: bytes) -> int:
        """Keep or write.

        Raises:
            OutputError: it cannot be written.
        """
        return self._file.write(data) if self._held is None else self._held.write(data)

    @property
    def kept(self) -> bytes:
        """What was written and waits."""
        return b"" if self._held is None else self._held.getvalue()

    def release(self) -> None:
        """Write what was kept.

        Raises:
            OutputError: it cannot be written.
        """
        kept, self._held = self.kept, None
        self._file.write(kept)


class OtherwiseBetterError(Exception):
    """The encode that raised this is not wanted: whole frames are the better bargain."""
