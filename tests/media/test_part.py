"""A part of a source: the right pictures at the right times, sound cut with them, by a seek or without."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_factory import Pipe, make_clip, read_all

from neurocodec import encode
from neurocodec.errors import InputError, UsageError
from neurocodec.format.reader import NfcReader
from neurocodec.media import reader as reader_module
from neurocodec.media.part import is_whole_until
from neurocodec.media.reader import MediaReader
from neurocodec.options import EncodeOptions
from neurocodec.peers.ours import Ours

FAST = {"crf": "8", "preset": "ultrafast", "g": "20", "bf": "2", "b_strategy": "0"}


def ramp(index: int) -> Any:
    return np.full((48, 64, 3), 20 + index, np.uint8)


def clip(path: Path, **more: Any) -> Path:
    """Eight seconds at 25 pictures a second, each brighter than the last, with a tone."""
    settings: dict[str, Any] = {"audio": "aac", "options": FAST, **more}
    made: Path = make_clip(path, frames=200, picture=ramp, **settings)
    return made


def times(reader: MediaReader, pictures: list[Any]) -> list[Fraction]:
    return [p.pts * reader.video.time_base - reader.begin for p in pictures]


def shown(pictures: list[Any]) -> list[int]:
    """The numbers of the pictures."""
    return [round(float(p.to_rgb().mean())) - 20 for p in pictures]


@pytest.mark.parametrize("name", ["c.mp4", "c.mkv", "c.ts"])
@pytest.mark.parametrize(("start", "duration"), [(5, 1), (0, 0.5), (6.05, None), (None, 2), (2.3, 0.01)])
def test_pictures_of_a_part(tmp_path: Path, name: str, start: float | None, duration: float | None) -> None:
    path = clip(tmp_path / name)
    reader, pictures, _ = read_all(path, start=start, duration=duration, audio=False)
    begin = Fraction(start or 0).limit_denominator(1000)
    end = 8 if duration is None else begin + Fraction(duration).limit_denominator(1000)
    wanted = [k for k in range(200) if Fraction(k + 1, 25) > begin and Fraction(k, 25) < end]
    found = shown(pictures)
    assert len(found) == len(wanted) and max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 2
    at = times(reader, pictures)
    first = Fraction(0) if start is None else -begin
    expected = [max(Fraction(0), first + Fraction(k, 25)) for k in wanted]
    if start is None:
        expected = [t + at[0] for t in expected]
    assert all(abs(a - b) <= Fraction(1, 500) for a, b in zip(at, expected, strict=True))
    assert reader.video.duration == pytest.approx(float(end - begin), abs=0.1)
    assert (reader.video.frames or 0) == pytest.approx(len(wanted), abs=3)


@pytest.mark.parametrize("name", ["c.mp4", "c.mkv"])
@pytest.mark.parametrize("mode", ["opus", "copy"])
def test_a_seek_gives_what_reading_gives(
    tmp_path: Path, name: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"movflags": "faststart"} if name == "c.mp4" else None
    path = clip(tmp_path / name, container_options=options, audio="flac")
    wanted = {"start": 5.5, "duration": 1.5, "audio_mode": mode}
    asked: list[int] = []
    whole = reader_module.is_whole_until
    monkeypatch.setattr(reader_module, "is_whole_until", lambda *a: asked.append(1) or whole(*a))
    sought = read_all(path, **wanted)
    assert asked
    asked.clear()
    read = read_all(Pipe(path.read_bytes()), **wanted)
    assert not asked
    assert [(p.pts, p.to_rgb().tobytes()) for p in sought[1]] == [
        (p.pts, p.to_rgb().tobytes()) for p in read[1]
    ]
    assert len(sought[1]) == 38  # the first began before
    assert [(p.data, p.duration) for p in sought[2]] == [(p.data, p.duration) for p in read[2]]
    for a, b in zip(sought[2], read[2], strict=True):
        assert abs(a.pts - b.pts) <= (0 if mode == "opus" else 48)  # Matroska's milliseconds


@pytest.mark.parametrize("mode", ["opus", "copy"])
@pytest.mark.parametrize("name", ["c.mp4", "c.ts"])
def test_sound_of_a_part(tmp_path: Path, name: str, mode: str) -> None:
    path = clip(tmp_path / name)
    reader, _, packets = read_all(path, start=3.21, duration=2.5, audio_mode=mode)
    assert reader.audio is not None
    tick = reader.audio.time_base
    first = packets[0].pts * tick - reader.begin
    last = (packets[-1].pts + packets[-1].duration) * tick - reader.begin
    if mode == "opus":
        assert first == -Fraction(reader.audio.initial_padding, 48000)
        assert last == pytest.approx(2.5, abs=0.002)
    else:
        assert abs(first) <= 0.022 and last == pytest.approx(2.5, abs=0.022)


def test_a_broken_clock_is_read_through(tmp_path: Path) -> None:
    """Where a seek cannot be exact it is not made."""
    stamps = [*range(100), *range(2_000_000, 2_000_100)]
    path = clip(tmp_path / "c.mkv", pts=stamps, audio=None)
    with MediaReader(path) as reader:
        assert is_whole_until(reader._container, reader._video_stream, Fraction(3))
        assert not is_whole_until(reader._container, reader._video_stream, Fraction(80_000))


def test_a_picture_that_stays_long(tmp_path: Path) -> None:
    """A slide from 1 s to 6 s is on screen in a part from 3 s to 4 s."""
    path = make_clip(tmp_path / "s.mkv", fps=1, frames=3, pts=[0, 1, 6], picture=lambda i: ramp(60 * i))
    for start, duration in ((3, 1), (3, None)):
        reader, pictures, _ = read_all(path, start=start, duration=duration)
        assert shown(pictures) == pytest.approx([60] if duration else [60, 120], abs=2)
        assert times(reader, pictures)[0] == 0


def test_beyond_the_end(tmp_path: Path) -> None:
    path = clip(tmp_path / "c.mp4")
    for source in (path, Pipe(clip(tmp_path / "c.mkv").read_bytes())):
        with pytest.raises(InputError, match="no picture 9 s after its first one"):
            read_all(source, start=9)


def test_options() -> None:
    with pytest.raises(UsageError, match="start must lie between"):
        EncodeOptions(start=-1).settings()
    with pytest.raises(UsageError, match="duration must lie between"):
        EncodeOptions(duration=0).settings()
    with pytest.raises(UsageError, match="start does not go with a comparison"):
        Ours({"start": 1.0})
    assert dataclasses.replace(EncodeOptions(), start=0.0).settings().start == 0


@pytest.mark.slow
def test_through_the_codec(tmp_path: Path, small_model: str) -> None:
    path = clip(tmp_path / "c.mp4")
    report = encode(path, tmp_path / "o.nfc", start=2, duration=1, model=small_model)
    assert report.frames == 25 and report.duration == pytest.approx(1)
    with (tmp_path / "o.nfc").open("rb") as file:
        reader = NfcReader(file, "o.nfc")
        assert reader.header.start == 0
    target = encode(path, tmp_path / "t.nfc", start=2, duration=1, model=small_model, target_lpips=0.5)
    assert target.frames == 25
