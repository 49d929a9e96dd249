"""What a media file says of itself, cleaned and cut to what the format holds, and the same in an output.

Only what is named here is taken: no place, no device, no key that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from neurocodec.format.description import (
    FORBIDDEN,
    MAX_CHAPTER_TITLE,
    MAX_CHAPTERS,
    MAX_CREATED,
    MAX_TIME,
    TEXTS,
    Chapter,
    Description,
)

_KEYS = {
    "title": ("title",),
    "artist": ("artist", "author", "album_artist"),
    "comment": ("comment", "description"),
    "copyright": ("copyright",),
    "date": ("date", "year"),
}
"""Where each text is looked for, in this order."""
_UNDEFINED = "und"
_LANGUAGE = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_MOST_IN_CHAPTERS = 9000
"""Bytes that all chapters may take, so that the description fits whatever else it has."""
_CHAPTER_NUMBERS = 14
"""Bytes of a chapter beside its title, at most."""


def clean(text: str, most: int, several_lines: bool = False) -> str:
    """A text without what the format and terminals do not take, of at most so many bytes of UTF-8."""
    text = re.sub(r"\r\n?|[\x85\u2028\u2029]", "\n", text).replace("\t", " ")
    lines = [FORBIDDEN.sub("", line).strip() for line in text.split("\n")]
    text = ("\n" if several_lines else " ").join(lines).strip()
    return text.encode()[: max(0, most)].decode(errors="ignore").strip()


class SourceDescription:
    """What a container, and the sound track that is read of it, say.

    Chapters are moved by ``shift`` seconds and cut to what lies before ``end``, which is meant after that.
    ``description`` is what is kept, ``notes`` say what was too long for that.
    """

    def __init__(self, container: Any, sound: Any, shift: Fraction, end: Fraction | None) -> None:
        self._cut: list[str] = []
        self.notes: list[str] = []
        tags = {str(key).lower(): str(value) for key, value in container.metadata.items()}
        texts: dict[str, Any] = {
            name: self._text(name, next(_first(tags, keys), "")) for name, keys in _KEYS.items()
        }
        created = _seconds(tags.get("creation_time", ""))
        told = Description(**texts, created=created)
        if sound is not None:
            language = str(sound.metadata.get("language", ""))
            known = (
                _LANGUAGE.fullmatch(language)
                and language != _UNDEFINED
                and len(language) <= TEXTS["language"][1]
            )
            told = replace(
                told,
                language=language if known else "",
                sound_title=self._text("sound_title", next(_first(sound.metadata, ("title", "name")), "")),
            )
        self.description = replace(told, chapters=self._chapters(container.chapters(), shift, end))
        if self._cut:
            self.notes.append(f"what was too long was cut: {', '.join(self._cut)}")

    def _text(self, name: str, text: str) -> str:
        most, lines = TEXTS[name][1], name == "comment"
        kept = clean(text, most, lines)
        if kept != clean(text, len(text) * 4, lines):
            self._cut.append(name.replace("_", " "))
        return kept

    def _chapters(self, found: list[Any], shift: Fraction, end: Fraction | None) -> tuple[Chapter, ...]:
        stretches = sorted(_stretches(found, shift, end), key=lambda c: c.start)
        if len(stretches) > MAX_CHAPTERS:
            self.notes.append(f"only the first {MAX_CHAPTERS} of {len(stretches)} chapters are kept")
            stretches = stretches[:MAX_CHAPTERS]
        most = min(MAX_CHAPTER_TITLE, _MOST_IN_CHAPTERS // max(1, len(stretches)) - _CHAPTER_NUMBERS)
        kept = tuple(replace(c, title=clean(c.title, most)) for c in stretches)
        if any(a.title != clean(b.title, len(b.title) * 4) for a, b in zip(kept, stretches, strict=True)):
            self._cut.append("titles of chapters")
        return kept


def _first(tags: dict[str, str], keys: tuple[str, ...]) -> Iterator[str]:
    return (tags[key] for key in keys if tags.get(key, "").strip())


def _seconds(text: str) -> int | None:
    """The seconds since 1970 of a time in ISO 8601, UTC where it names no zone; None if it is none."""
    with suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(text)
        seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
        return seconds if 0 < seconds <= MAX_CREATED else None
    return None


def _stretches(found: list[Any], shift: Fraction, end: Fraction | None) -> Iterator[Chapter]:
    """Those chapters that lie between zero and ``end``, in milliseconds, with titles as they are."""
    last = MAX_TIME if end is None else min(MAX_TIME, round(end * 1000))
    for chapter in found:
        tick = Fraction(chapter["time_base"])
        start, stop = (round((chapter[name] * tick + shift) * 1000) for name in ("start", "end"))
        start, stop = max(0, start), min(stop, last)
        if start < stop:
            yield Chapter(start, stop, str(chapter["metadata"].get("title", "")))


def container_tags(description: Description) -> dict[str, str]:
    """The tags of an output that say the same, by FFmpeg's names."""
    tags = {name: getattr(description, name) for name in _KEYS}
    tags["creation_time"] = description.created_text
    return {key: value for key, value in tags.items() if value}


def container_chapters(description: Description) -> list[dict[str, Any]]:
    """The chapters of an output, as PyAV takes them."""
    return [
        {
            "id": number,
            "start": chapter.start,
            "end": chapter.end,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": chapter.title} if chapter.title else {},
        }
        for number, chapter in enumerate(description.chapters, 1)
    ]


def sound_tags(description: Description) -> dict[str, str]:
    """The tags of an output's sound track."""
    tags = {"language": description.language, "title": description.sound_title}
    return {key: value for key, value in tags.items() if value}
