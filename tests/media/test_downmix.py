"""The same voice comes out equally loud, whatever channels it is in."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from neurocodec.media.downmix import Downmix, shares
from neurocodec.media.sound_encoder import opus_encoder

RATE = 48000


def voice(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Something like speech: noise of the voice's pitch that comes and goes, with a peak of 0.8."""
    t = np.arange(int(seconds * RATE)) / RATE
    rng = np.random.default_rng(seed)
    tones = sum(np.sin(2 * np.pi * 140 * k * t + rng.uniform(0, 6)) / k for k in range(1, 12))
    sound = tones * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * t))
    return (0.8 * sound / np.abs(sound).max()).astype(np.float32)


def mixed(samples: np.ndarray, layout: str, outputs: int) -> np.ndarray:
    """In pieces of 20 ms, as they come from a decoder."""
    mix = Downmix(layout, outputs, RATE)
    return np.concatenate([mix(samples[k : k + 960]) for k in range(0, len(samples), 960)])


def decibels(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(np.square(a).mean() / np.square(b).mean()))


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        ("stereo", (0, 1)), ("stereo", (0,)), ("stereo", (1,)), ("5.1", (0, 1, 2, 3, 4, 5)), ("5.1", (2,)),
        ("7.1", tuple(range(8))), ("quad", (2, 3)), ("hexadecagonal", tuple(range(16))),
    ],
)  # fmt: skip
def test_one_voice_is_as_loud_as_in_mono(layout: str, places: tuple[int, ...]) -> None:
    sound = voice()
    samples = np.zeros((len(sound), av.AudioLayout(layout).nb_channels), np.float32)
    samples[:, list(places)] = sound[:, None]
    out = mixed(samples, layout, 1)
    assert abs(decibels(out[:, 0], sound)) < 0.5
    assert np.abs(out).max() <= 1


@pytest.mark.parametrize(("layout", "outputs"), [("stereo", 1), ("5.1", 1), ("5.1", 2)])
def test_a_channel_that_is_upside_down_is_turned(layout: str, outputs: int) -> None:
    """Added up, the voice would be gone."""
    sound = voice()
    samples = np.repeat(sound[:, None], av.AudioLayout(layout).nb_channels, 1)
    samples[:, 1::2] *= -1
    samples += 1e-3 * np.random.default_rng(0).standard_normal(samples.shape).astype(np.float32)
    out = mixed(samples, layout, outputs)
    for k in range(outputs):
        assert abs(decibels(out[:, k], sound)) < 0.5
    assert np.abs(out).max() <= 1
    late = np.concatenate([np.repeat(sound[:, None], samples.shape[1], 1), samples, samples])
    assert abs(decibels(mixed(late, layout, outputs)[-len(sound) :, 0], sound)) < 0.5


def test_two_voices_are_as_loud_as_the_louder_and_not_clipped() -> None:
    samples = np.stack([1.2 * voice(seed=1), 1.2 * voice(seed=2)], 1)
    out = mixed(samples, "stereo", 1)
    assert np.abs(out).max() <= 1
    assert abs(decibels(out[:, 0], samples[:, 0])) < 1.5


def test_sides_stay_on_their_side() -> None:
    wanted = [[1, 0, 0.5**0.5, 0, 1, 0], [0, 1, 0.5**0.5, 0, 0, 1]]
    np.testing.assert_allclose(shares("5.1", 2), wanted, rtol=1e-6)
    sound = voice()
    samples = np.zeros((len(sound), 6), np.float32)
    samples[:, 0] = sound
    out = mixed(samples, "5.1", 2)
    assert abs(decibels(out[:, 0], sound)) < 0.5 and np.abs(out[:, 1]).max() == 0


def test_silence_is_kept_and_changes_no_gain() -> None:
    sound = np.repeat(voice()[:, None], 2, 1)
    quiet = np.zeros((RATE, 2), np.float32)
    out = mixed(np.concatenate([sound, quiet, sound]), "stereo", 1)
    assert np.abs(out[len(sound) : len(sound) + RATE]).max() == 0
    assert abs(decibels(out[-len(sound) :, 0], sound[:, 0])) < 0.2
    assert Downmix("stereo", 1, RATE)(np.zeros((0, 2), np.float32)).shape == (0, 1)


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1"])
def test_through_the_encoder(layout: str) -> None:
    sound = voice()
    channels = av.AudioLayout(layout).nb_channels
    encoder = opus_encoder(channels, 16000)
    packets: list[Any] = []
    for k in range(0, len(sound), 960):
        some = np.repeat(sound[k : k + 960], channels)[None]
        frame = av.AudioFrame.from_ndarray(some, format="flt", layout=layout)
        frame.sample_rate = RATE
        packets += encoder.push(frame, Fraction(k, RATE))
    packets += encoder.finish()
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.extradata = encoder.info.extradata
    decoder.sample_rate, decoder.layout = RATE, "mono"
    out = [f.to_ndarray() for p in packets for f in decoder.decode(av.Packet(p.data))]
    heard = np.concatenate([o.reshape(-1) for o in out]).astype(np.float32)
    heard = heard / 32768 if np.abs(heard).max() > 2 else heard
    middle = slice(RATE // 2, -RATE // 4)
    assert abs(decibels(heard[middle], sound[middle])) < 1.0
