"""Silence costs next to nothing, and what follows it is in its place."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import decode_sound, make_clip

import neurocodec
from neurocodec.media.silence import opus_silence
from neurocodec.media.sound_encoder import opus_encoder
from neurocodec.media.types import AudioPacket

RATE = 48000
Samples = np.ndarray[Any, np.dtype[np.float32]]


def coded(samples: Samples, bit_rate: int = 10000, gated: bool = True) -> list[AudioPacket]:
    """Packets of (N,) or (N,2) samples."""
    channels = 1 if samples.ndim == 1 else 2
    encoder = opus_encoder(channels, bit_rate, gated=gated)
    frame: Any = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples.reshape(1, -1)),
        format="flt",
        layout="mono" if channels == 1 else "stereo",
    )
    frame.sample_rate = RATE
    return [*encoder.push(frame, Fraction(0)), *encoder.finish()]


def tone(seconds: float, level: float = 0.3) -> Samples:
    return (level * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float, level: float) -> Samples:
    return np.random.default_rng(5).uniform(-level, level, round(seconds * RATE)).astype(np.float32)


def bursts(packets: list[AudioPacket]) -> list[tuple[float, float]]:
    """Where packets follow each other without a gap: seconds."""
    edges = [
        0,
        *(k + 1 for k, (a, b) in enumerate(pairwise(packets)) if b.pts > a.pts + a.duration),
        len(packets),
    ]
    ends = [(packets[a], packets[b - 1]) for a, b in pairwise(edges)]
    return [(first.pts / RATE, (last.pts + last.duration) / RATE) for first, last in ends]


@pytest.mark.parametrize("bit_rate", [6000, 10000, 24000, 64000])
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_is_left_out_but_for_margins(bit_rate: int, channels: int) -> None:
    sound = np.concatenate([tone(1), quiet(4), tone(1)])
    packets = coded(np.stack([sound] * channels, 1) if channels > 1 else sound, bit_rate)
    (start, pause), (again, end) = bursts(packets)
    assert start < 0 and end >= 6
    assert 1.06 <= pause <= 1.06 + 0.061
    assert 5 - 0.12 - 0.061 <= again <= 5 - 0.12


def test_ends_of_silence_are_marked_by_packets_of_silence() -> None:
    packets = coded(quiet(60))
    assert [len(p.data) for p in packets[:1]] == [len(opus_silence(2880) or b"")]
    assert len(packets) == 2
    assert packets[-1].pts + packets[-1].duration >= 60 * RATE
    assert sum(len(p.data) for p in packets) < 50
    assert sum(len(p.data) for p in coded(quiet(60), gated=False)) > 10_000


@pytest.mark.parametrize(
    ("level", "pause", "left_out"),
    [
        (0.3, noise(2, 0.00009), True),  # dither
        (0.3, noise(2, 0.001), True),
        (0.6, noise(2, 0.003), True),
        (0.6, noise(2, 0.004), False),  # audible
        (0.03, noise(2, 0.003), False),  # a recording that is quiet throughout
        (0.03, noise(2, 0.0001), True),
        (0.3, np.concatenate([quiet(1), noise(0.002, 0.1), quiet(0.998)]), None),  # a click
    ],
)
def test_what_counts_as_silence(level: float, pause: Samples, left_out: bool | None) -> None:
    packets = coded(np.concatenate([tone(1, level), pause, tone(1, level)]))
    found = bursts(packets)
    if left_out is None:
        assert len(found) == 3
        assert found[1][0] <= 2 - 0.12 and found[1][1] >= 2.06
    else:
        assert len(found) == 1 + left_out


def test_an_onset_after_quiet_noise_is_as_without_the_gate() -> None:
    """Encoder and decoder come together again before the sound, where Opus predicts from the past too."""
    sound = np.concatenate([tone(1), noise(2, 0.002), tone(1)])
    for bit_rate in (10000, 24000, 64000):
        with_gate, without = (played(coded(sound, bit_rate, g), len(sound)) for g in (True, False))
        onset = slice(3 * RATE - 480, 3 * RATE + 4800)
        error = np.sqrt(np.mean((with_gate[onset] - without[onset]) ** 2))
        assert error < 0.03 * np.sqrt(np.mean(without[onset] ** 2)), bit_rate


def played(packets: list[AudioPacket], length: int) -> Samples:
    """Decoded, with packets of silence in the gaps."""
    usual = packets[0].duration
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "mono"
    out, expected = np.zeros(length + RATE, np.float32), packets[0].pts
    for p in packets:
        steps = [(opus_silence(usual), at) for at in range(expected, p.pts, usual)]
        for data, at in [*steps, (p.data, p.pts)]:
            samples = np.concatenate([f.to_ndarray().reshape(-1) for f in decoder.decode(av.Packet(data))])
            skipped = max(0, -at)
            out[at + skipped : at + len(samples)] = samples[skipped:].astype(np.float32) / 32768
        expected = p.pts + p.duration
    return out[:length]


@pytest.mark.slow
def test_a_minute_of_silence_in_a_file_and_sound_after_it(small_model: str, tmp_path: Path) -> None:
    def clicks(times: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        near = [(times >= t) & (times < t + 0.02) for t in (0.5, 62.0)]
        return np.where(near[0] | near[1], 0.8 * np.sin(2 * np.pi * 1000 * times), 0.0)

    sizes = {}
    for name, sound in (("silent", np.zeros_like), ("clicks", clicks), ("none", None)):
        source = make_clip(
            tmp_path / f"{name}.mkv", frames=64, fps=1, audio="pcm_s16le" if sound else None, sound=sound
        )
        report = neurocodec.encode(source, tmp_path / f"{name}.nfc", model=small_model, verify=True)
        sizes[name] = report.bytes["total"]
    assert sizes["silent"] - sizes["none"] < 120  # 64 s: 18 bytes and Opus's header, two packets
    assert sizes["clicks"] - sizes["none"] < 1000
    neurocodec.decode(tmp_path / "clicks.nfc", tmp_path / "back.mp4", model=small_model)
    samples, rate = decode_sound(tmp_path / "back.mp4")
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    first, second = loud[0] / rate, loud[loud > 30 * rate][0] / rate
    assert abs(first - 0.5) < 0.005
    assert abs(second - 62.0) < 0.005
    between = samples[int(2 * rate) : int(60 * rate)]
    assert np.abs(between).max() < 1e-3
