"""The ``.nfc`` container: signature, checksummed chunks, index.  Normative text: ``docs/format.md``."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO

from neurocodec.entropy.bits import ByteReader
from neurocodec.errors import DamagedFileError, InputError, UnsupportedError
from neurocodec.format.block import MAX_FRAMES, Block
from neurocodec.format.block_order import BlockOrder
from neurocodec.format.block_parts import PART_CHUNKS, BlockParts, frame_of_part
from neurocodec.format.block_reader import read_block, read_block_start, salvage_block
from neurocodec.format.chunks import (
    BLOCK_CHUNK,
    CORRECTABLE,
    CUT_OFF,
    DESCRIPTION_CHUNK,
    HEADER_CHUNK,
    INDEX_CHUNK,
    LARGEST_HEAD,
    OPTIONAL_CHUNKS,
    SIGNATURE,
    SMALLEST_CHUNK,
    TRAILER_BYTES,
    VERSION,
    VERSIONS,
    IndexEntry,
    outline_chunk,
    with_bit_put_right,
)
from neurocodec.format.damage import Loss, loss_of_parts
from neurocodec.format.description import MAX_DESCRIPTION, Description, read_description
from neurocodec.format.header import Header, read_header
from neurocodec.format.limits import Limits
from neurocodec.format.window import Window

_SEARCH_BUDGET = 1 << 31
"""Bytes worth checksumming in the search for whole blocks in damaged stretches of one file."""
_CANDIDATE_COST = 1 << 14
"""What looking at one candidate counts for."""
_HELD_COST = 100
"""Bytes of memory that an optional chunk takes beside its own."""
_MOST_HEADS = 1000
"""Places in that search at which the head of a damaged block is looked for."""


def _place(file: BinaryIO) -> int:
    """Where a seekable file is read from; 0 for a pipe."""
    try:
        return file.tell() if file.seekable() else 0
    except (OSError, AttributeError):
        return 0


class NfcReader:
    """Reads a file or a pipe front to back; with a seekable file, blocks can also be had by index.

    ``corrected`` says what was put right in the header, if anything; ``promised`` is the number of frames by
    the index, known when it has been read in passing.  ``description`` is what the file says of itself; a
    damaged one says nothing.

    Reading may raise:
        InputError: the file is empty or no ``.nfc`` file.
        UnsupportedError: another version of the format, or a feature this version does not know.
        DamagedFileError: the header is truncated or damaged.
    """

    def __init__(self, file: BinaryIO, name: str = "input", limits: Limits | None = None) -> None:
        self._file = file
        self._base = _place(file)
        self.name = name
        self.limits = limits or Limits()
        self.corrected: str | None = None
        self.promised: int | None = None
        self._frames = 0
        self.optional: Callable[[int, bytes], None] | None = None
        self._window = Window(file)
        self._order = BlockOrder()
        self._open: BlockParts | None = None
        self._waiting: list[tuple[int, bytes]] = []
        self._layered = False
        self._budget, self._heads = _SEARCH_BUDGET, _MOST_HEADS
        self.header_bytes = 0
        self._read_header()
        self.description: Description = self._read_description()

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
        self._layered = self.header.layered
        kinds = (BLOCK_CHUNK, INDEX_CHUNK, *(PART_CHUNKS if self._layered else ()))
        self._starts = re.compile(b"[" + bytes(kinds) + b"]")

    def _read_description(self) -> Description:
        """What may stand here, behind the header; it is not passed."""
        outline = self._outline()
        if isinstance(outline, str) or outline[0] != DESCRIPTION_CHUNK or outline[2] > 2 * MAX_DESCRIPTION:
            return Description()
        found = self._chunk_here()
        with suppress(DamagedFileError):
            return Description() if isinstance(found, str) else read_description(found[1])
        return Description()

    def _corrected_header(self, reason: str) -> tuple[int, bytes, int]:
        """The header chunk here with one flipped bit put right."""
        better = with_bit_put_right(self._window.peek(CORRECTABLE))
        if better is None:
            raise DamagedFileError(f"the header of {self.name} is damaged: {reason}")
        data, place = better
        shape = outline_chunk(data[:LARGEST_HEAD])
        assert not isinstance(shape, str)
        self.corrected = f"a flipped bit in byte {self._window.offset + place} of the header was put right"
        return HEADER_CHUNK, data[shape[1] : -4], len(data)

    def _outline(self) -> tuple[int, int, int] | str:
        """Type, payload's place and total length of the chunk that may begin here, or why there is none."""
        return outline_chunk(self._window.peek(LARGEST_HEAD), self.limits.chunk, self._layered)

    def _chunk_here(self, wanted: int | None = None) -> tuple[int, bytes, int] | str:
        """Type, payload and length of the chunk at the window's start, or why there is none."""
        outline = self._outline()
        if isinstance(outline, str):
            return outline
        kind, start, length = outline
        if wanted is not None and kind != wanted:
            return f"a chunk of type {kind:#04x} is out of place"
        if not self._window.fill(length):
            return CUT_OFF
        if self._window.crc(length - 4) != int.from_bytes(self._window.peek(4, length - 4), "little"):
            return "a checksum does not match"
        return kind, self._window.peek(length - 4 - start, start), length

    def _resynchronize(self) -> bool:
        """Move to the next byte at which a whole, checksummed block or index begins.

        The work is bounded: a file made of nothing but beginnings of chunks is given up.
        """
        self._window.skip(1)
        while self._budget > 0 and self._window.find(self._starts):
            outline = self._outline()
            self._budget -= _CANDIDATE_COST
            if not isinstance(outline, str) and self._plausible(outline[0], outline[1]):
                self._budget -= outline[2]
                if not isinstance(self._chunk_here(), str) or self._may_be_salvaged():
                    return True
            self._window.skip(1)
        return False

    def _may_be_salvaged(self) -> bool:
        """In the search: whether a damaged block begins here whose head is whole."""
        self._heads -= 1
        return self._heads >= 0 and not self._begins_next() and self._salvage_here() is not None

    def _begins_next(self) -> bool:
        """Whether a whole block begins one byte on.

        Where the byte before a block looks like its type, the real type looks like a part of the length, and
        the same head follows.
        """
        outline = outline_chunk(self._window.peek(LARGEST_HEAD, 1), self.limits.chunk)
        if isinstance(outline, str) or outline[0] != BLOCK_CHUNK:
            return False
        data = self._window.peek(outline[2], 1)
        return len(data) == outline[2] and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")

    def _salvage_here(self) -> tuple[Block, int, bool] | None:
        """What is left of the damaged block here, its length, and whether a chunk may follow that.

        If none does, the length is that of what is known to belong to the block.
        """
        outline = self._outline()
        if self.header.version < 4 or isinstance(outline, str) or outline[0] != BLOCK_CHUNK:
            return None
        _, start, length = outline
        there = self._window.fill(length)
        found = salvage_block(self._window.peek(length - 4 - start, start), self.header)
        if found is None or not self._order.follows(found[0], gap=True):
            return None
        block, end = found
        if there and self._may_follow(block, length):
            return block, length, True
        return block, start + end, False

    def _may_follow(self, block: Block, distance: int) -> bool:
        """Whether at that distance the file ends, or a block that comes after ``block`` may begin.

        In a layered file that may also be the index, or the layer or a head of the block.
        """
        head = self._window.peek(LARGEST_HEAD + 24, distance)
        outline = outline_chunk(head, self.limits.chunk, self._layered)
        if isinstance(outline, str):
            return not head
        kind, rest = outline[0], head[outline[1] :]
        if kind in PART_CHUNKS:
            return frame_of_part(rest) == block.first_frame
        if kind != BLOCK_CHUNK:
            return self._layered and kind == INDEX_CHUNK
        found = read_block_start(rest, self.header)
        return found is not None and found[0] >= block.first_frame + len(block.pts)

    def _is_beginning(self) -> bool:
        """Whether the block of the first frame begins here."""
        outline = self._outline()
        if isinstance(outline, str) or outline[0] != BLOCK_CHUNK:
            return False
        found = read_block_start(self._window.peek(24, outline[1]), self.header)
        return found is not None and found[0] == 0

    def _pass_damaged_beginning(self) -> bool:
        """Move on from damage right behind the header to the block of the first frame, if that is whole."""
        here = self._window.offset == self.header_bytes
        return here and self._resynchronize() and self._is_beginning()

    def _plausible(self, kind: int, start: int) -> bool:
        """Whether what may be a chunk is an index, or begins like a block that is still to come."""
        if kind == INDEX_CHUNK:
            return True
        data = self._window.peek(24, start)
        if kind in PART_CHUNKS:
            frame = frame_of_part(data)
            here = self._open is not None and frame == self._open.first_frame
            return here or (frame is not None and frame >= self._order.frame)
        found = read_block_start(data, self.header)
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
                left = self._salvage_here()
                if left:
                    yield loss_of_parts(offset, self._rest_of_damaged(left))
                    self._tell_optional()
                    continue
                first = offset == self.header_bytes and self._window.peek(1)[0]
                if self._resynchronize():
                    harmless = first not in (False, BLOCK_CHUNK) and self._is_beginning()
                    told = "the description" if harmless and first == DESCRIPTION_CHUNK else found
                    yield Loss(offset, told, harmless=harmless)
                    continue
                yield Loss(offset, found, truncated=found is CUT_OFF)
                return
            kind, payload, length = found
            self._window.skip(length)
            if kind == INDEX_CHUNK:
                self._note_promise(payload)
                if not self._window.fill(TRAILER_BYTES):
                    yield Loss(self._window.offset, "the file ends inside its trailer", truncated=True)
                return
            if kind in OPTIONAL_CHUNKS:
                if kind == DESCRIPTION_CHUNK:
                    if offset != self.header_bytes:
                        continue
                    try:
                        read_description(payload)
                    except DamagedFileError as error:
                        yield Loss(offset, str(error), harmless=True)
                        continue
                self._waiting.append((kind, payload))
                self._tell_optional()
                continue
            try:
                block = self._parse(kind, payload)
            except DamagedFileError as error:
                yield Loss(offset, str(error))
                continue
            if self._layered:
                block, further, damage = self._with_parts(block, self._parts_of(block))
                length += further
                if block.lost:
                    yield loss_of_parts(offset if damage is None else damage, block)
                    self._tell_optional()
                    continue
            yield block, length
            self._tell_optional()

    def _tell_optional(self) -> None:
        """Pass on the optional chunks that have come."""
        waiting, self._waiting = self._waiting, []
        for kind, payload in waiting:
            if self.optional:
                self.optional(kind, payload)

    def _rest_of_damaged(self, left: tuple[Block, int, bool]) -> Block:
        """Move on behind a block that was salvaged; returns it with its layer and heads."""
        block, length, framed = left
        self._note(block)
        parts = self._open = self._parts_of(block) if self._layered else None
        self._window.skip(length - 1)
        if framed:
            self._window.skip(1)
        else:
            self._resynchronize()
        if parts is None:
            return block
        if not framed:
            parts.lose()
        return self._with_parts(block, parts)[0]

    def _parts_of(self, block: Block) -> BlockParts:
        return BlockParts(block, self.header, self.limits.chunk)

    def _with_parts(self, block: Block, parts: BlockParts) -> tuple[Block, int, int | None]:
        """A block with the layer and heads that follow here, their bytes, and where the first damage is."""
        self._open, size, held, damage = parts, 0, 0, None
        while True:
            offset = self._window.offset
            found = self._chunk_here()
            if isinstance(found, str):
                if not self._pass_damaged_part(block, parts):
                    break
                damage = offset if damage is None else damage
                continue
            kind, payload, length = found
            if kind in OPTIONAL_CHUNKS:
                self._window.skip(length)
                held += length + _HELD_COST
                if (
                    self.optional and kind != DESCRIPTION_CHUNK and held <= self.limits.chunk
                ):  # until the block has been given out
                    self._waiting.append((kind, payload))
                continue
            if kind not in PART_CHUNKS or frame_of_part(payload) != block.first_frame:
                break
            self._window.skip(length)
            size += length
            try:
                parts.add(kind, payload)
            except DamagedFileError:
                damage = offset if damage is None else damage
        self._open = None
        return parts.whole(), size, damage

    def _pass_damaged_part(self, block: Block, parts: BlockParts) -> bool:
        """Move on behind what may be a damaged layer or head; False where there is none of this block."""
        outline = self._outline()
        kind = self._window.peek(1)
        if not kind or kind[0] in (BLOCK_CHUNK, INDEX_CHUNK):
            return False
        if (
            not isinstance(outline, str)
            and outline[0] in PART_CHUNKS
            and self._window.fill(outline[2])
            and self._may_follow(block, outline[2])
        ):
            parts.lose(outline[0])
            self._window.skip(outline[2])
        else:
            parts.lose()
            self._resynchronize()
        return True

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
            if size < SMALLEST_CHUNK:
                return None
            pts = self.header.regular_pts(frame) + source.svarint()
            entries.append(IndexEntry(offset, frame, frames, reference, references, pts))
            offset, frame, reference = offset + size, frame + frames, reference + references
        return entries if offset == place else None

    def seek(self, offset: int) -> None:
        """Continue reading chunks at ``offset`` of a seekable file."""
        self._file.seek(self._base + offset)
        self._window = Window(self._file, offset)
        self._order = BlockOrder()
        self._frames = 0
        self._waiting = []

    def block_at(self, entry: IndexEntry) -> Block:
        """The block an index entry names, which may have ``lost`` parts.

        Raises:
            DamagedFileError: when it is not there as the index says.
        """
        self.seek(entry.offset)
        while True:
            found = self._chunk_here()
            if isinstance(found, str):
                left = self._salvage_here()
                if left is None:
                    if self._pass_damaged_beginning():
                        continue
                    break
                block = self._rest_of_damaged(left)
            else:
                kind, payload, length = found
                self._window.skip(length)
                if kind in OPTIONAL_CHUNKS:
                    continue
                block = self._parse(kind, payload)
                if self._layered:
                    block = self._with_parts(block, self._parts_of(block))[0]
            if (block.first_frame, len(block.pts)) != (entry.first_frame, entry.frames):
                break
            if (block.first_reference, len(block.references)) != (entry.first_reference, entry.references):
                break
            return block
        raise DamagedFileError(f"{self.name} is damaged at byte {entry.offset}")
