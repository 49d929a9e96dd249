"""The ``.nfc`` container: signature, checksummed chunks, index.  Normative text: ``docs/format.md``."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from neurocodec.entropy.bits import ByteReader, svarint, varint
from neurocodec.errors import DamagedFileError, InputError, NeurocodecError, UnsupportedError
from neurocodec.format.block import MAX_FRAMES, Block, read_block, read_block_start, read_left, write_block
from neurocodec.format.header import Header, read_header, write_header
from neurocodec.format.limits import Limits

SIGNATURE = b"NFC\x1a"
VERSION = 4
"""The newest version of the format; :data:`VERSIONS` are read."""
VERSIONS = (1, 2, 3, 4)
HEADER_CHUNK, BLOCK_CHUNK, INDEX_CHUNK = 0xF1, 0xF2, 0xF3
OPTIONAL_CHUNKS = range(0xE0, 0xF0)
MAX_CHUNK = 1 << 26
MAX_HEADER = 1 << 21
MAX_INDEX = 1 << 20
"""A longer index is left out: an empty one stands in its place."""
TRAILER_BYTES = 3
_KNOWN = (HEADER_CHUNK, BLOCK_CHUNK, INDEX_CHUNK, *OPTIONAL_CHUNKS)
_SMALLEST_CHUNK = 6
_LARGEST_HEAD = 10
_CUT = "the file ends inside a chunk"
_SEARCH_BUDGET = 1 << 31
"""Bytes worth checksumming in the search for whole blocks in damaged stretches of one file."""
_CANDIDATE_COST = 1 << 14
"""What looking at one candidate counts for."""
_MOST_HEADS = 1000
"""Places in that search at which the head of a damaged block is looked for."""
_CORRECTABLE = 4096
"""Bytes of a header chunk in which one flipped bit is looked for (a CRC-32 tells all pairs apart there)."""
_LIMITS = {HEADER_CHUNK: MAX_HEADER, INDEX_CHUNK: MAX_INDEX}


def chunk(kind: int, payload: bytes) -> bytes:
    """Type byte, length, payload, CRC-32 (ISO 3309, as zlib's) of all three, little-endian."""
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where a block lies (optional chunks may come before it) and what it holds."""

    offset: int
    first_frame: int
    frames: int
    first_reference: int
    references: int
    pts: int


class NfcWriter:
    """Writes a file front to back; nothing is ever seeked, so a pipe will do.

    What is written is read back first, so that no file breaks the format's limits.

    Raises:
        ValueError: the header cannot be written.
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self.header = header
        self.total = 0
        self.payload = {"references": 0, "landmarks": 0, "audio": 0}
        self._index = bytearray()
        self._stretch = 0
        self._last: tuple[int, bytes] | None = None
        self._order = _Order()
        payload = write_header(header)
        try:
            same = read_header(payload, header.version) == header
        except NeurocodecError as error:
            raise ValueError(f"the header breaks a rule of the format: {error}") from error
        if not same:
            raise ValueError("the header holds values the format does not carry")
        self._put(SIGNATURE + bytes([header.version]) + chunk(HEADER_CHUNK, payload))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.total += len(data)

    def write_block(self, block: Block) -> int:
        """Append a block; returns its size in bytes, container overhead included.

        Raises:
            ValueError: the block breaks a rule of the format, or does not follow the one before.
        """
        payload = write_block(block, self.header)
        try:
            read_block(payload, self.header)
        except NeurocodecError as error:
            raise ValueError(f"the block breaks a rule of the format: {error}") from error
        if len(payload) > MAX_CHUNK:
            raise ValueError("the block is too large")
        if not self._order.follows(block, gap=False):
            raise ValueError("the block does not follow the one before")
        self._order.advance(block)
        data = chunk(BLOCK_CHUNK, payload)
        for kind, count in block.payload_bytes.items():
            self.payload[kind] += count
        lateness = block.pts[0] - self.header.regular_pts(block.first_frame) if block.pts else 0
        self._end_stretch()
        rest = varint(len(block.pts)) + varint(len(block.references)) + svarint(lateness)
        self._last = self._stretch + len(data), rest
        self._stretch = 0
        self._put(data)
        return len(data)

    def write_optional(self, kind: int, payload: bytes) -> None:
        """Append a chunk that readers may ignore (types 0xE0 to 0xEF)."""
        if kind not in OPTIONAL_CHUNKS or len(payload) > MAX_CHUNK:
            raise ValueError("no optional chunk")
        data = chunk(kind, payload)
        self._stretch += len(data)
        self._put(data)

    def _end_stretch(self, further: int = 0) -> None:
        """Put the block before into the index, with ``further`` bytes behind it."""
        if self._last is not None:
            size, rest = self._last
            self._index += varint(size + further) + rest

    def close(self) -> None:
        """Write the index.  The file object stays open."""
        self._end_stretch(self._stretch)
        index = chunk(INDEX_CHUNK, bytes(self._index) if len(self._index) <= MAX_INDEX else b"")
        self._put(index + len(index).to_bytes(TRAILER_BYTES, "little"))

    @property
    def bytes_by_kind(self) -> dict[str, int]:
        """Bytes so far: total, references, landmarks, audio and overhead (all the rest)."""
        return {
            "total": self.total,
            **self.payload,
            "overhead": self.total - sum(self.payload.values()),
        }


class _Order:
    """Checks that blocks follow each other: frame and reference numbers, and time."""

    def __init__(self) -> None:
        self.frame = 0
        self._reference = 0
        self._pts: int | None = None

    def follows(self, block: Block, gap: bool) -> bool:
        """Whether ``block`` can come next; with ``gap``, blocks in between may be missing."""
        frames, references = block.first_frame - self.frame, block.first_reference - self._reference
        if min(frames, references) < 0 or (not gap and max(frames, references) > 0):
            return False
        return not block.pts or self._pts is None or block.pts[0] > self._pts

    def advance(self, block: Block) -> None:
        """``block`` has come."""
        self.frame = block.first_frame + len(block.pts)
        self._reference = block.first_reference + len(block.references)
        self._pts = block.pts[-1] if block.pts else self._pts


class _Window:
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


def _outline(head: bytes, largest: int = MAX_CHUNK) -> tuple[int, int, int] | str:
    """Type, payload's place and total length of the chunk that may begin with ``head``, or why there is none.

    ``largest`` is the most bytes a block's or an optional chunk's payload may have.
    """
    if len(head) < _SMALLEST_CHUNK:
        return _CUT
    kind = head[0]
    if kind not in _KNOWN:
        return f"byte {kind:#04x} is no chunk type"
    reader = ByteReader(head[1:])
    try:
        size = reader.varint(_LIMITS.get(kind, largest))
    except DamagedFileError as error:
        return str(error)
    return kind, 1 + reader.position, 1 + reader.position + size + 4


def _with_bit_put_right(data: bytes) -> tuple[bytes, int] | None:
    """The header chunk that ``data`` begin with but for one bit, and that bit's byte; None if none or many.

    A CRC-32 has a Hamming distance of 4 up to 91607 bits (Koopman, DSN 2002): no two bits look like one.
    """
    found: list[tuple[bytes, int]] = []
    trial = bytearray(data[:_CORRECTABLE])
    plain = _outline(data[:_LARGEST_HEAD])
    end = _LARGEST_HEAD if isinstance(plain, str) else max(_LARGEST_HEAD, plain[2])
    for bit in range(8 * min(end, len(trial))):
        trial[bit >> 3] ^= 1 << (bit & 7)
        shape = plain if bit >> 3 >= _LARGEST_HEAD else _outline(bytes(trial[:_LARGEST_HEAD]))
        if not isinstance(shape, str) and shape[0] == HEADER_CHUNK and bit >> 3 < shape[2] <= len(trial):
            body, checksum = trial[: shape[2] - 4], trial[shape[2] - 4 : shape[2]]
            if zlib.crc32(body) == int.from_bytes(checksum, "little"):
                found.append((bytes(trial[: shape[2]]), bit >> 3))
        trial[bit >> 3] ^= 1 << (bit & 7)
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Loss:
    """A stretch of the file that could not be read; ``truncated`` when the file simply ends there.

    ``left`` is the block that was there without the parts that are damaged, if its head is whole.
    """

    offset: int
    reason: str
    truncated: bool = False
    left: Block | None = None


def loss_of_parts(offset: int, block: Block) -> Loss:
    """The loss of parts of a block; it may have lost none, if nothing but a checksum is damaged."""
    parts = sorted(part.value for part in block.lost)
    return Loss(offset, f"the {' and '.join(parts) or 'checksum'} of a block", left=block)


def _place(file: BinaryIO) -> int:
    """Where a seekable file is read from; 0 for a pipe."""
    try:
        return file.tell() if file.seekable() else 0
    except (OSError, AttributeError):
        return 0


class NfcReader:
    """Reads a file or a pipe front to back; with a seekable file, blocks can also be had by index.

    ``corrected`` says what was put right in the header, if anything; ``promised`` is the number of frames by
    the index, known when it has been read in passing.

    Reading may raise:
        InputError: the file is empty or no ``.nfc`` file.
        UnsupportedError: another version of the format, or a feature this version does not know.
        DamagedFileError: the header is truncated or damaged.
    """

    _STARTS = re.compile(bytes([ord("["), BLOCK_CHUNK, INDEX_CHUNK, ord("]")]))

    def __init__(self, file: BinaryIO, name: str = "input", limits: Limits | None = None) -> None:
        self._file = file
        self._base = _place(file)
        self.name = name
        self.limits = limits or Limits()
        self.corrected: str | None = None
        self.promised: int | None = None
        self._frames = 0
        self.optional: Callable[[int, bytes], None] | None = None
        self._window = _Window(file)
        self._order = _Order()
        self._budget, self._heads = _SEARCH_BUDGET, _MOST_HEADS
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
        version = start[-1]
        if version not in VERSIONS:
            raise UnsupportedError(
                f"{self.name} has format version {version}; this neurocodec reads versions "
                f"{VERSIONS[0]} to {VERSION}"
            )
        self._window.skip(len(start))
        found = self._chunk_here(HEADER_CHUNK)
        if isinstance(found, str):
            found = self._corrected_header(found)
        _, payload, length = found
        self._window.skip(length)
        self.header: Header = read_header(payload, version)
        self.header_bytes = self._window.offset

    def _corrected_header(self, reason: str) -> tuple[int, bytes, int]:
        """The header chunk here with one flipped bit put right."""
        better = _with_bit_put_right(self._window.peek(_CORRECTABLE))
        if better is None:
            raise DamagedFileError(f"the header of {self.name} is damaged: {reason}")
        data, place = better
        shape = _outline(data[:_LARGEST_HEAD])
        assert not isinstance(shape, str)
        self.corrected = f"a flipped bit in byte {self._window.offset + place} of the header was put right"
        return HEADER_CHUNK, data[shape[1] : -4], len(data)

    def _outline(self) -> tuple[int, int, int] | str:
        """Type, payload's place and total length of the chunk that may begin here, or why there is none."""
        return _outline(self._window.peek(_LARGEST_HEAD), self.limits.chunk)

    def _chunk_here(self, wanted: int | None = None) -> tuple[int, bytes, int] | str:
        """Type, payload and length of the chunk at the window's start, or why there is none."""
        outline = self._outline()
        if isinstance(outline, str):
            return outline
        kind, start, length = outline
        if wanted is not None and kind != wanted:
            return f"a chunk of type {kind:#04x} is out of place"
        if not self._window.fill(length):
            return _CUT
        if self._window.crc(length - 4) != int.from_bytes(self._window.peek(4, length - 4), "little"):
            return "a checksum does not match"
        return kind, self._window.peek(length - 4 - start, start), length

    def _resynchronize(self) -> bool:
        """Move to the next byte at which a whole, checksummed block or index begins.

        The work is bounded: a file made of nothing but beginnings of chunks is given up.
        """
        self._window.skip(1)
        while self._budget > 0 and self._window.find(self._STARTS):
            outline = self._outline()
            self._budget -= _CANDIDATE_COST
            if not isinstance(outline, str) and self._plausible(outline[0], outline[1]):
                self._budget -= outline[2]
                if not isinstance(self._chunk_here(), str) or self._may_be_left():
                    return True
            self._window.skip(1)
        return False

    def _may_be_left(self) -> bool:
        """In the search: whether a damaged block begins here whose head is whole."""
        self._heads -= 1
        return self._heads >= 0 and not self._begins_next() and self._left_here() is not None

    def _begins_next(self) -> bool:
        """Whether a whole block begins one byte on.

        Where the byte before a block looks like its type, the real type looks like a part of the length, and
        the same head follows.
        """
        outline = _outline(self._window.peek(_LARGEST_HEAD, 1), self.limits.chunk)
        if isinstance(outline, str) or outline[0] != BLOCK_CHUNK:
            return False
        data = self._window.peek(outline[2], 1)
        return len(data) == outline[2] and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")

    def _left_here(self) -> tuple[Block, int, bool] | None:
        """What is left of the damaged block here, its length, and whether a chunk may follow that.

        If none does, the length is that of what is known to belong to the block.
        """
        outline = self._outline()
        if self.header.version < 4 or isinstance(outline, str) or outline[0] != BLOCK_CHUNK:
            return None
        _, start, length = outline
        there = self._window.fill(length)
        found = read_left(self._window.peek(length - 4 - start, start), self.header)
        if found is None or not self._order.follows(found[0], gap=True):
            return None
        block, end = found
        if there and self._may_follow(block, length):
            return block, length, True
        return block, start + end, False

    def _may_follow(self, block: Block, distance: int) -> bool:
        """Whether at that distance the file ends, or a block that comes after ``block`` may begin."""
        head = self._window.peek(_LARGEST_HEAD + 24, distance)
        outline = _outline(head, self.limits.chunk)
        if isinstance(outline, str) or outline[0] != BLOCK_CHUNK:
            return not head
        found = read_block_start(head[outline[1] :], self.header.version)
        return found is not None and found[0] >= block.first_frame + len(block.pts)

    def _plausible(self, kind: int, start: int) -> bool:
        """Whether what may be a chunk is an index, or begins like a block that is still to come."""
        if kind == INDEX_CHUNK:
            return True
        found = read_block_start(self._window.peek(24, start), self.header.version)
        return found is not None and found[0] >= self._order.frame

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
                left = self._left_here()
                if left:
                    self._note(left[0])
                    yield loss_of_parts(offset, left[0])
                    self._window.skip(left[1] - 1)
                    if left[2]:
                        self._window.skip(1)
                    else:
                        self._resynchronize()
                    continue
                if self._resynchronize():
                    yield Loss(offset, found)
                    continue
                yield Loss(offset, found, truncated=found is _CUT)
                return
            kind, payload, length = found
            self._window.skip(length)
            if kind == INDEX_CHUNK:
                self._note_promise(payload)
                if not self._window.fill(TRAILER_BYTES):
                    yield Loss(self._window.offset, "the file ends inside its trailer", truncated=True)
                return
            if kind in OPTIONAL_CHUNKS:
                if self.optional:
                    self.optional(kind, payload)
                continue
            try:
                block = self._parse(kind, payload)
            except DamagedFileError as error:
                yield Loss(offset, str(error))
                continue
            yield block, length

    def _note_promise(self, index: bytes) -> None:
        """Add up the frames of an index's payload."""
        source, frames = ByteReader(index), 0
        try:
            while source.remaining:
                source.varint()
                frames += source.varint(MAX_FRAMES)
                source.varint(MAX_FRAMES)
                source.svarint()
        except DamagedFileError:
            return
        if index:
            self.promised = frames

    def _parse(self, kind: int, payload: bytes) -> Block:
        if kind != BLOCK_CHUNK:
            raise DamagedFileError(f"a chunk of type {kind:#04x} is out of place")
        block = read_block(payload, self.header)
        if not self._order.follows(block, gap=True):
            raise DamagedFileError("a block is out of order")
        self._note(block)
        return block

    def _note(self, block: Block) -> None:
        """This block has come."""
        self._order.advance(block)
        self._frames += len(block.pts)
        self.limits.check_frames(self._frames, self.name)

    def finish(self) -> int:
        """Read what is left of the stream and return how many bytes it had in all."""
        while data := self._window.peek(1 << 16):
            self._window.skip(len(data))
        return self._window.offset

    def index(self) -> list[IndexEntry] | None:
        """The index of a seekable file, or None when it has none (a pipe, a truncated file)."""
        try:
            end = self._file.seek(0, 2) - self._base
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
        self._file.seek(self._base + end - TRAILER_BYTES)
        length = int.from_bytes(self._file.read(TRAILER_BYTES), "little")
        place = end - TRAILER_BYTES - length
        if place < self.header_bytes:
            return None
        self.seek(place)
        found = self._chunk_here(INDEX_CHUNK)
        if isinstance(found, str) or found[2] != length:
            return None
        source, entries = ByteReader(found[1]), []
        offset, frame, reference = self.header_bytes, 0, 0
        while source.remaining:
            size = source.varint(place - offset)
            frames, references = source.varint(MAX_FRAMES), source.varint(MAX_FRAMES)
            if size < _SMALLEST_CHUNK:
                return None
            pts = self.header.regular_pts(frame) + source.svarint()
            entries.append(IndexEntry(offset, frame, frames, reference, references, pts))
            offset, frame, reference = offset + size, frame + frames, reference + references
        return entries if offset == place else None

    def seek(self, offset: int) -> None:
        """Continue reading chunks at ``offset`` of a seekable file."""
        self._file.seek(self._base + offset)
        self._window = _Window(self._file, offset)
        self._order, self._frames = _Order(), 0

    def block_at(self, entry: IndexEntry) -> Block:
        """The block an index entry names, which may have ``lost`` parts.

        Raises:
            DamagedFileError: when it is not there as the index says.
        """
        self.seek(entry.offset)
        while True:
            found = self._chunk_here()
            if isinstance(found, str):
                left = self._left_here()
                if left is None:
                    break
                block = left[0]
            else:
                kind, payload, length = found
                self._window.skip(length)
                if kind in OPTIONAL_CHUNKS:
                    continue
                block = self._parse(kind, payload)
            if (block.first_frame, len(block.pts)) != (entry.first_frame, entry.frames):
                break
            if (block.first_reference, len(block.references)) != (entry.first_reference, entry.references):
                break
            return block
        raise DamagedFileError(f"{self.name} is damaged at byte {entry.offset}")
