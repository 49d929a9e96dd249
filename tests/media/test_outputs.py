"""What is decoded can be written as lossless Matroska, Y4M and PNG, whole or not at all."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import frames_of
from media_factory import Pipe, click_at, decode_sound, make_clip, read_all
from workers_here import Here

import neurocodec
from neurocodec.batch.folder import run_batch
from neurocodec.errors import OutputError, UnsupportedError, UsageError
from neurocodec.files.folders import remove_left_folder, whole_folder
from neurocodec.media import plain_outputs
from neurocodec.media.color import BT709
from neurocodec.media.outputs import open_writer, opened_decoded, output_format
from neurocodec.media.plain_outputs import OURS
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.options import DecodeOptions

SHAPE: dict[str, Any] = {
    "width": 37, "height": 23, "time_base": Fraction(1, 100), "fps": Fraction(25), "sar": Fraction(4, 3),
    "color": BT709,
}  # fmt: skip


def noise(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (23, 37, 3), dtype=np.uint8)


def smooth(index: int) -> np.ndarray:
    ramp = np.linspace(40, 200, 37)[None, :, None] + np.linspace(0, 30, 23)[:, None, None] + index
    return np.repeat(ramp, 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("sar", [Fraction(4, 3), Fraction(1)])
def test_lossless(tmp_path: Path, piped: bool, sar: Fraction) -> None:
    out: Any = Pipe() if piped else io.BytesIO()
    with open_writer("mkv", out, "o", **{**SHAPE, "sar": sar}) as writer:
        for k, pts in enumerate((0, 4, 5, 30)):
            writer.write_video(noise(k), pts)
    path = tmp_path / "o.mkv"
    path.write_bytes(bytes(out.written) if piped else out.getvalue())
    found = frames_of(path)
    assert [t for t, _ in found] == [Fraction(t, 100) for t in (0, 4, 5, 30)]
    assert all(np.array_equal(picture, noise(k)) for k, (_, picture) in enumerate(found))
    with MediaReader(path) as reader:
        assert reader.video.sar == sar


def test_sound_of_a_lossless_file(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "s.mp4", frames=50, audio="aac", sound=click_at(1.0))
    reader, pictures, packets = read_all(source, audio_mode="opus")
    shape = {**SHAPE, "width": 64, "height": 48, "time_base": reader.video.time_base, "audio": reader.audio}
    with (tmp_path / "o.mkv").open("wb") as file, open_writer("mkv", file, "o", **shape) as writer:
        for item in pictures:
            writer.write_video(item.to_rgb(), item.pts)
        for packet in packets:
            writer.write_audio(packet)
    samples, rate = decode_sound(tmp_path / "o.mkv")
    times = [time for time, _ in frames_of(tmp_path / "o.mkv")]
    assert times[0] == pictures[0].pts * reader.video.time_base
    at = times[25]
    assert np.flatnonzero(np.abs(samples) > 0.3)[0] / rate == pytest.approx(float(at), abs=0.04)


def test_y4m_is_what_others_read(tmp_path: Path) -> None:
    path = tmp_path / "o.y4m"
    with path.open("wb") as file, open_writer("y4m", file, "o", **SHAPE) as writer:
        for k in range(5):
            writer.write_video(smooth(k), 4 * k)
            writer.write_audio(AudioPacket(b"", 0, 0))
    with av.open(str(path)) as f:
        track = f.streams.video[0]
        assert (track.width, track.height, track.average_rate) == (37, 23, 25)
        assert track.sample_aspect_ratio == Fraction(4, 3)
        found = list(f.decode(video=0))
    assert len(found) == 5
    for k, frame in enumerate(found):
        luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)[:23, :37]
        assert np.abs(luma - (16 + smooth(k)[..., 0] * (219 / 255))).max() < 1.6
        for plane in frame.planes[1:]:
            chroma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:12, :19]
            assert np.abs(chroma.astype(int) - 128).max() <= 1


def test_y4m_keeps_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 25 a second: 0, a picture too short to be seen, one that stays for three, the last."""

    def written() -> list[int]:
        out = io.BytesIO()
        with open_writer("y4m", out, "o", **SHAPE) as writer:
            for k, pts in enumerate((0, 4, 5, 16)):
                writer.write_video(np.full((23, 37, 3), 60 * k, np.uint8), pts)
        pictures = out.getvalue().split(b"FRAME\n")[1:]
        assert {len(p) for p in pictures} == {37 * 23 + 2 * 19 * 12}
        return [round((p[0] - 16) / 219 * 255 / 60) for p in pictures]

    assert written() == [0, 2, 2, 2, 3]
    monkeypatch.setattr(plain_outputs, "_MOST_REPEATED", 1)
    with pytest.raises(UnsupportedError, match="repeat more than 1"):
        written()


def test_a_folder_of_png(tmp_path: Path) -> None:
    target = tmp_path / "pictures"
    with opened_decoded(target, "png", False) as folder:
        assert not target.exists() and folder.name == "pictures.part"
        with open_writer("png", folder, "o", **SHAPE) as writer:
            for k, pts in enumerate((0, 4, 9)):
                writer.write_video(noise(k), pts)
    assert sorted(p.name for p in target.iterdir()) == [
        *(f"0000000{k}.png" for k in (1, 2, 3)),
        "timestamps.txt",
    ]
    for k in range(3):
        with av.open(str(target / f"0000000{k + 1}.png")) as file:
            assert np.array_equal(next(file.decode(video=0)).to_ndarray(format="rgb24"), noise(k))
    assert (target / "timestamps.txt").read_text().split("\n")[1:4] == ["0.000", "40.000", "90.000"]
    assert [p.name for p in tmp_path.iterdir()] == ["pictures"]


def test_folders_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(RuntimeError), whole_folder(target, OURS) as folder:
        (folder / "00000001.png").touch()
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with whole_folder(target, OURS) as folder:
        (folder / "00000001.png").touch()
        with pytest.raises(OutputError, match="another run"), whole_folder(target, OURS):
            pass
        remove_left_folder(target)
        assert folder.is_dir(), "it is being written"
    with pytest.raises(OutputError, match="exists already"), whole_folder(target, OURS):
        pass
    with whole_folder(target, OURS, force=True):
        pass
    assert target.is_dir() and not list(target.iterdir())
    (target / "mine.txt").touch()
    with pytest.raises(OutputError, match="holds other files"), whole_folder(target, OURS, force=True):
        pass
    assert (target / "mine.txt").exists()
    (tmp_path / "file").touch()
    for name, reason in (("file", "no folder"), ("no/where", "no such folder")):
        with pytest.raises(OutputError, match=reason), whole_folder(tmp_path / name, OURS, force=True):
            pass
    (tmp_path / "left.part").mkdir()
    (tmp_path / "left.part" / "00000001.png").touch()
    remove_left_folder(tmp_path / "left")
    assert not (tmp_path / "left.part").exists()


def test_formats_by_name() -> None:
    for name, form in (
        ("a.mp4", "mp4"),
        ("a.MKV", "mkv"),
        ("b.y4m", "y4m"),
        ("pictures/", "png"),
        ("a", "mp4"),
    ):
        assert output_format(name, None) == form
    assert output_format("a.mp4", "y4m") == "y4m"
    assert output_format(io.BytesIO(), None) == "mp4"
    with pytest.raises(UsageError, match="needs a path"):
        output_format(io.BytesIO(), "png")
    with pytest.raises(UsageError, match="format must be one of"):
        DecodeOptions(format="avi").resolved()


@pytest.mark.slow
def test_all_formats_hold_the_same_pictures(five_frames: Path, tmp_path: Path) -> None:
    coded = five_frames.with_suffix(".nfc")
    for name in ("o.mkv", "o.y4m", "o/"):
        report = neurocodec.decode(coded, f"{tmp_path}/{name}")
        assert report.frames == 5
        assert any("sound is left out" in n for n in report.notes) == (name != "o.mkv")
    lossless = frames_of(tmp_path / "o.mkv")
    stills = [frames_of(tmp_path / "o" / f"0000000{k + 1}.png")[0][1] for k in range(5)]
    assert all(np.array_equal(a, b) for (_, a), b in zip(lossless, stills, strict=True))
    streamed = frames_of(tmp_path / "o.y4m")
    assert [t for t, _ in streamed] == [Fraction(k, 5) for k in range(5)]
    for (_, a), (_, b) in zip(lossless, streamed, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 8
    with MediaReader(tmp_path / "o.mkv", audio_mode="copy") as reader:
        assert reader.audio is not None and reader.audio.codec == "opus"


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name"), [("y4m", "five.y4m"), ("png", "five"), ("mkv", "five.mkv")])
def test_batches_of_them(five_frames: Path, tmp_path: Path, form: str, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "five.nfc").write_bytes(five_frames.with_suffix(".nfc").read_bytes())
    for _ in range(2):
        run_batch("decode", tmp_path / "in", tmp_path / "out", DecodeOptions(format=form), Here()).check()
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == [name]
