"""Interlaced sources give whole pictures, one for each frame; others pass as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from neurocodec import encode
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader

COUNT, SIDE = 8, 96


def field(time: float) -> np.ndarray:
    """A bright bar that moves by eight pixels a field, (S,S,3)."""
    picture = np.full((SIDE, SIDE, 3), 40, np.uint8)
    left = 8 + round(8 * time)
    picture[:, left : left + 12] = 220
    return picture


def clip(path: Path, interlaced: bool, options: dict[str, str]) -> Path:
    """Fields at different times in the rows of each frame, or whole frames."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.bit_rate, stream.options = 4_000_000, options
        for k in range(COUNT):
            picture = field(k)
            if interlaced:
                picture[1::2] = field(k + 0.5)[1::2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def comb(picture: np.ndarray) -> float:
    """How different neighbouring rows are beside rows two apart."""
    grey = picture[..., 1].astype(float)
    return float(np.abs(np.diff(grey, axis=0)).mean() - np.abs(grey[2:] - grey[:-2]).mean())


def read(path: Path) -> tuple[bool, list[VideoPicture]]:
    with MediaReader(path) as reader:
        found = [item for item in reader if isinstance(item, VideoPicture)]
        return reader.interlaced, found


def test_interlaced_and_not(tmp_path: Path) -> None:
    fields = clip(tmp_path / "fields.mpg", True, {"flags": "+ilme+ildct"})
    whole = clip(tmp_path / "whole.mpg", False, {})
    interlaced, pictures = read(fields)
    assert interlaced and len(pictures) == COUNT
    assert all(comb(p.to_rgb()) < 2 for p in pictures)
    plain, others = read(whole)
    assert not plain and len(others) == COUNT
    steps = np.diff([p.pts for p in pictures])
    assert (steps == np.diff([p.pts for p in others])).all()


@pytest.mark.slow
def test_it_is_said(tmp_path: Path) -> None:
    report = encode(clip(tmp_path / "a.mpg", True, {"flags": "+ilme+ildct"}), tmp_path / "a.nfc")
    assert any("interlaced" in note for note in report.notes)
