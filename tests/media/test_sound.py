"""Sound through the Opus path, and pictures and sound in step."""

from __future__ import annotations

import resource
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import copy_clip
from media_factory import click_at, decode_sound, make_clip, read_all

from neurocodec.errors import UnsupportedError
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket


@pytest.mark.parametrize(
    ("bit_rate", "channels", "samples"),
    [(12000, 1, 2880), (24000, 1, 2880), (32000, 2, 960), (96000, 2, 960)],
)
def test_opus_stream(tmp_path: Path, bit_rate: int, channels: int, samples: int) -> None:
    path = make_clip(
        tmp_path / "a.mp4",
        frames=50,
        audio="aac",
        audio_rate=44100,
        audio_layout="stereo",
        audio_seconds=1.99,
    )
    reader, _, packets = read_all(path, audio_mode="opus", audio_bitrate=bit_rate)
    info = reader.audio
    assert info is not None
    assert (info.codec, info.sample_rate, info.channels) == ("opus", 48000, channels)
    assert info.time_base == Fraction(1, 48000)
    assert info.extradata[:9] == b"OpusHead\x01"
    assert info.extradata[9] == channels
    assert info.initial_padding == int.from_bytes(info.extradata[10:12], "little") > 0
    assert packets[0].pts == -info.initial_padding
    assert all(b.pts == a.pts + a.duration for a, b in pairwise(packets))
    assert all(p.duration == samples for p in packets[:-1])
    assert 0 < packets[-1].duration <= samples
    end = packets[-1].pts + packets[-1].duration
    assert abs(end - 1.99 * 48000) < 1100  # AAC ends on a packet of its own
    rate = sum(len(p.data) for p in packets) * 8 / 2
    assert rate < 1.6 * bit_rate + 4000


def test_mono_stays_mono(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=5, audio="pcm_s16le")
    reader, _, _ = read_all(path, audio_mode="opus", audio_bitrate=64000)
    assert reader.audio is not None
    assert reader.audio.channels == 1


def test_surround_becomes_stereo(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=5, audio="ac3", audio_layout="5.1", audio_start=0.0)
    reader, _, packets = read_all(path, audio_mode="opus", audio_bitrate=64000)
    assert reader.audio is not None
    assert reader.audio.layout == "stereo"
    assert packets


NOT_COPIED: list[tuple[str, dict[str, Any], str]] = [
    ("a.wmv", {"audio": "wmav2", "audio_layout": "stereo", "audio_bitrate": 64000}, "codec 'wmav2'"),
    ("a.wmv", {"audio": "wmav1", "audio_layout": "stereo", "audio_bitrate": 64000}, "codec 'wmav1'"),
    ("a.avi", {"audio": "adpcm_ima_wav"}, "codec 'adpcm_ima_wav'"),
    ("a.mov", {"audio": "pcm_s16le", "audio_layout": "hexadecagonal"}, "16 channels"),
]


@pytest.mark.parametrize(
    ("name", "options", "words"), NOT_COPIED, ids=[str(o["audio"]) for _, o, _ in NOT_COPIED]
)
def test_sound_that_could_not_be_decoded_again_is_not_copied(
    tmp_path: Path, name: str, options: dict[str, Any], words: str
) -> None:
    path = make_clip(tmp_path / name, frames=10, codec="mpeg4", **options)
    with pytest.raises(UnsupportedError, match=f"{name} .*{words} .*--audio opus") as caught:
        MediaReader(path, audio_mode="copy")
    assert "\n" not in str(caught.value)
    _, pictures, packets = read_all(path, audio_mode="opus")
    assert len(pictures) == 10
    assert packets
    assert len(read_all(path, audio_mode="none")[1]) == 10


def test_gap_becomes_silence(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "g.mkv",
        frames=60,
        audio="pcm_s16le",
        audio_seconds=2.4,
        gap=(0.8, 1.6),
        sound=click_at(2.0),
    )
    copy_clip(path, tmp_path / "out.mp4", audio_mode="opus")
    _, _, packets = read_all(path, audio_mode="opus")
    assert all((b.pts - a.pts) % 2880 == 0 for a, b in pairwise(packets))
    assert abs(_click_time(tmp_path / "out.mp4") - 2.0) < 0.01
    end = packets[-1].pts + packets[-1].duration
    assert abs(end / 48000 - 2.4) < 0.03


def _click_time(path: Path) -> float:
    samples, rate = decode_sound(path)
    loud = np.abs(samples) > 0.25 * np.abs(samples).max()
    return float(np.argmax(loud)) / rate


def _flash_time(path: Path) -> float:
    with MediaReader(path) as reader:
        for item in reader:
            if isinstance(item, VideoPicture) and item.to_rgb(16, 16).mean() > 128:
                return float(item.pts * reader.video.time_base)
    raise AssertionError("no flash")


SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("a.mp4", {"audio": "aac"}),
    ("a.mp4", {"audio": "aac", "audio_rate": 44100, "audio_layout": "stereo"}),
    ("a.mkv", {"audio": "libopus"}),
    ("a.mkv", {"audio": "flac", "audio_rate": 44100}),
    ("a.ts", {"audio": "aac"}),
    ("a.mkv", {"audio": "libmp3lame"}),
]


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.0, 0.3])
@pytest.mark.parametrize("mode", ["opus", "copy"])
@pytest.mark.parametrize(("name", "options"), SOURCES, ids=[f"{n}-{o['audio']}" for n, o in SOURCES])
def test_click_and_flash_stay_together(
    tmp_path: Path, name: str, options: dict[str, Any], mode: str, start: float
) -> None:
    def picture(index: int) -> np.ndarray:
        return np.full((48, 64, 3), 255 if 20 <= index < 22 else 10, np.uint8)

    source = make_clip(
        tmp_path / name,
        frames=35,
        picture=picture,
        sound=click_at(0.8),
        audio_start=start,
        audio_seconds=1.4 - start,
        **options,
    )
    before = _click_time(source) - _flash_time(source)
    assert abs(before) < 0.03  # the MPEG-TS and MP3 encoders' delay may show in the source already
    out = tmp_path / "out.mp4"
    copy_clip(source, out, audio_mode=mode)
    after = _click_time(out) - _flash_time(out)
    assert abs(after) < 0.025 + max(0.0, abs(before) - 0.003)
    assert abs(after - before) < 0.012
    piped = tmp_path / "piped.mp4"
    with piped.open("wb") as file:
        copy_clip(source, _Unseekable(file), audio_mode=mode)
    assert abs(_click_time(piped) - _flash_time(piped) - after) < 0.005


class _Unseekable:
    def __init__(self, file: Any) -> None:
        self.write = file.write

    def seekable(self) -> bool:
        return False


def test_late_sound_starts_late(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "l.mp4", frames=30, audio="aac", audio_start=0.3, audio_seconds=0.8)
    for mode in ("opus", "copy"):
        reader, _, packets = read_all(path, audio_mode=mode)
        assert reader.audio is not None
        start = packets[0].pts + reader.audio.initial_padding
        assert abs(float(start * reader.audio.time_base) - 0.3) < 0.025
        copy_clip(path, tmp_path / f"{mode}.mp4", audio_mode=mode)
        again, _, written = read_all(tmp_path / f"{mode}.mp4")
        assert again.audio is not None
        assert (
            abs(float(written[0].pts * again.audio.time_base - packets[0].pts * reader.audio.time_base))
            < 1e-3
        )


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "long.mkv",
        width=320,
        height=240,
        frames=600,
        picture=lambda i: np.full((240, 320, 3), i % 200, np.uint8),
        audio="pcm_s16le",
    )

    def run() -> int:
        with MediaReader(path, audio_mode="opus") as reader:
            count = 0
            for item in reader:
                if not isinstance(item, AudioPacket):
                    item.to_rgb(64, 48)
                    count += 1
        return count

    assert run() == 600
    first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        copy_clip(path, "/dev/null", audio_mode="opus")
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first
    assert growth < 60_000  # KiB; 600 decoded pictures are 66 MiB, as RGB 132 MiB


def _two_kinds(folder: Path, rate: int, layout: str) -> Path:
    """Transport streams, one after the other: a second of 48 kHz in one channel, then one of another kind."""
    parts = [
        make_clip(folder / f"{k}.ts", frames=25, audio="aac", audio_rate=r, audio_layout=name)
        for k, (r, name) in enumerate(((48000, "mono"), (rate, layout)))
    ]
    path = folder / "both.ts"
    path.write_bytes(b"".join(p.read_bytes() for p in parts))
    return path


@pytest.mark.parametrize(("rate", "layout"), [(44100, "mono"), (48000, "stereo")])
def test_aac_that_changes_is_not_copied(tmp_path: Path, rate: int, layout: str) -> None:
    path = _two_kinds(tmp_path, rate, layout)
    with pytest.raises(UnsupportedError, match=r"changes its configuration .* --audio opus"):
        read_all(path, audio_mode="copy")
    copy_clip(path, tmp_path / "o.mp4", audio_mode="opus")
    samples, sample_rate = decode_sound(tmp_path / "o.mp4")
    for start in (0.3, 1.4):  # a tone in both parts, as loud
        piece = samples[round(start * sample_rate) : round((start + 0.4) * sample_rate)]
        assert np.sqrt(np.mean(piece**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.2)


def test_one_damaged_packet_is_no_change(tmp_path: Path) -> None:
    same = _two_kinds(tmp_path, 48000, "mono")
    _, _, packets = read_all(same, audio_mode="copy")
    data = bytearray(same.read_bytes())
    heads = [k for k in range(len(data) - 3) if data[k : k + 3] == b"\xff\xf1\x4c"]
    data[heads[10] + 2] ^= 0x04  # another rate
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(data)
    _, _, left = read_all(damaged, audio_mode="copy")
    assert len(packets) - 3 <= len(left) < len(packets)
