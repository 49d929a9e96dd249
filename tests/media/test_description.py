"""What sources say of themselves is read, cleaned and cut, and written again."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from described_clips import CHAPTERS, TAGS, described_clip, told_by
from hypothesis import given
from hypothesis import strategies as st
from media_factory import make_clip

from neurocodec.format.description import FORBIDDEN, Chapter, Description, read_description, write_description
from neurocodec.media.color import ColorInfo
from neurocodec.media.description import SourceDescription, clean
from neurocodec.media.lossless import LosslessWriter
from neurocodec.media.reader import MediaReader
from neurocodec.media.writer import MediaWriter

TOLD = Description(
    title=TAGS["title"], artist="Ada", comment="one\ntwo", copyright="CC0", date="2020",
    created=1614834367, language="deu", sound_title="Originalton",
    chapters=tuple(Chapter(*c) for c in CHAPTERS),
)  # fmt: skip


class Told:
    """A container, or a track, that says so."""

    def __init__(self, metadata: dict[str, str], chapters: list[tuple[int, int, str]] | None = None) -> None:
        self.metadata, self._chapters = metadata, chapters or []

    def chapters(self) -> list[dict[str, object]]:
        return [
            {"start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": t}}
            for a, b, t in self._chapters
        ]


def told(metadata: dict[str, str], chapters: list[tuple[int, int, str]] | None = None) -> SourceDescription:
    return SourceDescription(Told(metadata, chapters), None, Fraction(0), None)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_a_source_says_it_and_nothing_else_is_taken(suffix: str, tmp_path: Path) -> None:
    with MediaReader(described_clip(tmp_path / f"in.{suffix}")) as reader:
        language = "" if suffix == "mov" else "deu"  # which PyAV's QuickTime files cannot name
        assert reader.description == replace(TOLD, language=language)
        assert reader.shortened == []
    with MediaReader(tmp_path / f"in.{suffix}", audio=False) as reader:
        assert (reader.description.language, reader.description.sound_title) == ("", "")


def test_a_source_that_says_nothing(tmp_path: Path) -> None:
    with MediaReader(make_clip(tmp_path / "in.mp4")) as reader:
        assert not reader.description


@pytest.mark.parametrize("begin", [0, 3000])
def test_chapters_follow_the_part_and_the_clock(begin: int, tmp_path: Path) -> None:
    path = described_clip(tmp_path / "in.mkv", begin=begin)
    with MediaReader(path, audio_mode="opus") as reader:
        assert reader.description.chapters == TOLD.chapters
    with MediaReader(path, start=0.3, duration=0.5) as reader:
        assert reader.description.chapters == (Chapter(0, 100, "Anfang"), Chapter(100, 500, "Mitte"))
    with MediaReader(path, start=1.2) as reader:
        assert reader.description.chapters == (Chapter(0, 800),)
    with MediaReader(path, duration=0.4) as reader:
        assert reader.description.chapters == (Chapter(0, 400, "Anfang"),)


def test_hostile_texts_are_cleaned() -> None:
    found = told(
        {
            "TITLE": "\x1b[2Ja\u202eb\x00\r\nc\t\u2028d ",
            "comment": " one\r\ntwo\rthree\x07\n",
            "artist": " ",
            "author": "Ada",
            "creation_time": "yesterday",
        },
        [(0, 1, "\x9b1m\ud800x\n")],
    )
    assert found.description == Description(
        title="[2Jab c d", artist="Ada", comment="one\ntwo\nthree", chapters=(Chapter(0, 1, "1mx"),)
    )
    assert found.notes == []


@given(st.text(st.characters(), max_size=60), st.integers(0, 40), st.booleans())
def test_clean_texts_can_be_written(text: str, most: int, lines: bool) -> None:
    kept = clean(text, most, lines)
    assert len(kept.encode()) <= most and not FORBIDDEN.search(kept.replace("\n", "") if lines else kept)
    assert clean(kept, most, lines) == kept


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2021-03-04T05:06:07.000000Z", 1614834367),
        ("2021-03-04 05:06:07", 1614834367),
        ("2021-03-04T06:06:07+01:00", 1614834367),
        ("1904-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-23:00", None),
        ("", None),
    ],
)
def test_times_of_creation(text: str, seconds: int | None) -> None:
    assert told({"creation_time": text}).description.created == seconds


def test_what_is_too_long_is_cut_and_told() -> None:
    found = told(
        {"title": "ä" * 300, "comment": "x" * 5000, "artist": "a" * 512, "copyright": "c" * 512},
        [(k, k + 10**8, "Title " * 100) for k in range(300)],
    )
    d = found.description
    assert d.title == "ä" * 256 and len(d.comment) == 4096 and len(d.artist) == 512
    assert len(d.chapters) == 256 and d.chapters[-1].start == 255
    assert found.notes == [
        "only the first 256 of 300 chapters are kept",
        "what was too long was cut: title, comment, titles of chapters",
    ]
    assert read_description(write_description(d)) == d


def test_the_longest_fits_in_any_language() -> None:
    """Even texts that cannot be compressed, with chapters far apart."""
    import random

    rng = random.Random(1)

    def noise(count: int) -> str:
        return "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(count))

    texts = {name: noise(5000) for name in ("title", "artist", "comment", "copyright", "date")}
    chapters = [(k * 10**9, k * 10**9 + 1 + k * 10**8, noise(300)) for k in range(256)]
    for count in (1, 20, 256):
        found = told(texts, chapters[:count]).description
        assert len(found.chapters) == count and all(c.title for c in found.chapters)
        assert read_description(write_description(found)) == found


@pytest.mark.parametrize("language", ["und", "de\x1b", "x" * 17, ""])
def test_no_language(language: str) -> None:
    found = SourceDescription(Told({}), Told({"language": language}), Fraction(0), None)
    assert found.description == Description()


@pytest.mark.parametrize(("suffix", "writer"), [("mp4", MediaWriter), ("mkv", LosslessWriter)])
def test_an_output_says_it_again(suffix: str, writer: type[MediaWriter], tmp_path: Path) -> None:
    source = described_clip(tmp_path / "in.mp4")
    with MediaReader(source, audio_mode="opus") as reader:
        video = reader.video
        with writer(
            tmp_path / f"out.{suffix}", width=64, height=64, fps=video.fps, time_base=video.time_base,
            color=ColorInfo(1, 1, 1, False), audio=reader.audio, description=reader.description,
        ) as out:  # fmt: skip
            for item in reader:
                if hasattr(item, "to_rgb"):
                    out.write_video(item.to_rgb(), item.pts)
                else:
                    out.write_audio(item)
    tags, chapters, sound = told_by(tmp_path / f"out.{suffix}")
    kept = ("title", "artist", "comment", "copyright", "date", "creation_time")
    assert {k: tags[k] for k in kept} == {k: TAGS[k] for k in kept}
    assert chapters == [(a / 1000, b / 1000, t) for a, b, t in CHAPTERS]
    assert sound["language"] == "deu" and "Originalton" in (sound.get("title"), sound.get("name"))
    with MediaReader(tmp_path / f"out.{suffix}") as reader:
        again = reader.description
    assert replace(again, chapters=TOLD.chapters) == TOLD
    for a, b in zip(again.chapters, TOLD.chapters, strict=True):
        assert abs(a.start - b.start) < 10  # Matroska's pictures begin when the sound does that runs in
