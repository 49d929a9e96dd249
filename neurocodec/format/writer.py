"""Writes an ``.nfc`` file front to back."""

from __future__ import annotations

from typing import BinaryIO

from neurocodec.entropy.bits import svarint, varint
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format.block import Block
from neurocodec.format.block_order import BlockOrder
from neurocodec.format.block_parts import BlockParts, write_parts
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.chunks import (
    BLOCK_CHUNK,
    DESCRIPTION_CHUNK,
    HEADER_CHUNK,
    INDEX_CHUNK,
    MAX_CHUNK,
    MAX_INDEX,
    OPTIONAL_CHUNKS,
    SIGNATURE,
    TRAILER_BYTES,
    chunk,
)
from neurocodec.format.description import Description, write_description
from neurocodec.format.header import Header, read_header, write_header


class NfcWriter:
    """Writes a file front to back; nothing is ever seeked, so a pipe will do.

    What is written is read back first, so that no file breaks the format's limits.  A ``description`` that
    says something stands right behind the header.

    Raises:
        ValueError: the header or the description cannot be written.
    """

    def __init__(self, file: BinaryIO, header: Header, description: Description | None = None) -> None:
        self._file = file
        self.header = header
        self.total = 0
        self.payload = dict.fromkeys(("references", "landmarks", "audio"), 0)
        if header.layered:
            self.payload["layer"] = 0
        self._index = bytearray()
        self._stretch = 0
        self._last: tuple[int, bytes] | None = None
        self._order = BlockOrder()
        payload = write_header(header)
        try:
            same = read_header(payload, header.version) == header
        except NeurocodecError as error:
            raise ValueError(f"the header breaks a rule of the format: {error}") from error
        if not same:
            raise ValueError("the header holds values the format does not carry")
        words = write_description(description) if description else None
        self._put(SIGNATURE + bytes([header.version]) + chunk(HEADER_CHUNK, payload))
        if words is not None:
            self.write_optional(DESCRIPTION_CHUNK, words)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.total += len(data)

    def write_block(self, block: Block) -> int:
        """Append a block, with its layer and heads; returns its size in bytes, container overhead included.

        Raises:
            ValueError: the block breaks a rule of the format, or does not follow the one before.
        """
        payload = write_block(block, self.header)
        further = write_parts(block)
        try:
            read = read_block(payload, self.header)
            if self.header.layered:
                self._check_parts(read, further)
        except NeurocodecError as error:
            raise ValueError(f"the block breaks a rule of the format: {error}") from error
        if len(payload) > MAX_CHUNK:
            raise ValueError("the block is too large")
        if not self._order.follows(block, gap=False):
            raise ValueError("the block does not follow the one before")
        self._order.advance(block)
        data = b"".join(chunk(kind, payload) for kind, payload in ((BLOCK_CHUNK, payload), *further))
        for kind, count in block.payload_bytes.items():
            self.payload[kind] += count
        lateness = block.pts[0] - self.header.regular_pts(block.first_frame) if block.pts else 0
        self._index += self._entry()
        rest = varint(len(block.pts)) + varint(len(block.references)) + svarint(lateness)
        self._last = self._stretch + len(data), rest
        self._stretch = 0
        self._put(data)
        return len(data)

    def _check_parts(self, block: Block, further: list[tuple[int, bytes]]) -> None:
        parts = BlockParts(block, self.header)
        for kind, payload in further:
            parts.add(kind, payload)
        if parts.whole().lost:
            raise DamagedFileError("an entry has no layer")

    def write_optional(self, kind: int, payload: bytes) -> None:
        """Append a chunk that readers may ignore (types 0xE0 to 0xEF)."""
        if kind not in OPTIONAL_CHUNKS or len(payload) > MAX_CHUNK:
            raise ValueError("no optional chunk")
        data = chunk(kind, payload)
        self._stretch += len(data)
        self._put(data)

    def _entry(self, further: int = 0) -> bytes:
        """What the index says of the block before, with ``further`` bytes behind it."""
        if self._last is None:
            return b""
        size, rest = self._last
        return varint(size + further) + rest

    @property
    def ending(self) -> bytes:
        """The index, which would make a whole file of what is written so far."""
        entries = bytes(self._index) + self._entry(self._stretch)
        index = chunk(INDEX_CHUNK, entries if len(entries) <= MAX_INDEX else b"")
        return index + len(index).to_bytes(TRAILER_BYTES, "little")

    def close(self) -> None:
        """Write the index.  The file object stays open."""
        self._put(self.ending)

    @property
    def bytes_by_kind(self) -> dict[str, int]:
        """Bytes so far: total, references, landmarks (packets), audio, in layered files the layer, and
        overhead (all the rest).
        """
        return {
            "total": self.total,
            **self.payload,
            "overhead": self.total - sum(self.payload.values()),
        }
