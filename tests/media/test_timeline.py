"""Clocks that break: pictures and sound stay together, and nothing else is taken for a break."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import copy_clip, frames_of
from media_factory import Pipe, click_at, decode_sound, make_clip, read_all

from neurocodec import encode
from neurocodec.media.reader import MediaReader
from neurocodec.media.timeline import LEAP_WHERE_CLOCKS_BREAK, TimeLine

WRAP = Fraction(1 << 32, 90000)
VIDEO, SOUND = 0, 1
TICKS = {VIDEO: Fraction(1, 1000), SOUND: Fraction(1, 1000)}


@dataclass
class Packet:
    stream_index: int
    dts: int | None
    duration: int = 40
    size: int = 100
    delay: int = 0

    def __post_init__(self) -> None:
        self.pts = None if self.dts is None else self.dts + self.delay


def piece(
    start: int, seconds: float, sound_seconds: float | None = None, sound_later: int = 0
) -> list[Packet]:
    """Interleaved packets of 40 ms of a recording whose clock begins at ``start`` ms."""
    ends = start + 1000 * seconds, start + 1000 * (seconds if sound_seconds is None else sound_seconds)
    packets = [Packet(VIDEO, t) for t in range(start, int(ends[0]), 40)]
    packets += [Packet(SOUND, t + sound_later) for t in range(start, int(ends[1]), 40)]
    return sorted(packets, key=lambda p: (p.dts or 0, p.stream_index))


def line(
    packets: list[Packet], leap: Fraction = LEAP_WHERE_CLOCKS_BREAK
) -> tuple[list[Any], list[Any], list[float]]:
    """Times of pictures and sound, and the breaks."""
    joined = TimeLine(TICKS, VIDEO, leap)
    out = list(joined(iter(packets)))
    assert len(out) == len(packets)
    times = [[p.dts for p in out if p.stream_index == k] for k in (VIDEO, SOUND)]
    return times[0], times[1], [float(b) for b in joined.breaks]


@pytest.mark.parametrize("second", [0, 1400, 5000 - 60_000, 7_300_000, round(WRAP * 1000)])
@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_both_tracks_are_moved_alike(second: int, seconds: float) -> None:
    pictures, sound, breaks = line(piece(1400, seconds, 0.6) + piece(second, seconds))
    end = round(1000 * seconds)
    assert pictures == list(range(1400, 1400 + 2 * end, 40))
    assert sound == [*range(1400, 2000, 40), *range(1400 + end, 1400 + 2 * end, 40)]
    assert breaks == [1.4 + seconds]


def test_every_splice_is_closed() -> None:
    pictures, sound, breaks = line(piece(1400, 1) * 1 + piece(1400, 1) + piece(500, 3) + piece(0, 1))
    assert pictures == sound == list(range(1400, 7400, 40))
    assert breaks == pytest.approx([2.4, 3.4, 6.4])


@pytest.mark.parametrize("back", [1, 2])
def test_packets_that_come_late_stay_with_their_piece(back: int) -> None:
    """A container hands out the last packets of one track after the first ones of the next piece."""
    first, second = piece(1400, 2), piece(1400, 2)
    late = [p for p in first if p.stream_index == SOUND][-back:]
    packets = [p for p in first if p not in late] + second[:1] + late + second[1:]
    pictures, sound, breaks = line(packets)
    assert pictures == list(range(1400, 5400, 40)) and sound == list(range(1400, 5400, 40))
    assert len(breaks) == 1


def test_sound_that_lags_in_the_file() -> None:
    """Cut by the byte: sound is 0.6 s behind the pictures in the file, before the splice and after it."""
    pictures, sound, _ = line(piece(2000, 2, sound_later=-600) + piece(2000, 2, sound_later=-600))
    assert pictures == list(range(2000, 6000, 40)) and sound == list(range(1400, 5400, 40))


def test_what_is_no_break() -> None:
    slides = [Packet(VIDEO, 0), Packet(VIDEO, 60_000), Packet(VIDEO, 61_000)]
    talk = [Packet(SOUND, t) for t in range(0, 62_000, 40)]
    both = sorted([*slides, *talk], key=lambda p: p.dts or 0)
    for packets, leap in (
        (both, LEAP_WHERE_CLOCKS_BREAK),  # a slide while somebody talks
        (slides, Fraction(3600)),
        ([Packet(VIDEO, t) for t in (0, 40, 30, 80, 120)], LEAP_WHERE_CLOCKS_BREAK),  # rounded times
        (piece(0, 1) + piece(6000, 1), LEAP_WHERE_CLOCKS_BREAK),  # a pause
        ([Packet(VIDEO, 0), Packet(VIDEO, None), Packet(VIDEO, 80)], LEAP_WHERE_CLOCKS_BREAK),
    ):
        before = [[p.dts for p in packets if p.stream_index == k] for k in (VIDEO, SOUND)]
        pictures, sound, breaks = line(packets, leap)
        assert [pictures, sound] == before and not breaks


def test_shown_times_move_with_decoding_times() -> None:
    packets = [
        *(Packet(VIDEO, t, delay=80) for t in (0, 40, 80)),
        *(Packet(VIDEO, t, delay=80) for t in (-900, -860)),
    ]
    out = list(TimeLine(TICKS, VIDEO)(iter(packets)))
    assert [(p.dts, p.pts) for p in out][-2:] == [(120, 200), (160, 240)]


def bright(at: int) -> Any:
    return lambda i: np.full((48, 64, 3), 230 if i == at else 20, np.uint8)


def spliced(folder: Path, seconds: float, starts: list[int]) -> Path:
    """Transport streams, one after the other, each with a flash and a click in its middle."""
    data, frames = b"", round(25 * seconds)
    for k, start in enumerate(starts):
        middle = frames // 2
        part = make_clip(
            folder / f"{k}.ts", frames=frames, picture=bright(middle), audio="aac",
            sound=click_at(start + middle / 25), audio_start=start,
            pts=range(25 * start, 25 * start + frames), options={"bf": "2", "preset": "ultrafast"},
        )  # fmt: skip
        data += part.read_bytes()
    path = folder / "joined.ts"
    path.write_bytes(data)
    return path


def flashes_and_clicks(path: Path) -> tuple[list[float], list[float]]:
    pictures = frames_of(path)
    flashes = [float(t) for t, picture in pictures if picture.mean() > 120]
    samples, rate = decode_sound(path)
    loud = np.flatnonzero(np.abs(samples) > 0.25) / rate
    return flashes, [float(t) for k, t in enumerate(loud) if k == 0 or t - loud[k - 1] > 0.1]


@pytest.mark.parametrize("mode", ["opus", "copy"])
@pytest.mark.parametrize("starts", [[0, 0, 0], [10, 0, 7300], [0, 20, 10]])
@pytest.mark.parametrize("seconds", [1.0, 2.4])
def test_clicks_stay_with_flashes(tmp_path: Path, mode: str, starts: list[int], seconds: float) -> None:
    path = spliced(tmp_path, seconds, starts)
    copy_clip(path, tmp_path / "o.mp4", audio_mode=mode)
    flashes, clicks = flashes_and_clicks(tmp_path / "o.mp4")
    assert len(flashes) == len(clicks) == 3
    assert np.allclose(flashes, clicks, atol=0.04), (flashes, clicks)
    assert np.allclose(np.diff(flashes), seconds, atol=0.05)
    with MediaReader(path) as reader:
        assert list(reader) and len(reader.breaks) == 2
        assert np.allclose(reader.breaks, [seconds, 2 * seconds], atol=0.1)


def with_tracks_from(path: Path, number: int) -> bytes:
    """The same transport stream with other numbers (PIDs) of its tracks."""
    moved = path.with_suffix(".moved.ts")
    options = {"mpegts_start_pid": str(number)}
    with av.open(str(path)) as source, av.open(str(moved), "w", container_options=options) as out:
        tracks = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                out.mux(packet)
    return moved.read_bytes()


def test_tracks_that_are_numbered_anew(tmp_path: Path) -> None:
    """FFmpeg would take them for others, and what follows would be lost without a word."""
    first, second = spliced(tmp_path, 2, [0]), spliced(tmp_path, 2, [0])
    joined = tmp_path / "numbers.ts"
    joined.write_bytes(first.read_bytes() + with_tracks_from(second, 0x300))
    copy_clip(joined, tmp_path / "o.mp4", audio_mode="opus")
    flashes, clicks = flashes_and_clicks(tmp_path / "o.mp4")
    assert len(flashes) == 2 and np.diff(flashes) == pytest.approx(2, abs=0.05)
    assert np.allclose(flashes, clicks, atol=0.04), (flashes, clicks)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_leap_of_the_pictures(tmp_path: Path, suffix: str) -> None:
    """A counter of 32 bits runs over; sound goes on."""
    leap = round(WRAP * 25)
    stamps = [*range(25), *range(25 + leap, 50 + leap)]
    path = make_clip(
        tmp_path / f"l.{suffix}", pts=stamps, audio="aac" if suffix == "mkv" else None, audio_seconds=2
    )
    reader, pictures, _ = read_all(path)
    times = [p.pts * reader.video.time_base for p in pictures]
    assert len(times) == 50 and float(times[-1] - times[0]) == pytest.approx(49 / 25, abs=0.05)
    assert len(reader.breaks) == 1
    assert suffix == "mkv" or reader.video.fps == 25


def test_a_part_behind_a_break(tmp_path: Path) -> None:
    """It is counted on the closed line, so a seek would lead astray."""
    leap = 25 * 80_000
    path = make_clip(
        tmp_path / "b.mkv", pts=[*range(100), *range(100 + leap, 300 + leap)],
        picture=lambda i: np.full((48, 64, 3), 20 + i // 2, np.uint8),
        options={"g": "10", "preset": "ultrafast"},
    )  # fmt: skip
    found = [read_all(source, start=8, duration=1)[1] for source in (path, Pipe(path.read_bytes()))]
    assert [p.pts for p in found[0]] == [p.pts for p in found[1]]
    assert len(found[0]) in (25, 26)
    assert abs(float(found[0][0].to_rgb().mean()) - 120) < 3


@pytest.mark.slow
def test_it_is_said(tmp_path: Path, small_model: str) -> None:
    report = encode(spliced(tmp_path, 1.0, [0, 0, 0]), tmp_path / "o.nfc", model=small_model)
    assert report.duration == pytest.approx(3, abs=0.05)
    (note,) = [n for n in report.notes if "clock" in n]
    assert "breaks at 1.0" in note and "1 times more" in note
