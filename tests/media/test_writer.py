"""Writing clips: timestamps, colours, sound, and outputs that fail."""

from __future__ import annotations

import errno
import io
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import copy_clip
from media_factory import Pipe, decode_sound, gray_steps, make_clip, quadrants, read_all

from neurocodec.errors import OutputError, UnsupportedError, UsageError
from neurocodec.files.atomic import AtomicFile
from neurocodec.media.color import BT709, ColorInfo
from neurocodec.media.faststart import move_index_to_front
from neurocodec.media.lossless import LosslessWriter
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioInfo, AudioPacket
from neurocodec.media.writer import MediaWriter

BASE: dict[str, Any] = {
    "width": 64,
    "height": 48,
    "time_base": Fraction(1, 25),
    "fps": Fraction(25),
    "color": BT709,
    "preset": "ultrafast",
}


def noise(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    "base",
    [
        Fraction(1, 90000),
        Fraction(1, 12800),
        Fraction(1, 1000),
        Fraction(1001, 30000),
        Fraction(1, 25),
        Fraction(1, 3),
    ],
    ids=str,
)
def test_timestamps_are_exact(base: Fraction, piped: bool) -> None:
    """Uneven steps, an offset, B-frames and the last duration survive."""
    steps = [0, 1, 2, 5, 6, 40, 41, 42, 43, 45]
    unit = max(1, round(Fraction(1, 25) / base))
    pts = [7 * unit + step * unit + (step % 2 if unit > 2 else 0) for step in steps]
    out: Any = Pipe() if piped else io.BytesIO()
    with MediaWriter(out, **{**BASE, "time_base": base, "preset": "medium"}) as writer:
        for index, stamp in enumerate(pts):
            writer.write_video(gray_steps(index), stamp, 11 if index == 9 else None)
    data = bytes(out.written) if piped else out.getvalue()
    with MediaReader(io.BytesIO(data)) as reader:
        pictures = list(reader)
        tick = reader.video.time_base
        assert [p.pts * tick for p in pictures] == [stamp * base for stamp in pts]
        assert reader.video.duration is not None
    with av.open(io.BytesIO(data)) as file:
        frames = list(file.decode(video=0))
        assert frames[-1].duration * tick == 11 * base
    for index, picture in enumerate(pictures):
        assert abs(int(picture.to_rgb()[20, 20, 1]) - (40 + 12 * index)) <= 3


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("writer", [MediaWriter, LosslessWriter])
@pytest.mark.parametrize(
    "pts", [[0, 10, 20, 30, 80, 270], [*range(0, 50, 2), 100], [0], [0, 4, 8, 100, 101, 102]], ids=len
)
def test_a_file_lasts_until_its_last_picture(writer: type[MediaWriter], pts: list[int], piped: bool) -> None:
    """Also where one of the last pictures, behind which decoding lags, stays for long."""
    out: Any = Pipe() if piped else io.BytesIO()
    with writer(out, **{**BASE, "time_base": Fraction(1, 100), "preset": "medium"}) as target:
        for index, stamp in enumerate(pts):
            target.write_video(gray_steps(index), stamp, 10)
    with av.open(io.BytesIO(bytes(out.written) if piped else out.getvalue())) as file:
        if file.duration:  # a Matroska file through a pipe says none
            assert file.duration >= 10_000 * pts[-1]
        frames = list(file.decode(video=0))
        assert [f.pts * f.time_base * 100 for f in frames] == pts


def test_an_even_rate_is_that_of_the_pictures() -> None:
    out = io.BytesIO()
    with MediaWriter(out, **{**BASE, "preset": "medium"}) as target:
        for index in range(20):
            target.write_video(gray_steps(index), index)
    with av.open(io.BytesIO(out.getvalue())) as file:
        assert file.streams.video[0].average_rate == 25 and file.duration == 800_000


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_colours_come_back(tmp_path: Path, matrix: int, full: bool) -> None:
    color = ColorInfo({1: 1, 6: 6, 9: 9}[matrix], {1: 1, 6: 6, 9: 14}[matrix], matrix, full)
    path = tmp_path / "c.mp4"
    colors = [(200, 60, 50), (40, 160, 70), (50, 60, 190), (224, 172, 140), (255, 255, 255), (0, 0, 0)]
    with MediaWriter(path, **{**BASE, "color": color, "crf": 4}) as writer:
        for index, rgb in enumerate(colors):
            writer.write_video(np.full((48, 64, 3), rgb, np.uint8), index)
    reader, pictures, _ = read_all(path)
    assert reader.video.color == color
    for rgb, picture in zip(colors, pictures, strict=True):
        assert np.abs(picture.to_rgb().astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(("width", "height"), [(63, 47), (64, 47), (63, 48), (1, 1), (2, 2)])
def test_odd_sizes_are_extended(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "o.mp4"
    image = quadrants(width, height)
    with MediaWriter(path, **{**BASE, "width": width, "height": height, "sar": Fraction(10, 11)}) as writer:
        writer.write_video(image, 0)
    reader, pictures, _ = read_all(path)
    assert (reader.video.width, reader.video.height) == (width + width % 2, height + height % 2)
    assert reader.video.sar == Fraction(10, 11)
    rgb = pictures[0].to_rgb().astype(int)
    if width > 2:
        assert np.abs(rgb[5, 5] - image[5, 5]).max() <= 4
        assert np.abs(rgb[-1, -1] - image[-1, -1]).max() <= 4


def test_stream_and_container_properties(tmp_path: Path) -> None:
    path = tmp_path / "p.mp4"
    options = {**BASE, "sar": Fraction(4, 3), "preset": "veryfast"}
    with MediaWriter(path, **options, metadata={"title": "T", "comment": "C"}) as writer:
        for index in range(3):
            writer.write_video(gray_steps(index), index)
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        assert video.codec_context.name == "h264"
        assert video.codec_context.profile == "High"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.average_rate == 25
        assert file.metadata["title"] == "T"
        assert file.metadata["comment"] == "C"
    assert b"pasp" + struct.pack(">II", 4, 3) in path.read_bytes()
    assert b"colrnclx" + struct.pack(">HHHB", 1, 1, 1, 0) in path.read_bytes()


@pytest.mark.parametrize("piped", [False, True])
def test_free_metadata_keys(piped: bool) -> None:
    out: Any = Pipe() if piped else io.BytesIO()
    metadata = {"title": "Ünïcode", "neurocodec": "v1 reconstructed", "comment": "c"}
    with MediaWriter(out, **BASE, metadata=metadata) as writer:
        writer.write_video(gray_steps(0), 0)
    with av.open(io.BytesIO(bytes(out.written) if piped else out.getvalue())) as file:
        assert {key: file.metadata.get(key) for key in metadata} == metadata


@pytest.mark.slow
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    ("container", "codec", "layout", "kept"),
    [
        ("a.mp4", "aac", "stereo", True),
        ("a.mkv", "libopus", "stereo", True),
        ("a.mkv", "libmp3lame", "mono", True),
        ("a.mkv", "ac3", "stereo", True),
        ("a.ts", "aac", "mono", True),
        ("a.mkv", "flac", "stereo", False),
        ("a.mov", "pcm_s16le", "mono", False),
        ("a.mkv", "pcm_f32le", "stereo", False),
    ],
)
def test_sound_codecs(
    tmp_path: Path, container: str, codec: str, layout: str, kept: bool, piped: bool
) -> None:
    source = make_clip(tmp_path / container, frames=25, audio=codec, audio_layout=layout)
    out: Any = Pipe() if piped else tmp_path / "out.mp4"
    copy_clip(source, out)
    result = io.BytesIO(bytes(out.written) if piped else out.read_bytes())
    before, _, packets = read_all(source)
    after, pictures, written = read_all(result)
    assert before.audio is not None and after.audio is not None
    assert len(pictures) == 25
    assert after.audio.layout == layout
    assert after.audio.sample_rate == 48000
    if kept:
        assert after.audio.codec == before.audio.codec
        assert [p.data for p in written] == [p.data for p in packets]
        for ours, theirs in zip(written[:-1], packets[:-1], strict=True):
            assert abs(ours.pts * after.audio.time_base - theirs.pts * before.audio.time_base) < 0.001
    else:
        assert after.audio.codec == "aac"
    result.seek(0)
    got, rate = decode_sound(result)
    want, _ = decode_sound(source)
    assert abs(len(got) - len(want)) < 0.03 * rate
    middle = slice(rate // 4, rate // 4 * 3)
    lags = range(-96, 97)
    scores = [np.corrcoef(np.roll(got, lag)[middle], want[middle])[0, 1] for lag in lags]
    best = int(np.argmax(scores))
    assert scores[best] > 0.99
    assert abs(lags[best]) <= 50  # a millisecond, the tick of Matroska


def test_odd_rates_and_unknown_codecs(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", frames=10, audio="pcm_s16le", audio_rate=37800, audio_layout="5.1")
    copy_clip(source, tmp_path / "out.mp4")
    reader, _, _ = read_all(tmp_path / "out.mp4")
    assert reader.audio is not None
    assert (reader.audio.sample_rate, reader.audio.channels) == (48000, 2)
    unknown = AudioInfo("no-such-codec", 48000, 1, "mono", Fraction(1, 48000))
    with pytest.raises(UnsupportedError, match="no-such-codec"):
        MediaWriter(tmp_path / "x.mp4", **BASE, audio=unknown)
    assert not (tmp_path / "x.mp4").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_wrong_use(tmp_path: Path) -> None:
    path = tmp_path / "w.mp4"
    for options in ({"crf": 60}, {"preset": "quick"}, {"time_base": Fraction(0)}, {"fps": Fraction(-1)}):
        with pytest.raises(UsageError):
            MediaWriter(path, **{**BASE, **options})
    with pytest.raises(UnsupportedError):
        MediaWriter(path, **{**BASE, "width": 20000})
    with pytest.raises(UnsupportedError):
        MediaWriter(path, **{**BASE, "color": ColorInfo(9, 16, 14)})
    with MediaWriter(path, **BASE) as writer:
        writer.write_video(gray_steps(0), 3)
        for picture, pts in (
            (gray_steps(0), 3),
            (gray_steps(0), -1),
            (gray_steps(0, 32, 32), 4),
            (gray_steps(0).astype(np.float32), 4),
        ):
            with pytest.raises(ValueError):
                writer.write_video(picture, pts)
        with pytest.raises(ValueError):
            writer.write_audio(AudioPacket(b"x", 0, 960))
        writer.write_video(gray_steps(1), 4)
    assert len(read_all(path)[1]) == 2
    with pytest.raises(ValueError):
        writer.write_video(gray_steps(2), 5)
    writer.close()
    with pytest.raises(OutputError, match="exists"):
        MediaWriter(path, **BASE)


def test_lossless(tmp_path: Path) -> None:
    with MediaWriter(tmp_path / "l.mp4", **{**BASE, "crf": 0}) as writer:
        writer.write_video(gray_steps(3), 0)
    assert np.abs(read_all(tmp_path / "l.mp4")[1][0].to_rgb().astype(int) - gray_steps(3)).max() <= 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exception_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "e.mp4"
    path.write_bytes(b"old")
    with pytest.raises(error), MediaWriter(path, **BASE, force=True) as writer:
        for index in range(60):
            writer.write_video(noise(index), index)
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_of_atomic_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with AtomicFile(path) as out, MediaWriter(out.file, **BASE) as writer:
        for index in range(5):
            writer.write_video(gray_steps(index), index)
    assert len(read_all(path)[1]) == 5


class Failing(io.BytesIO):
    """Raises after so many bytes."""

    def __init__(self, limit: int, failure: BaseException, seekable: bool) -> None:
        super().__init__()
        self.limit, self.failure, self.can_seek = limit, failure, seekable

    def seekable(self) -> bool:
        return self.can_seek

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.limit:
            raise self.failure
        return super().write(data)


@pytest.mark.parametrize("seekable", [False, True])
@pytest.mark.parametrize("limit", [0, 2000, 150_000])
def test_full_disk(limit: int, seekable: bool) -> None:
    def write(failure: BaseException) -> None:
        out = Failing(limit, failure, seekable)
        options = {**BASE, "width": 160, "height": 120, "fps": Fraction(2)}
        with MediaWriter(out, **options) as writer:
            for index in range(30):
                writer.write_video(noise(index, 160, 120), index)

    with pytest.raises(OutputError, match="no space left") as caught:
        write(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="reading end"):
        write(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    with pytest.raises(KeyboardInterrupt):
        write(KeyboardInterrupt())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_device() -> None:
    def write(destination: Any) -> None:
        with MediaWriter(destination, **BASE) as writer:
            for index in range(30):
                writer.write_video(noise(index), index)

    with pytest.raises(OutputError, match="no space left"):
        write("/dev/full")
    with (
        Path("/dev/full").open("wb", buffering=0) as device,
        pytest.raises(OutputError, match="no space left"),
    ):
        write(device)
    write("/dev/null")


def test_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        MediaWriter(tmp_path / "none" / "x.mp4", **BASE)


@pytest.mark.parametrize("audio", [None, "aac"])
def test_index_is_at_the_front(tmp_path: Path, audio: str | None) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=40, audio=audio, picture=noise)
    copy_clip(source, tmp_path / "front.mp4")
    data = (tmp_path / "front.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert data[4:8] == b"ftyp"
    with (tmp_path / "back.mp4").open("wb") as file:  # cannot be read back
        copy_clip(source, file)
    back = (tmp_path / "back.mp4").read_bytes()
    assert back.index(b"mdat") < back.index(b"moov")
    assert len(back) == len(data)
    for ours, theirs in zip(
        read_all(tmp_path / "front.mp4")[1:], read_all(tmp_path / "back.mp4")[1:], strict=True
    ):
        assert len(ours) == len(theirs)
        assert [item.pts for item in ours] == [item.pts for item in theirs]
    front_pictures = read_all(tmp_path / "front.mp4")[1]
    back_pictures = read_all(tmp_path / "back.mp4")[1]
    assert np.array_equal(front_pictures[-1].to_rgb(), back_pictures[-1].to_rgb())
    assert read_all(Pipe(data))[1][-1].pts == front_pictures[-1].pts  # now fit for a pipe


def test_files_without_an_index_to_move() -> None:
    for data in (b"", b"short", b"\0\0\0\x08ftyp", b"\0\0\0\x08ftyp\0\0\0\x10moov", os.urandom(100)):
        file = io.BytesIO(data)
        assert not move_index_to_front(file)
        assert file.getvalue() == data
