"""How long a source's last picture is on screen."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import Flags
from clips import frames_of
from media_factory import make_clip

import neurocodec
from neurocodec.encoding.framing import Frame, Framing
from neurocodec.media.reader import MediaReader
from neurocodec.options import EncodeOptions

CODECS = {
    "gif": ("gif", "rgb8"),
    "mp4": ("libx264", "yuv420p"),
    "mkv": ("libx264", "yuv420p"),
    "webm": ("libvpx", "yuv420p"),
}


def uneven(path: Path, delays: list[int]) -> Path:
    """Pictures that are shown for so many hundredths of a second each."""
    codec, form = CODECS[path.suffix[1:]]
    with av.open(str(path), "w") as out:
        track: Any = out.add_stream(codec, rate=25)
        track.width, track.height, track.pix_fmt = 64, 48, form
        track.codec_context.time_base = track.time_base = Fraction(1, 100)
        track.codec_context.flags = int(track.codec_context.flags) | Flags.frame_duration
        track.options = {"bf": "0"} if codec == "libx264" else {}
        at = 0
        for k, delay in enumerate(delays):
            rgb = np.full((48, 64, 3), 40 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=form)
            frame.pts, frame.time_base, frame.duration = at, Fraction(1, 100), delay
            at += delay
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return path


def coded_times(path: Path, **options: Any) -> list[float]:
    """When pictures are coded, in seconds."""
    settings = EncodeOptions(**options).settings()
    with MediaReader(path, start=settings.start, duration=settings.duration) as reader:
        framing = Framing(reader, 64, settings)
        return [float(item.pts * framing.time_base) for item in framing if isinstance(item, Frame)]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", list(CODECS))
def test_a_long_last_picture(tmp_path: Path, suffix: str, small_model: str) -> None:
    path = uneven(tmp_path / f"l.{suffix}", [10, 10, 10, 50, 200])
    report = neurocodec.encode(path, tmp_path / "o.nfc", model=small_model)
    assert report.duration == pytest.approx(2.8, abs=0.01)
    assert report.frames == 6
    neurocodec.decode(tmp_path / "o.nfc", tmp_path / "o.mp4", model=small_model)
    times = [float(t) for t, _ in frames_of(tmp_path / "o.mp4")]
    assert times[:5] == pytest.approx([0, 0.1, 0.2, 0.3, 0.8], abs=0.001) and 2.2 <= times[5] < 2.8


def test_one_picture(tmp_path: Path) -> None:
    times = coded_times(uneven(tmp_path / "one.gif", [200]))
    assert len(times) == 2 and 1 <= times[1] < 2


@pytest.mark.parametrize("rate", [1, 5, 25, Fraction(30000, 1001)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "nut"])
def test_nothing_is_added_to_ordinary_clips(tmp_path: Path, suffix: str, rate: Any) -> None:
    codec = "mpeg4" if suffix in ("avi", "nut") else "libx264"
    for options in ({}, {"bf": "2"}):
        path = make_clip(tmp_path / f"c.{suffix}", fps=rate, frames=8, codec=codec, options=options)
        assert len(coded_times(path)) == 8


def test_the_last_picture_of_a_part(tmp_path: Path) -> None:
    """A slide of five seconds is on screen for all of a part that lies in it."""
    path = make_clip(tmp_path / "s.mkv", fps=25, frames=3, pts=[0, 25, 150])
    assert coded_times(path, start=2, duration=3) == pytest.approx([0, 2.96], abs=0.002)
    assert coded_times(path, start=0, duration=0.5) == pytest.approx([0, 0.46], abs=0.002)
    assert coded_times(path, start=0.5, duration=1.5) == pytest.approx([0, 0.5, 1.46], abs=0.002)
