"""Stretches of a file one behind the other: the right pictures and sound, by a seek or without."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_factory import make_clip

from neurocodec.errors import InputError
from neurocodec.media.montage import Montage
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader

FAST = {"crf": "8", "preset": "ultrafast", "g": "20"}
STARTS, LENGTH = [0.52, 3.0, 6.04], Fraction(1)


def clip(path: Path) -> Path:
    """Eight seconds at 25 pictures a second, each brighter than the last, with a tone."""
    made: Path = make_clip(
        path,
        frames=200,
        picture=lambda k: np.full((48, 64, 3), 20 + k, np.uint8),
        audio="aac",
        options=FAST,
    )
    return made


class Opened:
    """Opens parts of a file, and remembers the readers."""

    def __init__(self, source: Any, **options: Any) -> None:
        self.source, self.options = source, options
        self.readers: list[MediaReader] = []

    def __call__(self, start: float, duration: float | None) -> MediaReader:
        assert all(reader._container is None for reader in self.readers), "two are open at once"
        if hasattr(self.source, "seek"):
            self.source.seek(0)
        reader = MediaReader(self.source, start=start or None, duration=duration, **self.options)
        self.readers.append(reader)
        return reader


@pytest.mark.parametrize("name", ["c.mp4", "c.mkv", "c.ts"])
def test_pictures_come_from_the_stretches(tmp_path: Path, name: str) -> None:
    with Montage(Opened(clip(tmp_path / name), audio=False), STARTS, LENGTH) as montage:
        assert montage.video.duration == 3 and montage.video.frames == 75
        items = [(item.pts * montage.video.time_base, item) for item in montage]
    shown = [round(float(p.to_rgb().mean())) - 20 for _, p in items if isinstance(p, VideoPicture)]
    wanted = [round(start * 25) + k for start in STARTS for k in range(25)]
    assert len(shown) == len(wanted)
    assert max(abs(a - b) for a, b in zip(shown, wanted, strict=True)) <= 2
    for (at, _), k in zip(items, range(75), strict=True):
        assert abs(at - Fraction(k, 25)) < Fraction(1, 250)


@pytest.mark.parametrize("mode", ["opus", "copy"])
@pytest.mark.parametrize("name", ["c.mp4", "c.ts"])
def test_sound_stays_with_them(tmp_path: Path, name: str, mode: Any) -> None:
    with Montage(Opened(clip(tmp_path / name), audio_mode=mode), STARTS, LENGTH) as montage:
        assert montage.audio
        tick = montage.audio.time_base
        packets = [item for item in montage if not isinstance(item, VideoPicture)]
    at = [p.pts for p in packets]
    assert at == sorted(set(at))
    assert float(sum(p.duration for p in packets) * tick) == pytest.approx(3, abs=0.15)
    assert -0.05 < at[0] * tick < 0.1 and 2.9 < (at[-1] + packets[-1].duration) * tick < 3.1


def test_an_open_file_is_read_by_one_reader_at_a_time(tmp_path: Path) -> None:
    opened = Opened(io.BytesIO(clip(tmp_path / "c.mp4").read_bytes()), audio=False)
    with Montage(opened, STARTS, LENGTH) as montage:
        assert sum(1 for _ in montage) == 75
    assert len(opened.readers) == 3


def test_a_file_without_an_index_is_read_once(tmp_path: Path) -> None:
    opened = Opened(clip(tmp_path / "c.ts"), audio=False)
    with Montage(opened, STARTS, LENGTH) as montage:
        assert sum(1 for _ in montage) == 75
    assert len(opened.readers) == 2  # the first one only says that


def test_a_stretch_behind_the_end_is_an_error(tmp_path: Path) -> None:
    opened = Opened(clip(tmp_path / "c.mp4"), audio=False)
    with pytest.raises(InputError, match="no picture"), Montage(opened, [1.0, 9.0], LENGTH) as montage:
        list(montage)
