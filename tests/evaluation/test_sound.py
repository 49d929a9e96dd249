"""What speech needs: every byte counted, delays found, scores that fall with the rate."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from media_factory import make_clip

import neurocodec
from neurocodec.errors import InputError, UnsupportedError
from neurocodec.evaluation.sound import grid
from neurocodec.evaluation.sound.__main__ import sound
from neurocodec.evaluation.sound.coding import Setting, coded, decoded, file_bytes, mono
from neurocodec.evaluation.sound.scores import lag, scores, treble
from neurocodec.options import EncodeOptions

Samples = np.ndarray[Any, np.dtype[np.float32]]


def babble(times: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A voice of sorts: harmonics that glide, in syllables, with hiss in between."""
    pitch = 120 * times + 3 * np.sin(2 * np.pi * 0.7 * times)
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 25))
    hiss = np.random.default_rng(3).standard_normal(len(times))
    gate = np.sin(2 * np.pi * 3 * times)
    return 0.1 * np.where(gate > 0, gate * voice, -0.3 * gate * hiss)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("babble")
    path: Path = make_clip(
        folder / "b.mkv", frames=75, audio="pcm_s16le", audio_layout="stereo", sound=babble
    )
    return path


@pytest.fixture(scope="module")
def speech(clip: Path) -> Samples:
    return mono(clip)


def test_the_sound_is_what_the_encoder_hears(speech: Samples) -> None:
    assert len(speech) == pytest.approx(3 * 48000, abs=100)
    expected = babble(np.arange(len(speech)) / 48000)
    assert np.abs(speech).max() == pytest.approx(np.abs(expected).max(), rel=0.1)


@pytest.mark.slow
def test_bytes_are_those_that_a_file_grows_by(clip: Path, small_model: str, tmp_path: Path) -> None:
    sizes = []
    for audio in ("opus", "none"):
        out = tmp_path / f"{audio}.nfc"
        sizes.append(neurocodec.encode(clip, out, audio=audio, model=small_model).bytes["total"])
    info, packets = coded(mono(clip), Setting(EncodeOptions().audio_bitrate))
    assert abs(file_bytes(info, packets) - (sizes[0] - sizes[1])) <= 3


def test_every_option_of_opus_does_something(speech: Samples) -> None:
    streams = {name: coded(speech, Setting(10000, **c))[1] for name, c in grid.VARIANTS.items()}
    assert len(streams["20 ms"]) == pytest.approx(3 * len(streams[grid.USUAL]), abs=3)
    assert len(streams["120 ms"]) == pytest.approx(len(streams[grid.USUAL]) / 2, abs=1)
    assert streams["up to 4 kHz"][5].data[0] != streams[grid.USUAL][5].data[0]
    at_16 = [coded(speech, Setting(16000, **grid.VARIANTS[n]))[1] for n in (grid.USUAL, "any bandwidth")]
    assert at_16[0][5].data[0] != at_16[1][5].data[0]


def test_the_default_is_among_what_is_measured() -> None:
    assert EncodeOptions().audio_bitrate in grid.FEWER_RATES
    assert set(grid.FEWER_RATES) < set(grid.RATES)
    assert not grid.VARIANTS[grid.USUAL]


def test_decoded_sound_is_in_place(speech: Samples) -> None:
    info, packets = coded(speech, Setting(24000))
    back = decoded(info, packets, len(speech))
    assert len(back) == len(speech)
    assert abs(lag(speech, back)) < 48  # 1 ms


@pytest.mark.parametrize("late", [-37, 0, 1, 160])
def test_delays_are_found(late: int) -> None:
    noise = np.random.default_rng(1).standard_normal(16000).astype(np.float32)
    assert lag(noise, np.roll(noise, late)) == late


def test_treble_is_the_level_above_what_stoi_hears() -> None:
    times = np.arange(16000) / 16000
    low, high = (np.sin(2 * np.pi * f * times).astype(np.float32) for f in (1000, 6000))
    assert treble(low + high, low + high / 2) == pytest.approx(-6.02, abs=0.05)
    assert treble(low + high, low) == -60
    assert treble(low + high, 0.1 * low + high) == pytest.approx(0, abs=0.05)


def test_scores_fall_with_the_rate(speech: Samples) -> None:
    pytest.importorskip("pystoi")
    same = scores(speech, np.roll(speech, 96), 48000)
    assert same.stoi == pytest.approx(1, abs=1e-3) and same.lag == 2
    found = [grid.measure(speech, Setting(rate)) for rate in (6000, 16000)]
    assert found[0].scores.stoi < found[1].scores.stoi < 1
    assert found[0].kbps < found[1].kbps
    assert found[0].payload < found[0].kbps < found[0].payload + 1
    assert (found[0].hertz, found[1].hertz) == (4000, 8000)


def test_the_command_prints_draws_and_writes(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pystoi")
    monkeypatch.setattr(grid, "RATES", (6000, EncodeOptions().audio_bitrate))
    monkeypatch.setattr(grid, "FEWER_RATES", (EncodeOptions().audio_bitrate,))
    silent = make_clip(tmp_path / "s.mkv", frames=25, audio="pcm_s16le", sound=np.zeros_like)
    picture, figures = tmp_path / "p.png", tmp_path / "f.json"
    done = CliRunner().invoke(
        sound, [str(clip), str(silent), "--plot", str(picture), "--out", str(figures)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert all(f"| {name} |" in done.output for name in grid.VARIANTS)
    assert "`b.mkv`" in done.output and "s.mkv" not in done.output
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert set(json.loads(figures.read_text())) == set(grid.VARIANTS)
    rows = [line for line in done.output.splitlines() if line.startswith("|")]
    assert all(a.count("|") == 8 for a in rows if "b.mkv" in a)


def test_without_the_package_it_says_what_to_install(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pystoi"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    result = CliRunner().invoke(sound, [str(clip)])
    assert isinstance(result.exception, UnsupportedError)
    assert "pip install" in str(result.exception) and "\n" not in str(result.exception)


def test_clips_without_sound_are_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "n.mp4", frames=3)
    with pytest.raises(InputError, match="no sound"):
        mono(path)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    with pytest.raises(InputError, match="cannot read"):
        mono(broken)
