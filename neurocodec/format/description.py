"""What a file says of itself in words: title, author, date, chapters (``docs/format.md``, section 2.2).

It stands in an optional chunk right behind the header, so that every reader of the format can pass over it.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from neurocodec.entropy.bits import ByteReader, svarint, varint
from neurocodec.errors import DamagedFileError

MAX_DESCRIPTION = 1 << 14
"""Bytes of a description, both as it stands in the file and unpacked."""
MAX_CHAPTERS = 256
MAX_CHAPTER_TITLE = 255
MAX_TIME = 1 << 40
"""Milliseconds up to which a chapter may last."""
MAX_CREATED = 253402300799
"""The last second of the year 9999."""
TEXTS = {
    "title": (1, 512),
    "artist": (2, 512),
    "comment": (3, 4096),
    "copyright": (4, 512),
    "date": (5, 32),
    "language": (6, 16),
    "sound_title": (7, 255),
}
"""Number in the file and most bytes of each text."""
_CREATED, _CHAPTERS = 8, 9
_PLAIN, _DEFLATED = 0, 1
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Characters that no text has: controls, and those that turn the direction of writing."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Chapter:
    """A stretch of the video with a title, which may be empty; ``start`` and ``end`` in milliseconds.

    Times are on the clock of the pictures' timestamps, whose zero is usually the first picture.
    """

    start: int
    end: int
    title: str = ""


@dataclass(frozen=True)
class Description:
    """What a video's source says of it; what it does not say is empty.

    ``date`` is a text of any form, ``created`` when it was made, in seconds since 1970 (UTC); ``language`` (a
    code, as ``eng`` or ``de-CH``) and ``sound_title`` are those of the sound.  Only ``comment`` may have
    several lines.
    """

    title: str = ""
    artist: str = ""
    comment: str = ""
    copyright: str = ""
    date: str = ""
    created: int | None = None
    language: str = ""
    sound_title: str = ""
    chapters: tuple[Chapter, ...] = ()

    def __bool__(self) -> bool:
        return self != Description()

    @property
    def created_text(self) -> str:
        """``created`` as ISO 8601 has it; empty if it is unknown."""
        if self.created is None:
            return ""
        return (_EPOCH + timedelta(seconds=self.created)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def within(self, start: int, end: int | None = None) -> Description:
        """The description of the part from ``start`` to ``end`` (milliseconds), which then begins at zero.

        Chapters are cut to the part; those outside are dropped.
        """
        cut = (
            replace(
                c, start=max(c.start, start) - start, end=(c.end if end is None else min(c.end, end)) - start
            )
            for c in self.chapters
        )
        return replace(self, chapters=tuple(c for c in cut if c.start < c.end))

    def as_dict(self) -> dict[str, Any]:
        """What is there, for JSON: texts, ``created`` as a text, times of chapters in seconds."""
        found: dict[str, Any] = {name: getattr(self, name) for name in TEXTS}
        found["created"] = self.created_text
        found["sound_language"] = found.pop("language")
        found["chapters"] = [
            {"start": c.start / 1000, "end": c.end / 1000, "title": c.title} for c in self.chapters
        ]
        return {name: value for name, value in found.items() if value}


def write_description(d: Description) -> bytes:
    """Payload of the description chunk, compressed where that is shorter.

    Raises:
        ValueError: it breaks a rule of the format.
    """
    body = bytearray()
    for name, (number, _) in TEXTS.items():
        if text := getattr(d, name).encode("utf-8", "surrogatepass"):
            body += varint(number) + varint(len(text)) + text
    if d.created is not None:
        created = varint(d.created)
        body += varint(_CREATED) + varint(len(created)) + created
    if d.chapters:
        chapters = _chapters(d.chapters)
        body += varint(_CHAPTERS) + varint(len(chapters)) + chapters
    payload = bytes([_PLAIN]) + body
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = min(payload, bytes([_DEFLATED]) + squeezer.compress(body) + squeezer.flush(), key=len)
    try:
        same = read_description(payload) == d
    except DamagedFileError as error:
        raise ValueError(f"the description breaks a rule of the format: {error}") from error
    if not same:
        raise ValueError("the description holds values the format does not carry")
    return payload


def _chapters(chapters: tuple[Chapter, ...]) -> bytes:
    out, before = bytearray(), 0
    for chapter in chapters:
        title = chapter.title.encode("utf-8", "surrogatepass")
        out += svarint(chapter.start - before) + varint(chapter.end - chapter.start)
        out += varint(len(title)) + title
        before = chapter.end
    return bytes(out)


def read_description(payload: bytes) -> Description:
    """Inverse of :func:`write_description`; fields of unknown numbers are passed over.

    Raises:
        DamagedFileError: it breaks a rule of the format.
    """
    source, before = ByteReader(_unpacked(payload)), 0
    names = {number: (name, most) for name, (number, most) in TEXTS.items()}
    found: dict[str, Any] = {}
    while source.remaining:
        number, data = source.varint(), source.take(source.varint(MAX_DESCRIPTION))
        if number <= before:
            raise DamagedFileError("the fields of the description are out of order")
        before = number
        if number in names:
            name, most = names[number]
            found[name] = _text(data, most, several_lines=name == "comment")
            if not data:
                raise DamagedFileError("a text of the description is empty")
        elif number == _CREATED:
            field = ByteReader(data)
            found["created"] = field.varint(MAX_CREATED)
            if field.remaining:
                raise DamagedFileError("the date of the description goes on")
        elif number == _CHAPTERS:
            found["chapters"] = _read_chapters(ByteReader(data))
    return Description(**found)


def _unpacked(payload: bytes) -> bytes:
    if len(payload) > MAX_DESCRIPTION:
        raise DamagedFileError("the description is too long")
    method, body = payload[:1], payload[1:]
    if method == bytes([_PLAIN]):
        return body
    if method != bytes([_DEFLATED]):
        raise DamagedFileError("the description is coded in an unknown way")
    inflater = zlib.decompressobj(-15)
    try:
        body = inflater.decompress(body, MAX_DESCRIPTION + 1)
    except zlib.error:
        raise DamagedFileError("the description cannot be unpacked") from None
    if len(body) > MAX_DESCRIPTION or not inflater.eof or inflater.unused_data:
        raise DamagedFileError("the description is too long or cut off")
    return body


def _text(data: bytes, most: int, several_lines: bool = False) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DamagedFileError("a text of the description is not UTF-8") from None
    if len(data) > most or FORBIDDEN.search(text.replace("\n", "") if several_lines else text):
        raise DamagedFileError("a text of the description is too long or has control characters")
    return text


def _read_chapters(source: ByteReader) -> tuple[Chapter, ...]:
    chapters: list[Chapter] = []
    earliest = before = 0
    while source.remaining:
        start = before + source.svarint(MAX_TIME)
        end = start + source.varint(MAX_TIME)
        if not earliest <= start < end <= MAX_TIME or len(chapters) == MAX_CHAPTERS:
            raise DamagedFileError("the chapters of the description are out of order, or too many")
        chapters.append(Chapter(start, end, _text(source.take(source.varint(255)), MAX_CHAPTER_TITLE)))
        earliest, before = start, end
    if not chapters:
        raise DamagedFileError("the description has chapters, but none")
    return tuple(chapters)
