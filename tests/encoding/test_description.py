"""What a source says of itself goes through encode and decode, and stays out where it is not wanted."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_files
from any_files import Pipe
from described_clips import CHAPTERS, TAGS, described_clip, told_by
from rewriting import rewritten

import neurocodec
from neurocodec.errors import DamagedFileError, UsageError
from neurocodec.format.description import Chapter, Description
from neurocodec.format.reader import NfcReader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    model = tiny_files.write_model(tmp_path_factory.mktemp("model"))
    return {"model": str(model), "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return described_clip(tmp_path_factory.mktemp("clip") / "in.mp4")


@pytest.fixture(scope="module")
def coded(source: Path, settings: dict[str, Any]) -> bytes:
    return neurocodec.encode_bytes(source, region="full", metadata="all", **settings)


def description(data: bytes) -> Description:
    return NfcReader(io.BytesIO(data)).description


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_there_and_back(suffix: str, coded: bytes, settings: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / f"out.{suffix}"
    neurocodec.decode(io.BytesIO(coded), out, **settings)
    tags, chapters, sound = told_by(out)
    kept = ("title", "artist", "comment", "copyright", "date", "creation_time")
    assert {k: tags[k] for k in kept} == {k: TAGS[k] for k in kept}
    assert "Generative" in tags["description"]
    assert not {"location", "serial"} & set(tags) and "a camera" not in tags.values()
    assert chapters == [(a / 1000, b / 1000, t) for a, b, t in CHAPTERS]
    assert sound["language"] == "deu"


def test_through_pipes(source: Path, settings: dict[str, Any]) -> None:
    """Neither output can be seeked; the source can, since its index lies at the end."""
    pipe, out = Pipe(), Pipe()
    neurocodec.encode(source, pipe, region="full", **settings)
    neurocodec.decode(pipe, out, **settings)
    import av

    with av.open(io.BytesIO(bytes(out.data))) as container:
        assert container.metadata["title"] == TAGS["title"]
        assert [c["metadata"].get("title", "") for c in container.chapters()] == [t for *_, t in CHAPTERS]


def test_windows(source: Path, coded: bytes, settings: dict[str, Any], tmp_path: Path) -> None:
    part = neurocodec.encode_bytes(source, region="full", start=0.3, duration=0.5, **settings)
    assert description(part).chapters == (Chapter(0, 100, "Anfang"), Chapter(100, 500, "Mitte"))
    out = tmp_path / "out.mkv"
    neurocodec.decode(io.BytesIO(coded), out, start=0.3, duration=0.5, **settings)
    assert told_by(out)[1] == [(0, 0.1, "Anfang"), (0.1, 0.5, "Mitte")]
    neurocodec.decode(io.BytesIO(coded), out, duration=0.3, force=True, **settings)
    assert told_by(out)[1] == [(0, 0.3, "Anfang")]


def test_none_is_kept_where_none_is_wanted(source: Path, coded: bytes, settings: dict[str, Any]) -> None:
    bare = neurocodec.encode_bytes(source, region="full", metadata="none", **settings)
    assert not description(bare) and bare[4] == coded[4] == 4
    assert rewritten(coded) == bare
    with pytest.raises(UsageError, match="metadata"):
        neurocodec.encode_bytes(source, metadata="some", **settings)


def test_a_comment_is_kept_only_with_all(source: Path, coded: bytes, settings: dict[str, Any]) -> None:
    usual = description(neurocodec.encode_bytes(source, region="full", **settings))
    assert description(coded).comment == TAGS["comment"]
    assert usual == replace(description(coded), comment="")


def test_what_the_sound_says_goes_with_it(source: Path, settings: dict[str, Any]) -> None:
    silent = description(neurocodec.encode_bytes(source, region="full", audio="none", **settings))
    assert silent.title and (silent.language, silent.sound_title) == ("", "")


def test_old_versions_keep_it_too(source: Path, settings: dict[str, Any]) -> None:
    old = neurocodec.encode_bytes(
        source, region="full", refresh="schedule", landmark_code="golomb", **settings
    )
    assert old[4] == 1 and description(old).title == TAGS["title"]


def test_whole_frames_keep_it(source: Path) -> None:
    data = neurocodec.encode_bytes(source, region="frames", effort="fast", threads=1, device="cpu")
    assert data[4] == 5 and description(data).chapters[0] == Chapter(0, 400, "Anfang")


def test_what_was_cut_is_told(settings: dict[str, Any], tmp_path: Path) -> None:
    clip = described_clip(tmp_path / "in.mkv", tags={"title": "x" * 600})
    report = neurocodec.encode(clip, io.BytesIO(), region="full", **settings)
    assert report.notes == ["of the source's description, what was too long was cut: title"]


def test_a_damaged_one_is_a_note(coded: bytes, settings: dict[str, Any], tmp_path: Path) -> None:
    bad = bytearray(coded)
    bad[NfcReader(io.BytesIO(coded)).header_bytes + 9] ^= 1
    out = tmp_path / "out.mp4"
    report = neurocodec.decode(io.BytesIO(bytes(bad)), out, **settings)
    assert report.losses == [] and report.frames == 20
    assert len(report.notes) == 1 and "the description" in report.notes[0]
    tags, chapters, _ = told_by(out)
    assert "title" not in tags and "Generative" in tags["comment"] and chapters == []
    with pytest.raises(DamagedFileError, match="the description"):
        neurocodec.decode(io.BytesIO(bytes(bad)), out, strict=True, force=True, **settings)
