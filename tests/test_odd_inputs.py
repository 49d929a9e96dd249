"""Sources, files and outputs that are out of the ordinary, given to the API."""

from __future__ import annotations

import dataclasses
import io
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import make_clip

import neurocodec
from neurocodec.errors import InputError, OutputError, UnsupportedError, UsageError
from neurocodec.format.chunks import HEADER_CHUNK, SIGNATURE, VERSION, chunk
from neurocodec.format.header import write_header
from neurocodec.format.reader import NfcReader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="devices and signals of Unix")


def picture(width: int, height: int) -> Any:
    rgb = np.arange(width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return lambda i: np.ascontiguousarray(np.roll(rgb, i, 1))


def with_header(nfc: Path, target: Path, *, audio: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A copy of a file whose header says something else, checksum and all."""
    data = nfc.read_bytes()
    reader = NfcReader(io.BytesIO(data))
    header = dataclasses.replace(reader.header, **changes)
    if audio:
        assert header.audio is not None
        header = dataclasses.replace(header, audio=dataclasses.replace(header.audio, **audio))
    start = SIGNATURE + bytes([VERSION]) + chunk(HEADER_CHUNK, write_header(header))
    target.write_bytes(start + data[reader.header_bytes :])
    return target


# Sources


def test_source_larger_than_the_format(tmp_path: Path) -> None:
    make_clip(tmp_path / "wide.mkv", width=33000, height=2, codec="ffv1", frames=1, picture=picture(33000, 2))
    with pytest.raises(UnsupportedError, match=r"wide\.mkv"):
        neurocodec.encode(tmp_path / "wide.mkv", tmp_path / "o.nfc")
    assert [p.name for p in tmp_path.iterdir()] == ["wide.mkv"]


def test_face_region_of_a_line(tmp_path: Path) -> None:
    make_clip(tmp_path / "line.mkv", width=2000, height=2, codec="ffv1", frames=1, picture=picture(2000, 2))
    report = neurocodec.encode(tmp_path / "line.mkv", tmp_path / "o.nfc", region="face")
    assert report.frames == 1
    assert any("no face" in note for note in report.notes)


# Files that say odd things


def test_pictures_before_zero(five_frames: Path, tmp_path: Path) -> None:
    moved = with_header(five_frames.with_suffix(".nfc"), tmp_path / "m.nfc", start=-400)
    assert neurocodec.decode(moved, tmp_path / "o.mp4").frames == 5
    with av.open(str(tmp_path / "o.mp4")) as file:
        assert [f.pts * f.time_base for f in file.decode(video=0)] == [Fraction(i, 5) for i in range(5)]


@pytest.mark.slow
@pytest.mark.parametrize("duration", [0, (1 << 31) - 1])
def test_sound_packets_that_share_a_time(five_frames: Path, tmp_path: Path, duration: int) -> None:
    odd = with_header(
        five_frames.with_suffix(".nfc"), tmp_path / "m.nfc", audio={"packet_duration": duration}
    )
    assert neurocodec.decode(odd, tmp_path / "o.mp4").frames == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "audio",
    [
        {"channels": 255},
        {"codec": "h264"},
        {"codec": "ass"},
        {"codec": "no such codec"},
        {"codec": "aac"},  # with Opus's configuration
        {"extradata": b"x" * 100},
    ],
)
def test_sound_that_cannot_be_written(five_frames: Path, tmp_path: Path, audio: dict[str, Any]) -> None:
    odd = with_header(five_frames.with_suffix(".nfc"), tmp_path / "m.nfc", audio=audio)
    with pytest.raises(UnsupportedError, match="sound"):
        neurocodec.decode(odd, tmp_path / "o.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["m.nfc"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(32768, 32768), (16384, 16384), (8192, 8192)])
def test_hostile_size(five_frames: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    odd = with_header(five_frames.with_suffix(".nfc"), tmp_path / "m.nfc", width=size[0], height=size[1])
    with pytest.raises(UnsupportedError, match="--size-limit"):
        neurocodec.decode(odd, tmp_path / "o.mp4")
    with pytest.raises(UnsupportedError, match=r"H\.264"):
        neurocodec.decode(odd, tmp_path / "o.mp4", size_limit=1 << 30)
    assert neurocodec.decode(odd, tmp_path / "o.mp4", size="model").frames == 5


# Outputs and streams


class Full(io.RawIOBase):
    """A disk without space, which the operating system knows by a number."""

    name = 7

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


def test_failed_output_is_named(five_frames: Path) -> None:
    for call, source in (
        (neurocodec.encode, five_frames),
        (neurocodec.decode, five_frames.with_suffix(".nfc")),
    ):
        with pytest.raises(OutputError, match=r"cannot write the output.*: no space left"):
            call(source, Full())


@pytest.mark.slow
def test_blocks_go_out_at_once(five_frames: Path) -> None:
    class Slow(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed = self.tell()

    out = Slow()
    neurocodec.encode(five_frames, out)
    assert out.flushed == len(out.getvalue()) > 0


def test_verify_needs_a_file(five_frames: Path) -> None:
    with pytest.raises(UsageError, match="verify"):
        neurocodec.encode(five_frames, "/dev/null", verify=True)


def test_reading_fails() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="Input/output error"):
        neurocodec.probe(Broken())  # type: ignore[arg-type]
