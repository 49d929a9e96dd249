"""A file of several blocks: random access, truncation, lost blocks."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import frames_of

import neurocodec
from neurocodec.errors import DamagedFileError
from neurocodec.format.reader import NfcReader
from neurocodec.media.reader import MediaReader
from neurocodec.media.writer import MediaWriter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def long(sound_clip: Path, small_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several blocks with refreshes here and there: 12.5 s at 10 frames/s."""
    folder = tmp_path_factory.mktemp("long")
    slow = folder / "slow.mp4"
    settings = {"width": 256, "height": 256, "time_base": Fraction(1, 10), "fps": Fraction(10)}
    with MediaReader(sound_clip) as reader:
        color = reader.video.color
    with MediaWriter(slow, color=color, crf=8, **settings) as writer:
        for k, (_, picture) in enumerate(frames_of(sound_clip)):
            writer.write_video(picture, k)
    out = folder / "long.nfc"
    neurocodec.encode(slow, out, model=small_model, alpha=0, gap=20, reference_period=11, region="full")
    return out


def test_blocks_last_at_most_five_seconds(long: Path) -> None:
    with long.open("rb") as file:
        reader = NfcReader(file)
        blocks = [item[0] for item in reader if isinstance(item, tuple)]
    assert len(blocks) == 3
    for b in blocks:
        assert float((b.pts[-1] - b.pts[0]) * reader.header.time_base) < 5
    times = [r["time"] for r in neurocodec.probe(long).refreshes]
    starts = [float((b.pts[0] - reader.header.start) * reader.header.time_base) for b in blocks]
    for b, start in zip(blocks, starts, strict=True):
        for number in b.needed:
            assert start + 5 - times[number] <= 11 + 1e-6
    assert [bool(b.needed) for b in blocks] == [False, True, False]


@pytest.fixture(scope="module")
def whole(small_model: str, long: Path) -> list[tuple[float, np.ndarray]]:
    """Times and pictures, decoded from beginning to end."""
    return list(neurocodec.pictures(long, model=small_model))


@pytest.mark.parametrize("start", [0.0, 0.4, 3.3, 5.0, 7.7, 11.9])
def test_random_access_equals_linear_decoding(
    small_model: str, long: Path, whole: list[tuple[float, np.ndarray]], start: float
) -> None:
    part = list(neurocodec.pictures(long, start=start, duration=2.0, model=small_model))
    expected = [(t, p) for t, p in whole if start - 1e-9 <= t < start + 2 - 1e-9]
    assert [t for t, _ in part] == [t for t, _ in expected]
    assert all((a == b).all() for (_, a), (_, b) in zip(part, expected, strict=True))


def test_random_access_without_an_index(small_model: str, long: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self._data.read(size)

    a = list(neurocodec.pictures(long, start=6.0, duration=1.0, model=small_model))
    pipe: Any = Pipe(long.read_bytes())
    b = list(neurocodec.pictures(pipe, start=6.0, duration=1.0, model=small_model))
    assert all((p == q).all() for (_, p), (_, q) in zip(a, b, strict=True))


def test_a_truncated_file_decodes_to_its_last_reference(small_model: str, long: Path, tmp_path: Path) -> None:
    """Of the block that it ends in, the pictures are there if all but its landmarks has come."""
    cut_file = tmp_path / "cut.nfc"
    cut_file.write_bytes(long.read_bytes()[: int(long.stat().st_size * 0.6)])
    report = neurocodec.decode(cut_file, tmp_path / "cut.mp4", model=small_model)
    assert report.frames in (50, 100)
    assert report.concealed < 50 and report.frames - report.concealed >= 50
    assert "cut off" in report.losses[-1]
    assert len(frames_of(tmp_path / "cut.mp4")) == report.frames


def test_a_damaged_block_is_skipped(small_model: str, long: Path, tmp_path: Path) -> None:
    data = bytearray(long.read_bytes())
    with long.open("rb") as file:
        entries = NfcReader(file).index()
    assert entries is not None
    data[entries[1].offset + 8] ^= 4  # in the part without which nothing of a block can be read
    broken = tmp_path / "broken.nfc"
    broken.write_bytes(data)
    report = neurocodec.decode(broken, tmp_path / "out.mp4", model=small_model)
    assert len(report.losses) == 1 and "damage" in report.losses[0]
    assert report.frames == 75


def test_a_lost_block_loses_those_that_depend_on_it(small_model: str, long: Path, tmp_path: Path) -> None:
    data = bytearray(long.read_bytes())
    with long.open("rb") as file:
        data[NfcReader(file).header_bytes + 40] ^= 4
    broken = tmp_path / "broken.nfc"
    broken.write_bytes(data)
    report = neurocodec.decode(broken, tmp_path / "out.mp4", model=small_model)
    assert "damage" in report.losses[0]
    assert report.losses[1:] == ["50 frames from 5.00 s on are lost: their reference is"]
    assert report.frames == 25
    with pytest.raises(DamagedFileError, match="lost"):
        list(neurocodec.pictures(broken, start=6.0, duration=1.0, model=small_model))
