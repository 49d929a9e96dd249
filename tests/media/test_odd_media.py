"""Odd media through reader and writer: count, order, size, orientation, colour, times, and sound in step.

A sample runs with the other tests; ``make odd`` runs as many as ``ODD`` says.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from clips import copy_clip, frames_of
from media_factory import decode_sound, read_all
from odd_media import ASPECT, CLICK, FRAMES, Case, all_cases, numbers, some_cases

import neurocodec

MANY = int(os.environ.get("NEUROCODEC_ODD", "0"))
LEAST_PSNR = {"gif": 18.0}
"""dB, else 24: chroma of half the size alone takes small pictures to some 27; this GIF has 256 colours."""
LATEST = 0.04
"""Seconds by which a click may be off."""


def check(case: Case, folder: Path) -> None:
    """Through reader and writer.

    Raises:
        AssertionError: says what is wrong.
    """
    path, out = case.make(folder), folder / "out.mp4"
    reader, pictures, _ = read_all(path, audio=False)
    assert len(pictures) == FRAMES, "count"
    assert (reader.video.width, reader.video.height) == case.upright, "size"
    assert reader.video.rotation == case.rotation, "rotation"
    if case.geometry == "aspect":
        assert reader.video.sar == ASPECT, "aspect"
    at = [float((p.pts - pictures[0].pts) * reader.video.time_base) for p in pictures]
    assert np.allclose(at, case.times, atol=case.slack), f"times {np.round(at, 3)}"
    rgb = [p.to_rgb() for p in pictures]
    assert np.allclose(numbers(rgb), range(FRAMES), atol=0.45), f"order {np.round(numbers(rgb), 1)}"
    error = np.mean([(np.float64(rgb[k]) - case.picture(k)) ** 2 for k in range(FRAMES)])
    psnr = 10 * np.log10(255**2 / max(error, 1e-3))
    assert psnr > LEAST_PSNR.get(case.video, 24), f"colour: {psnr:.1f} dB"

    copy_clip(path, out, audio_mode="opus", crf=8, force=True)
    back = frames_of(out)
    assert len(back) == FRAMES, "count of the copy"
    assert np.allclose([float(t - back[0][0]) for t, _ in back], at, atol=1e-4), "times of the copy"
    assert np.allclose(numbers([p for _, p in back]), range(FRAMES), atol=0.45), "order of the copy"
    if case.sound:
        samples, rate = decode_sound(out)
        loud = np.flatnonzero(np.abs(samples) > 0.4 * np.abs(samples).max())
        assert np.abs(samples).max() > 0.1, "silence"
        late = loud[0] / rate - float(back[CLICK][0])
        assert abs(late) <= max(LATEST, case.slack), f"click {late:+.3f} s"


@pytest.mark.skipif(MANY > 0, reason="all of them run")
@pytest.mark.parametrize("case", some_cases(39), ids=lambda case: case.name)
def test_some(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.skipif(not MANY, reason="make odd")
@pytest.mark.timeout(0)
def test_many(tmp_path: Path) -> None:
    """Goes on after a failure, and lists all."""
    cases, failed = some_cases(MANY, seed=1), []
    for case in cases:
        try:
            check(case, tmp_path)
        except Exception as error:
            failed.append(
                f"{case.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            )
        for path in tmp_path.iterdir():
            path.unlink()
    print(f"{len(cases)} of {sum(1 for _ in all_cases())} combinations, {len(failed)} failed")
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.parametrize("case", some_cases(13, seed=2), ids=lambda case: case.name)
def test_through_the_codec(case: Case, tmp_path: Path, small_model: str) -> None:
    """An untrained model paints nothing of worth, but count, size, times and sound are what they were."""
    path = case.make(tmp_path)
    report = neurocodec.encode(path, tmp_path / "o.nfc", model=small_model, audio_bitrate=24000)
    assert report.frames == FRAMES
    neurocodec.decode(tmp_path / "o.nfc", tmp_path / "o.mp4", model=small_model)
    back = frames_of(tmp_path / "o.mp4")
    assert len(back) == FRAMES
    assert np.allclose([float(t) for t, _ in back], case.times, atol=case.slack + 1e-4)
    width, height = case.upright
    assert back[0][1].shape[:2] == (height + height % 2, width + width % 2)
    if case.sound:
        samples, rate = decode_sound(tmp_path / "o.mp4")
        loud = np.flatnonzero(np.abs(samples) > 0.4 * np.abs(samples).max())
        assert abs(loud[0] / rate - case.times[CLICK]) <= max(LATEST, case.slack)
