"""Damaged files: what is lost is no more than it must be, is filled, and is said; strict refuses."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tiny_files
from command_line import answer
from places import ROOT
from scripts import script

import neurocodec
from neurocodec.decoding.filling import fill, silence
from neurocodec.decoding.report import DecodeReport
from neurocodec.errors import DamagedFileError, NeurocodecError, UnsupportedError
from neurocodec.format.block import SoundPacket
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import LostSeconds, Timeline

damage_table = script(ROOT / "tools" / "damage_table.py")
WHOLE = tiny_files.long_file()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_files.write_model(tmp_path_factory.mktemp("model")))


def decoded(data: bytes, model: str, **settings: Any) -> tuple[bytes, DecodeReport]:
    out = io.BytesIO()
    report = neurocodec.decode(io.BytesIO(data), out, model=model, crf=30, threads=1, **settings)
    return out.getvalue(), report


def contents(mp4: bytes) -> tuple[list[float], list[tuple[float, float]]]:
    """Times of the pictures, and begin and end of each packet of sound, in seconds."""
    with av.open(io.BytesIO(mp4)) as file:
        pictures = [float(f.pts * f.time_base) for f in file.decode(video=0) if f.pts is not None]
    with av.open(io.BytesIO(mp4)) as file:
        sound = [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base))
            for p in file.demux(audio=0)
            if p.pts is not None
        ]
    return pictures, sound


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blocks", "lost", "rendered"),
    [
        ((1,), [[1.0, 3.0]], 40),
        ((2,), [[2.0, 3.0]], 50),
        ((0,), [[0.0, 3.0]], 30),
        ((5,), [[5.0, 6.0]], 50),
        ((2, 5), [[2.0, 3.0], [5.0, 6.0]], 40),
    ],
)
def test_lost_blocks_are_filled_and_said(
    blocks: tuple[int, ...], lost: list[list[float]], rendered: int, model: str
) -> None:
    """Number of frames, their times and the sound's are those of the whole file."""
    mp4, report = decoded(tiny_files.damaged(WHOLE, *blocks), model)
    assert (report.frames, report.held, report.lost) == (rendered, 60 - rendered, lost)
    times, sound = contents(mp4)
    assert times == pytest.approx([k / 10 for k in range(60)])
    # without a gap: silence stands where sound was lost, but for the ends of the file
    assert all(b[0] == pytest.approx(a[1], abs=2e-4) for a, b in pairwise(sound))
    assert len(sound) == 300 - 50 * len({0, 5}.intersection(blocks))


def test_blocks_taken_out_cleanly_are_missed_too(model: str) -> None:
    mp4, report = decoded(tiny_files.without(WHOLE, 2), model)
    assert (report.frames, report.held, report.lost) == (50, 10, [[2.0, 3.0]])
    assert report.losses == ["the blocks from 2.00 s to 3.00 s are missing"]
    assert len(contents(mp4)[0]) == 60
    info = neurocodec.probe(io.BytesIO(tiny_files.without(WHOLE, 2)))
    assert (info.lost, info.losses) == ([[2.0, 3.0]], ["blocks are missing"])


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.0, 1.55, 2.0, 2.95, 3.0])
def test_a_gap_in_the_chosen_part(start: float, model: str) -> None:
    mp4, report = decoded(tiny_files.damaged(WHOLE, 2), model, start=start, duration=2.0)
    times = contents(mp4)[0]
    whole = contents(decoded(WHOLE, model, start=start, duration=2.0)[0])[0]
    assert times == pytest.approx(whole)
    inside = [max(2.0, start), min(3.0, start + 2)]
    assert report.lost == ([pytest.approx(inside)] if 0 < start < 3 else [])


@pytest.mark.slow
def test_one_flipped_bit_costs_at_most_its_block_and_its_dependants(model: str) -> None:
    """Rendered, at some places: always 60 frames, and the said seconds are those that are held."""
    rng = np.random.default_rng(0)
    starts = tiny_files.places(WHOLE)
    for _ in range(12):
        bad, position = bytearray(WHOLE), int(rng.integers(5, len(WHOLE) - 3))
        bad[position] ^= 1 << rng.integers(8)
        mp4, report = decoded(bytes(bad), model)
        times = contents(mp4)[0]
        hit = sum(s <= position for s in starts) - 1
        in_index = position >= len(WHOLE) - 3 - int.from_bytes(WHOLE[-3:], "little")
        if hit < 0 or in_index:
            assert (report.frames, report.lost) == (60, [])
            continue
        chain_end = 3 * (hit // 3) + 3
        assert report.lost == [[float(hit), float(chain_end)]]
        assert report.frames == 60 - 10 * (chain_end - hit)
        assert times == pytest.approx([k / 10 for k in range(60)])


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [False, True])
def test_thousands_of_damages_of_a_real_file(guarded: bool) -> None:
    """Thirty seconds of the sample, six blocks, coded with the shipped model; nothing is rendered here."""
    data = (ROOT / "tests" / "data" / "long.nfc").read_bytes()
    data = damage_table.guarded(data) if guarded else data
    whole = damage_table.left_of(data, 6)
    assert (whole.frames, whole.lost_blocks, whole.reported) == (750, 0, False)
    for k, kind in enumerate(damage_table.DAMAGES):
        found = damage_table.tried(data, kind, 150, 100 + k)
        assert all(left.reported or left == whole for left in found)
        if kind in ("one bit flipped", "one byte changed"):
            assert all(left.lost_blocks <= 1 for left in found if left.readable)
            assert sum(left.readable for left in found) >= 147
        if kind.endswith("bytes missing") or kind.endswith("bytes zeroed"):
            assert all(left.lost_blocks <= 2 for left in found if left.readable)
        if kind.endswith("foreign bytes"):
            assert all(left.lost_blocks <= 1 for left in found if left.readable)


def test_the_documents_table_is_what_the_command_prints() -> None:
    text = (ROOT / "docs" / "damage.md").read_text()
    assert all(kind in text for kind in damage_table.DAMAGES)
    rows = [line for line in text.splitlines() if line.startswith("| one bit flipped")]
    data = (ROOT / "tests" / "data" / "long.nfc").read_bytes()
    for row, file in zip(rows, (damage_table.guarded(data), data), strict=True):
        again = damage_table.tried(file, "one bit flipped", 200, 0)
        for column, numbers, most in (
            (3, [x.frames for x in again], 750),
            (5, [x.concealed for x in again], 750),
        ):
            share = 100 * float(np.mean(numbers)) / most
            assert share == pytest.approx(float(row.split("|")[column].split()[0]), abs=4)


# Strict


@pytest.mark.slow
def test_strict_refuses_with_no_output(model: str, tmp_path: Path) -> None:
    for bad in (tiny_files.damaged(WHOLE, 5), WHOLE[:-5], tiny_files.without(WHOLE, 2)):
        out = io.BytesIO()
        with pytest.raises(DamagedFileError, match="damaged"):
            neurocodec.decode(io.BytesIO(bad), out, model=model, strict=True)
        assert out.getvalue() == b""
        (tmp_path / "bad.nfc").write_bytes(bad)
        with pytest.raises(DamagedFileError, match="damaged"):
            neurocodec.decode(tmp_path / "bad.nfc", tmp_path / "out.mp4", model=model, strict=True)
        assert [p.name for p in tmp_path.iterdir()] == ["bad.nfc"]
    assert decoded(WHOLE, model, strict=True)[1].frames == 60


def test_strict_refuses_a_header_that_was_put_right(model: str) -> None:
    bad = bytearray(WHOLE)
    bad[20] ^= 2
    mp4, report = decoded(bytes(bad), model)
    assert (report.frames, report.losses, report.lost) == (60, [], [])
    assert report.notes == ["a flipped bit in byte 20 of the header was put right"]
    assert contents(mp4) == contents(decoded(WHOLE, model)[0])
    with pytest.raises(DamagedFileError, match="put right"):
        decoded(bytes(bad), model, strict=True)


def test_strict_from_a_pipe_reads_it_first(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self._data.read(size)

        def seek(self, *_: Any) -> int:
            raise OSError(29, "Illegal seek")

        tell = seek

    pipe: Any = Pipe(tiny_files.damaged(WHOLE, 5))
    out = io.BytesIO()
    with pytest.raises(DamagedFileError):
        neurocodec.decode(pipe, out, model=model, strict=True)
    assert out.getvalue() == b""
    monkeypatch.setattr("neurocodec.inspect.check._MOST_PIPED", 100)
    with pytest.raises(UnsupportedError, match="name a file"):
        neurocodec.decode(Pipe(WHOLE), out, model=model, strict=True)  # type: ignore[arg-type]


def test_exit_codes_and_the_line_that_says_which_seconds(model: str, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.nfc", tmp_path / "out.mp4"
    bad.write_bytes(tiny_files.damaged(WHOLE, 2))
    code, stdout, stderr = answer("decode", bad, out, "--model", model, "--json", "-q")
    assert code == 7 and out.exists()
    assert json.loads(stdout)["lost"] == [[2.0, 3.0]]
    assert stderr.count("\n") == 1 and "lost in time: 2.00 to 3.00 s" in stderr
    code, _, stderr = answer("info", bad)
    assert code == 7 and "lost in time: 2.00 to 3.00 s" in stderr
    code, stdout, stderr = answer("decode", bad, tmp_path / "no.mp4", "--model", model, "--strict", "-q")
    assert (code, stdout, stderr.count("\n")) == (4, "", 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.nfc", "out.mp4"]


# Parts


def test_lost_seconds_are_merged() -> None:
    lost = LostSeconds()
    for stretch in ((0.0, 1.0), (1.0, 2.5), (4.0, 5.0), (3.9, 4.5)):
        lost.add(*stretch)
    assert lost.rounded() == [[0.0, 2.5], [3.9, 5.0]]


def test_a_gap_of_a_trillion_frames_is_not_filled_frame_by_frame() -> None:
    """Bounded work, whatever numbers a file claims: the picture just stays."""
    h = tiny_files.header()
    (gap,) = Timeline(h).until(1 << 40, 1 << 50)
    picture = np.zeros((2, 2, 3), np.uint8)
    report = DecodeReport()
    items = list(fill([(0, picture), gap, (1 << 50, picture)], h, report))
    assert len(items) == 2 + 18_000 == report.held + 2


@pytest.mark.parametrize(("duration", "size"), [(120, 3), (240, 3), (960, 3), (2880, 8), (5760, 14)])
def test_silence_is_what_opus_decodes_to_silence(duration: int, size: int) -> None:
    track = tiny_files.replace(tiny_files.SOUND, packet_duration=duration)
    packet = silence(track)
    assert packet is not None and len(packet) == size
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout, decoder.extradata = 48000, "mono", track.extradata
    frames = [f for _ in range(3) for f in decoder.decode(av.Packet(packet))]
    assert sum(f.samples for f in frames) in (3 * duration, 3 * duration - track.initial_padding)
    assert all(np.abs(f.to_ndarray()).max() < 1e-3 for f in frames)


def test_silence_is_known_for_opus_only() -> None:
    assert silence(tiny_files.replace(tiny_files.SOUND, codec="aac")) is None
    assert silence(tiny_files.replace(tiny_files.SOUND, packet_duration=100)) is None
    assert silence(tiny_files.replace(tiny_files.SOUND, time_base=Fraction(1, 44100))) is None


def test_gaps_in_sound_are_silence() -> None:
    """Whole packets; what is shorter than one stays a gap. Other codecs' gaps stay what they are."""
    h = tiny_files.header()
    packets = [SoundPacket(b"a", 0, 960), SoundPacket(b"b", 3000, 960), SoundPacket(b"c", 3900, 960)]
    quiet = silence(tiny_files.SOUND)
    assert quiet is not None
    filled = [SoundPacket(quiet, 960, 960), SoundPacket(quiet, 1920, 960)]
    assert list(fill(packets, h)) == [packets[0], *filled, *packets[1:]]
    other = tiny_files.replace(h, audio=tiny_files.replace(tiny_files.SOUND, codec="aac"))
    assert list(fill(packets, other)) == packets


def test_a_file_cannot_ask_for_endless_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurocodec.decoding.filling._MOST_SILENT", 100)
    packets = [SoundPacket(b"a", k << 40, 960) for k in range(5)]
    assert len(list(fill(packets, tiny_files.header()))) == 5 + 100


def test_very_many_losses_are_counted_not_listed() -> None:
    start = tiny_files.places(WHOLE)[0]
    again = WHOLE[start : tiny_files.places(WHOLE)[1]]
    data = WHOLE[:start] + 300 * again + WHOLE[tiny_files.places(WHOLE)[1] :]
    info = neurocodec.probe(io.BytesIO(data))
    assert len(info.losses) == 101 and info.losses[-1] == "and more"
    assert info.frames == 60


@pytest.mark.slow
def test_readers_raise_only_our_errors_on_every_truncation() -> None:
    for end in range(0, len(WHOLE), 7):
        try:
            list(NfcReader(io.BytesIO(WHOLE[:end])))
        except NeurocodecError:
            assert end < tiny_files.places(WHOLE)[0]
