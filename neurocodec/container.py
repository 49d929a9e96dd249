"""The ``.nfc`` container: signature, checksummed chunks, index.  Normative text: ``docs/format.md``."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from neurocodec.bits import ByteReader, svarint, varint
from neurocodec.block import MAX_FRAMES, Block, read_block, write_block
from neurocodec.errors import DamagedFileError, InputError, UnsupportedError
from neurocodec.header import Header, read_header, write_header

SIGNATURE = b"NFC\x1a"
VERSION = 1
HEADER_CHUNK, BLOCK_CHUNK, INDEX_CHUNK = 0xF1, 0xF2, 0xF3
OPTIONAL_CHUNKS = range(0xE0, 0xF0)
MAX_CHUNK = 1 << 26
TRAILER_BYTES = 4
_KNOWN = (HEADER_CHUNK, BLOCK_CHUNK, INDEX_CHUNK, *OPTIONAL_CHUNKS)


def chunk(kind: int, payload: bytes) -> bytes:
    """Type byte, length, payload, CRC-32 (ISO 3309, as zlib's) of all three, little-endian."""
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


@dataclass(frozen=True)
class IndexEntry:
    """Where a block lies and what it holds."""

    offset: int
    first_frame: int
    frames: int
    first_reference: int
    references: int
    pts: int


class NfcWriter:
    """Writes a file front to back; nothing is ever seeked, so a pipe will do."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self.header = header
        self.total = 0
        self.payload = {"references": 0, "landmarks": 0, "audio": 0}
        self._entries: list[tuple[int, Block]] = []
        self._last_start = 0
        self._index = bytearray()
        self._blocks = 0
        self._put(SIGNATURE + bytes([VERSION]) + chunk(HEADER_CHUNK, write_header(header)))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.total += len(data)

    def write_block(self, block: Block) -> int:
        """Append a block; returns its size in bytes, container overhead included."""
        data = chunk(BLOCK_CHUNK, write_block(block, self.header))
        for kind, count in block.payload_bytes.items():
            self.payload[kind] += count
        lateness = block.pts[0] - self.header.regular_pts(block.first_frame) if block.pts else 0
        self._index += varint(len(data)) + varint(len(block.pts)) + varint(len(block.references))
        self._index += svarint(lateness)
        self._blocks += 1
        self._put(data)
        return len(data)

    def close(self) -> None:
        """Write the index.  The file object stays open."""
        index = chunk(INDEX_CHUNK, bytes(self._index))
        self._put(index + len(index).to_bytes(TRAILER_BYTES, "little"))

    @property
    def bytes_by_kind(self) -> dict[str, int]:
        """Bytes so far: total, references, landmarks, audio and overhead (all the rest)."""
        return {
            "total": self.total,
            **self.payload,
            "overhead": self.total - sum(self.payload.values()),
        }


class _Window:
    """A forward-only view of a stream with a bounded look-ahead."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = bytearray()
        self.offset = 0

    def peek(self, count: int) -> bytes:
        """Up to ``count`` bytes from here, fewer at the end of the stream."""
        while len(self._buffer) < count:
            data = self._file.read(min(1 << 16, count - len(self._buffer)))
            if not data:
                break
            self._buffer += data
        return bytes(self._buffer[:count])

    def skip(self, count: int) -> None:
        del self._buffer[:count]
        self.offset += count


@dataclass(frozen=True)
class Loss:
    """A stretch of the file that could not be read; ``truncated`` when the file simply ends there."""

    offset: int
    reason: str
    truncated: bool = False


class NfcReader:
    """Reads a file or a pipe front to back; with a seekable file, blocks can also be had by index.

    Raises:
        InputError: the file is empty or no ``.nfc`` file.
        UnsupportedError: another version of the format.
        DamagedFileError: the header is truncated or damaged.
    """

    def __init__(self, file: BinaryIO, name: str = "input") -> None:
        self._file = file
        self.name = name
        self._window = _Window(file)
        self.header_bytes = 0
        self._read_header()

    def _read_header(self) -> None:
        start = self._window.peek(len(SIGNATURE) + 1)
        if not start:
            raise InputError(f"{self.name} is empty")
        if start[: len(SIGNATURE)] != SIGNATURE[: len(start)]:
            raise InputError(f"{self.name} is not an .nfc file")
        if len(start) <= len(SIGNATURE):
            raise DamagedFileError(f"{self.name} ends inside its signature")
        if start[-1] != VERSION:
            raise UnsupportedError(
                f"{self.name} has format version {start[-1]}; this neurocodec reads version {VERSION}"
            )
        self._window.skip(len(start))
        found = self._chunk_here()
        if isinstance(found, str):
            raise DamagedFileError(f"the header of {self.name} is damaged: {found}")
        kind, payload, length = found
        if kind != HEADER_CHUNK:
            raise DamagedFileError(f"{self.name} does not begin with a header")
        self._window.skip(length)
        self.header: Header = read_header(payload)
        self.header_bytes = self._window.offset

    def _chunk_here(self) -> tuple[int, bytes, int] | str:
        """Type, payload and length of the chunk at the window's start, or why there is none."""
        head = self._window.peek(11)
        if len(head) < 6:
            return "the file ends inside a chunk"
        if head[0] not in _KNOWN:
            return f"byte {head[0]:#04x} is no chunk type"
        reader = ByteReader(head[1:])
        try:
            size = reader.varint(MAX_CHUNK)
        except DamagedFileError as error:
            return str(error)
        length = 1 + reader.position + size + 4
        data = self._window.peek(length)
        if len(data) < length:
            return "the file ends inside a chunk"
        if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            return "a checksum does not match"
        return data[0], data[1 + reader.position : -4], length

    def _resynchronize(self) -> bool:
        """Move to the next byte at which a whole, checksummed block or index begins."""
        self._window.skip(1)
        while True:
            data = self._window.peek(1 << 16)
            if not data:
                return False
            places = [p for p in (data.find(BLOCK_CHUNK), data.find(INDEX_CHUNK)) if p >= 0]
            if not places:
                self._window.skip(len(data))
                continue
            self._window.skip(min(places))
            if not isinstance(self._chunk_here(), str):
                return True
            self._window.skip(1)

    def __iter__(self) -> Iterator[tuple[Block, int] | Loss]:
        """Blocks in order with their sizes in bytes; a :class:`Loss` in place of what is damaged.

        A file that was cut off ends with a Loss of ``truncated``.
        """
        while True:
            offset = self._window.offset
            found = self._chunk_here()
            if isinstance(found, str):
                if not self._window.peek(1):
                    yield Loss(offset, "the file ends without an index", truncated=True)
                    return
                if self._resynchronize():
                    yield Loss(offset, found)
                    continue
                yield Loss(offset, found, truncated="ends" in found)
                return
            kind, payload, length = found
            self._window.skip(length)
            if kind == INDEX_CHUNK:
                return
            if kind == BLOCK_CHUNK:
                try:
                    block = read_block(payload, self.header)
                except DamagedFileError as error:
                    yield Loss(offset, str(error))
                    continue
                yield block, length

    def finish(self) -> int:
        """Read what is left of the stream and return how many bytes it had in all."""
        while data := self._window.peek(1 << 16):
            self._window.skip(len(data))
        return self._window.offset

    def index(self) -> list[IndexEntry] | None:
        """The index of a seekable file, or None when it has none (a pipe, a truncated file)."""
        try:
            end = self._file.seek(0, 2)
        except (OSError, AttributeError):
            return None
        try:
            return self._parse_index(end)
        except DamagedFileError:
            return None
        finally:
            self.seek(self.header_bytes)

    def _parse_index(self, end: int) -> list[IndexEntry] | None:
        if end < self.header_bytes + TRAILER_BYTES:
            return None
        self._file.seek(end - TRAILER_BYTES)
        length = int.from_bytes(self._file.read(TRAILER_BYTES), "little")
        if not 6 <= length <= min(MAX_CHUNK, end - TRAILER_BYTES - self.header_bytes):
            return None
        self.seek(end - TRAILER_BYTES - length)
        found = self._chunk_here()
        if isinstance(found, str) or found[0] != INDEX_CHUNK:
            return None
        source, entries = ByteReader(found[1]), []
        offset, frame, reference = self.header_bytes, 0, 0
        while source.remaining:
            size, frames, references = source.varint(), source.varint(MAX_FRAMES), source.varint(MAX_FRAMES)
            pts = self.header.regular_pts(frame) + source.svarint()
            entries.append(IndexEntry(offset, frame, frames, reference, references, pts))
            offset, frame, reference = offset + size, frame + frames, reference + references
        return entries if offset == end - TRAILER_BYTES - length else None

    def seek(self, offset: int) -> None:
        """Continue reading chunks at ``offset`` of a seekable file."""
        self._file.seek(offset)
        self._window = _Window(self._file)
        self._window.offset = offset

    def block_at(self, entry: IndexEntry) -> Block:
        """The block an index entry names.

        Raises:
            DamagedFileError: when there is no whole block.
        """
        self.seek(entry.offset)
        for item in self:
            if isinstance(item, Loss):
                break
            return item[0]
        raise DamagedFileError(f"{self.name} is damaged at byte {entry.offset}")
