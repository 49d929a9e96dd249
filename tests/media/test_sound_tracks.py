"""Which of several sound tracks is read."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import make_clip, read_all

from neurocodec import encode
from neurocodec.errors import UsageError
from neurocodec.format.reader import NfcReader
from neurocodec.options import EncodeOptions

LANGUAGES = ("eng", "deu", "fra")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures with three tracks: one channel, two, and one of 22.05 kHz."""
    path = tmp_path_factory.mktemp("tracks") / "three.mkv"
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        tracks: list[Any] = []
        for language, rate, layout in zip(
            LANGUAGES, (48000, 48000, 22050), ("mono", "stereo", "mono"), strict=True
        ):
            track: Any = out.add_stream("aac", rate=rate, layout=layout)
            track.metadata["language"] = language
            tracks.append(track)
        for _ in range(10):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(video.encode(None))
        for track in tracks:
            frame = av.AudioFrame.from_ndarray(
                np.zeros((track.codec_context.channels, track.sample_rate), np.float32),
                format="fltp", layout=track.layout.name,
            )  # fmt: skip
            frame.sample_rate, frame.time_base, frame.pts = (
                track.sample_rate,
                Fraction(1, track.sample_rate),
                0,
            )
            fifo = av.AudioFifo()
            fifo.write(frame)
            for piece in fifo.read_many(1024):
                out.mux(track.encode(piece))
            out.mux(track.encode(None))
    return path


@pytest.mark.parametrize(("number", "found"), [(1, (48000, 1)), (2, (48000, 2)), (3, (22050, 1))])
def test_a_track_by_its_number(clip: Path, number: int, found: tuple[int, int]) -> None:
    reader, _, packets = read_all(clip, audio_track=number)
    assert reader.audio is not None and packets
    assert (reader.audio.sample_rate, reader.audio.channels) == found


def test_a_track_that_is_not_there(clip: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no sound track 4 .*1: aac mono eng; 2: aac stereo deu; 3: aac mono fra"
    ):
        read_all(clip, audio_track=4)
    with pytest.raises(UsageError, match="goes with sound"):
        EncodeOptions(audio="none", audio_track=1).settings()
    with pytest.raises(UsageError, match="audio track must lie"):
        EncodeOptions(audio_track=0).settings()
    assert read_all(clip, audio_mode="none", audio_track=None)[0].audio is None


@pytest.mark.slow
def test_tracks_are_named_where_none_was_chosen(clip: Path, tmp_path: Path, small_model: str) -> None:
    notes = encode(clip, tmp_path / "a.nfc", model=small_model, audio="copy").notes
    assert any("3: aac mono fra" in n and "--audio-track" in n for n in notes)
    report = encode(clip, tmp_path / "b.nfc", model=small_model, audio="copy", audio_track=3)
    assert not any("--audio-track" in n for n in report.notes)
    with (tmp_path / "b.nfc").open("rb") as file:
        track = NfcReader(file, "b").header.audio
    assert track is not None and track.sample_rate == 22050


def _table_of(programmes: dict[int, int]) -> bytes:
    """A transport stream's list of programmes: where the description of each is."""
    table = b"\x00" + struct.pack(">H", 0xB009 + 4 * len(programmes)) + b"\x00\x01\xc1\x00\x00"
    table += b"".join(struct.pack(">HH", number, 0xE000 | at) for number, at in programmes.items())
    crc = 0xFFFFFFFF
    for byte in table:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return (b"\x00" + table + struct.pack(">I", crc)).ljust(184, b"\xff")


def test_a_programme_has_its_own_sound(tmp_path: Path) -> None:
    """Pictures are larger in the second programme of two, so its sound is read, in spite of the first's."""
    streams = []
    for number, (size, layout) in enumerate(((64, "stereo"), (128, "mono")), 1):
        part = make_clip(
            tmp_path / f"{number}.ts", width=size, frames=25, audio="aac", audio_layout=layout,
            container_options={
                "mpegts_service_id": str(number), "mpegts_pmt_start_pid": str(0x1000 + number),
                "mpegts_start_pid": str(0x100 * number),
            },
        )  # fmt: skip
        data = part.read_bytes()
        streams.append([data[k : k + 188] for k in range(0, len(data), 188)])
    table = _table_of({1: 0x1001, 2: 0x1002})
    mixed = [packet for pair in zip_longest(*streams, fillvalue=b"") for packet in pair]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(p[:4] + table if p[1:3] == b"\x40\x00" else p for p in mixed))
    reader, pictures, _ = read_all(both)
    assert len(reader.sound_tracks) == 2 and len(pictures) == 25
    assert reader.video.width == 128 and reader.audio is not None and reader.audio.channels == 1
