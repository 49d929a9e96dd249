"""Reading clips of every kind."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from media_factory import (
    Pipe,
    flat_frame,
    gray_steps,
    make_clip,
    quadrants,
    read_all,
    rotate_mp4,
    yuv_of,
)

from neurocodec.errors import InputError, UnsupportedError, UsageError
from neurocodec.media.color import ColorInfo
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.timestamps import TimestampRepair


def test_plain_clip(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=6, audio="aac", color=ColorInfo(1, 1, 1))
    with MediaReader(path) as reader:
        video = reader.video
        assert (video.width, video.height, video.sar, video.rotation) == (64, 48, 1, 0)
        assert video.fps == 25
        assert video.frames == 6
        assert video.duration == pytest.approx(0.24)
        assert video.color == ColorInfo(1, 1, 1, False)
        assert not video.hdr
        assert video.codec == "h264"
        assert reader.audio is not None
        assert (reader.audio.codec, reader.audio.sample_rate, reader.audio.channels) == ("aac", 48000, 1)
        assert reader.audio.layout == "mono"
        assert len(reader.audio.extradata) >= 2
        items = list(reader)
        assert list(reader) == []
    pictures = [item for item in items if isinstance(item, VideoPicture)]
    assert [Fraction(p.pts) * video.time_base * 25 for p in pictures] == list(range(6))
    for index, picture in enumerate(pictures):
        rgb = picture.to_rgb()
        assert rgb.shape == (48, 64, 3)
        assert rgb.dtype == np.uint8
        assert rgb.flags.c_contiguous
        assert np.abs(rgb.astype(int) - gray_steps(index)).max() <= 3
    assert pictures[0].to_rgb(32, 16).shape == (16, 32, 3)
    assert pictures[0].to_rgb(100, 80).shape == (80, 100, 3)
    with pytest.raises(ValueError):
        pictures[0].to_rgb(32)
    with pytest.raises(ValueError):
        pictures[0].to_rgb(0, 10)
    assert reader.skipped == 0


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation(tmp_path: Path, rotation: int) -> None:
    upright = quadrants(48, 64) if rotation != 180 else quadrants(64, 48)
    coded = np.ascontiguousarray(np.rot90(upright, rotation // 90))  # counter-clockwise
    path = make_clip(
        tmp_path / "r.mp4", picture=lambda i: coded, frames=2, rotation=rotation, sar=Fraction(4, 3)
    )
    reader, pictures, _ = read_all(path)
    assert reader.video.rotation == rotation
    assert not reader.video.mirrored
    assert (reader.video.height, reader.video.width) == upright.shape[:2]
    assert reader.video.sar == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))
    for size in (None, (24, 32), (30, 22)):
        rgb = pictures[0].to_rgb(*size) if size else pictures[0].to_rgb()
        height, width = rgb.shape[:2]
        if size:
            assert (width, height) == size
        for y, x in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
            want = quadrants(8, 8)[int(y * 8), int(x * 8)].astype(int)
            assert np.abs(rgb[int(y * height), int(x * width)] - want).max() <= 6


def test_mirrored(tmp_path: Path) -> None:
    one = 1 << 16
    path = make_clip(tmp_path / "m.mp4", picture=lambda i: quadrants(64, 48), frames=1)
    for matrix, rotation, corner in (
        ((-one, 0, 0, 0, one, 0, 0, 0, 1 << 30), 0, (20, 200, 20)),
        ((one, 0, 0, 0, -one, 0, 0, 0, 1 << 30), 180, (20, 20, 220)),
        ((0, one, 0, one, 0, 0, 0, 0, 1 << 30), 90, (220, 20, 20)),
        ((0, -one, 0, -one, 0, 0, 0, 0, 1 << 30), 270, (235, 235, 235)),
    ):
        rotate_mp4(path, 0, matrix)
        reader, pictures, _ = read_all(path)
        assert reader.video.mirrored
        assert reader.video.rotation == rotation
        assert np.abs(pictures[0].to_rgb()[6, 6].astype(int) - corner).max() <= 6


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours(tmp_path: Path, matrix: int, full: bool) -> None:
    color = ColorInfo(matrix, matrix, matrix, full)
    colors = [(200, 60, 50), (40, 160, 70), (50, 60, 190), (224, 172, 140)]
    path = make_clip(
        tmp_path / "c.mp4",
        frames=4,
        picture=lambda i: flat_frame(yuv_of(colors[i], color), 64, 48),
        color=color,
        options={"qp": "0", "preset": "ultrafast"},
    )
    reader, pictures, _ = read_all(path)
    assert reader.video.color == color
    for rgb, picture in zip(colors, pictures, strict=True):
        assert np.abs(picture.to_rgb().astype(int) - rgb).max() <= 3
        assert np.abs(picture.to_rgb(20, 20).astype(int) - rgb).max() <= 3


def test_untagged_colours_by_size(tmp_path: Path) -> None:
    for width, height, matrix in ((64, 48, 6), (1280, 48, 1), (48, 720, 1)):
        path = make_clip(tmp_path / f"{width}.mp4", width=width, height=height, frames=1)
        reader, _, _ = read_all(path)
        assert reader.video.color.matrix == matrix


def test_hdr_is_tone_mapped(tmp_path: Path) -> None:
    color = ColorInfo(9, 16, 9)
    nits = 0.18 * 203
    power = (nits / 10000) ** (2610 / 16384)
    signal = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    frame = flat_frame((round(64 + 876 * signal), 512, 512), 64, 48, "yuv420p10le")
    path = make_clip(
        tmp_path / "h.mkv",
        codec="libx265",
        pix_fmt="yuv420p10le",
        frames=2,
        color=color,
        picture=lambda i: frame,
    )
    reader, pictures, _ = read_all(path)
    assert reader.video.hdr
    assert reader.video.color == ColorInfo(1, 1, 1, False)
    for rgb in (pictures[0].to_rgb(), pictures[1].to_rgb(30, 20)):
        assert np.abs(rgb.astype(int) - 125).max() <= 4


def test_unsupported_matrix(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "i.mkv", frames=1, color=ColorInfo(9, 16, 14))
    with pytest.raises(UnsupportedError, match="ICtCp"):
        MediaReader(path)


def test_sar_and_odd_size(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "s.mp4", width=64, height=48, frames=2, sar=Fraction(16, 15))
    assert read_all(path)[0].video.sar == Fraction(16, 15)
    path = make_clip(tmp_path / "o.mkv", width=61, height=45, codec="libvpx", frames=2)
    reader, pictures, _ = read_all(path)
    assert (reader.video.width, reader.video.height, reader.video.sar) == (61, 45, 1)
    assert pictures[0].to_rgb().shape == (45, 61, 3)


@pytest.mark.parametrize("base", [Fraction(1, 90000), Fraction(1, 1000), Fraction(1, 12800)])
def test_variable_frame_rate(tmp_path: Path, base: Fraction) -> None:
    times = [0, 40, 41, 95, 300, 1300, 1310]
    pts = [round(Fraction(t, 1000) / base) for t in times]
    path = make_clip(
        tmp_path / "v.mp4",
        pts=pts,
        time_base=base,
        container_options={"video_track_timescale": str(base.denominator)},
    )
    reader, pictures, _ = read_all(path)
    assert reader.video.time_base == base
    assert [p.pts for p in pictures] == pts


CONTAINERS: list[tuple[str, dict[str, Any]]] = [
    ("a.mov", {"audio": "aac"}),
    ("a.mkv", {"audio": "libopus"}),
    ("a.webm", {"codec": "libvpx", "audio": "libopus"}),
    ("a.ts", {"audio": "aac"}),
    ("a.avi", {"codec": "mpeg4", "audio": "libmp3lame"}),
    ("a.gif", {"codec": "gif", "pix_fmt": "gray"}),
    ("a.flv", {"audio": "aac"}),
]


@pytest.mark.parametrize(("name", "options"), CONTAINERS, ids=[name for name, _ in CONTAINERS])
def test_containers(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    path = make_clip(tmp_path / name, frames=5, audio_seconds=0.3, **options)
    reader, pictures, packets = read_all(path)
    assert len(pictures) == 5
    assert all(a.pts < b.pts for a, b in pairwise(pictures))
    for index, picture in enumerate(pictures):
        assert np.abs(picture.to_rgb().astype(int) - gray_steps(index)).mean() <= 12
    steps = np.diff([float(p.pts * reader.video.time_base) for p in pictures])
    if name == "a.avi":
        steps = steps[1:]  # the muxer puts an empty frame after the first one
    assert np.abs(steps - 0.04).max() < 0.002
    assert (reader.audio is not None) == bool(options.get("audio"))
    if reader.audio is not None:
        assert packets
        assert all(p.duration > 0 for p in packets)
        assert all(b.pts == a.pts + a.duration for a, b in pairwise(packets[:-1]))
        _, pictures, opus = read_all(path, audio_mode="opus")
        assert len(pictures) == 5
        assert len(opus) >= 4


def test_adts_is_removed(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.ts", frames=5, audio="aac", audio_rate=44100, audio_layout="stereo")
    reader, _, packets = read_all(path)
    assert reader.audio is not None
    assert reader.audio.extradata == bytes([0x12, 0x10])  # AAC-LC, 44.1 kHz, stereo
    assert packets[0].data[:1] != b"\xff"


@pytest.mark.parametrize(("suffix", "exact"), [("png", True), ("jpg", False)])
def test_still_images(tmp_path: Path, suffix: str, exact: bool) -> None:
    path = tmp_path / f"still.{suffix}"
    image = quadrants(40, 30)
    cv2.imwrite(str(path), image[..., ::-1])
    for source in (path, Pipe(path.read_bytes())):
        reader, pictures, packets = read_all(source)
        assert len(pictures) == 1
        assert reader.audio is None
        assert not packets
        difference = np.abs(pictures[0].to_rgb().astype(int) - image)
        assert difference.max() == 0 if exact else difference.mean() < 6
    assert reader.video.color.full_range is not exact


@pytest.mark.parametrize(("code", "rotation"), [(1, 0), (3, 180), (6, 90), (8, 270)])
def test_photo_with_exif_orientation(tmp_path: Path, code: int, rotation: int) -> None:
    upright = quadrants(48, 32) if rotation != 180 else quadrants(32, 48)
    coded = np.ascontiguousarray(np.rot90(upright, rotation // 90))
    jpeg = cv2.imencode(".jpg", coded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HHI", code, 0, 0)
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    reader, pictures, _ = read_all(path)
    assert reader.video.rotation in (rotation, 0)  # 0: decoders of older FFmpeg do not look at Exif
    if reader.video.rotation == rotation:
        assert np.abs(pictures[0].to_rgb().astype(int) - upright).mean() < 8


def test_one_frame(tmp_path: Path) -> None:
    reader, pictures, _ = read_all(make_clip(tmp_path / "one.mp4", frames=1))
    assert len(pictures) == 1
    assert reader.video.frames == 1
    assert pictures[0].duration * reader.video.time_base == Fraction(1, 25)


def test_no_audio_and_audio_modes(tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "s.mp4", frames=2)
    assert read_all(silent)[0].audio is None
    assert read_all(silent, audio_mode="opus")[0].audio is None
    sound = make_clip(tmp_path / "a.mp4", frames=2, audio="aac")
    for options in ({"audio": False}, {"audio_mode": "none"}):
        reader, pictures, packets = read_all(sound, **options)
        assert reader.audio is None
        assert len(pictures) == 2
        assert not packets
    with pytest.raises(UsageError):
        MediaReader(sound, audio_mode="mp3")  # type: ignore[arg-type]


def test_best_track_and_cover_art(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "t.mkv", frames=3, extra_tracks=[("libx264", 32, 32), ("mpeg4", 16, 16)])
    reader, pictures, _ = read_all(path)
    assert reader.video.width == 64
    assert len(pictures) == 3
    cover = _with_cover(make_clip(tmp_path / "p.mp4", frames=2), tmp_path / "cover.mp4")
    reader, pictures, _ = read_all(cover)
    assert reader.video.width == 64
    assert len(pictures) == 2


def _with_cover(path: Path, out_path: Path) -> Path:
    png = cv2.imencode(".png", quadrants(200, 200))[1].tobytes()
    with av.open(str(path)) as source, av.open(str(out_path), "w") as out:
        cover: Any = out.add_stream("png")
        cover.width = cover.height = 200
        cover.pix_fmt = "rgb24"
        cover.disposition = 0x400
        track = out.add_stream_from_template(source.streams.video[0], opaque=True)
        packet: Any = av.Packet(png)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        packet.time_base = Fraction(1, 25)
        out.mux(packet)
        for packet in source.demux():
            if packet.size:
                packet.stream = track
                out.mux(packet)
    return out_path


def test_bad_inputs(tmp_path: Path) -> None:
    empty, text, sound = tmp_path / "empty.mp4", tmp_path / "text.txt", tmp_path / "sound.mp4"
    empty.write_bytes(b"")
    text.write_text("just some words\n" * 50)
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).integers(0, 256, 20000, dtype=np.uint8).tobytes())
    playlist = tmp_path / "list.m3u8"
    real = make_clip(tmp_path / "real.ts", frames=2)
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{real}\n#EXT-X-ENDLIST\n")
    with av.open(str(sound), "w") as out:
        track: Any = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    for path, words in (
        (tmp_path / "missing.mp4", "no such file"),
        (tmp_path, "folder"),
        (empty, "is empty"),
        (text, "not a media file"),
        (noise, "not a media file"),
        (playlist, "not a media file"),
        (sound, "no video track"),
        (Path("nul\0byte"), "cannot read"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            MediaReader(path)
        assert "\n" not in str(caught.value)
        if path.suffix:
            assert path.name in str(caught.value)
    for data, words in ((b"", "is empty"), (b"words " * 100, "not a media file")):
        with pytest.raises(InputError, match=words):
            MediaReader(Pipe(data))
        with pytest.raises(InputError, match=words):
            MediaReader(io.BytesIO(data))


@pytest.mark.parametrize(("name", "format_options"), [("t.mkv", {}), ("t.mp4", {"movflags": "faststart"})])
def test_truncated(tmp_path: Path, name: str, format_options: dict[str, str]) -> None:
    path = make_clip(
        tmp_path / name,
        frames=30,
        picture=lambda i: np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8),
        audio="aac",
        container_options=format_options,
        options={"crf": "20", "preset": "ultrafast", "g": "5"},
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    for mode in ("copy", "opus"):
        _, pictures, packets = read_all(path, audio_mode=mode)
        assert 10 <= len(pictures) < 30
        assert packets
        assert pictures[-1].to_rgb().shape == (48, 64, 3)


def test_damage_in_the_middle(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "d.mp4",
        codec="mpeg4",
        frames=20,
        picture=lambda i: np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8),
        options={"g": "1"},
    )
    with av.open(str(path)) as file:
        places = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size in places[5:8]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    reader, pictures, _ = read_all(path)
    assert 15 <= len(pictures) <= 18
    assert reader.skipped >= 2
    for position, size in places:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"no picture .*d\.mp4"):
        MediaReader(path)


@pytest.mark.parametrize("name", ["p.mkv", "p.ts"])
def test_pipe_in(tmp_path: Path, name: str) -> None:
    path = make_clip(tmp_path / name, frames=12, audio="aac")
    _, from_file, sound = read_all(path)
    _, from_pipe, piped_sound = read_all(Pipe(path.read_bytes()))
    assert [p.pts for p in from_pipe] == [p.pts for p in from_file]
    assert [p.pts for p in piped_sound] == [p.pts for p in sound]


def test_source_errors(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "e.mkv", frames=40, picture=_noise, options={"crf": "10"}).read_bytes()

    class Failing(Pipe):
        failure: BaseException = OSError(5, "Input/output error")
        left = 30000

        def read(self, size: int = -1) -> bytes:
            out = super().read(size)
            self.left -= len(out)
            if self.left < 0:
                raise self.failure
            return out

    with pytest.raises(InputError, match="Input/output"):
        read_all(Failing(data))
    failing = Failing(data)
    failing.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        read_all(failing)
    failing = Failing(data)
    failing.left = 0
    with pytest.raises(InputError, match="Input/output"):
        MediaReader(failing)


def _noise(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_size_change(tmp_path: Path) -> None:
    """Two raw streams of different sizes, one after the other."""
    parts = []
    for size in (64, 96):
        buffer = io.BytesIO()
        make_clip(buffer, width=size, height=size, frames=3, format="mpegts", codec="mpeg2video")
        parts.append(buffer.getvalue())
    reader, pictures, _ = read_all(io.BytesIO(b"".join(parts)))
    assert (reader.video.width, reader.video.height) == (64, 64)
    assert len(pictures) >= 5  # MPEG-2 decoding loses the picture it holds back at the change
    assert {p.to_rgb().shape for p in pictures} == {(64, 64, 3)}
    assert all(a.pts < b.pts for a, b in pairwise(pictures))


def test_negative_start(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "n.mkv",
        codec="mpeg4",
        pts=[-80, -40, 0, 40],
        time_base=Fraction(1, 1000),
        audio="pcm_s16le",
        audio_start=-0.05,
        container_options={"avoid_negative_ts": "disabled"},
    )
    reader, pictures, packets = read_all(path)
    assert [p.pts for p in pictures] == [0, 40, 80, 120]
    assert reader.audio is not None
    assert float(packets[0].pts * reader.audio.time_base) == pytest.approx(0.03, abs=0.002)


def test_threads(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "t.mp4", frames=5)
    for threads in (0, 1, 3):
        assert len(read_all(path, threads=threads)[1]) == 5


def test_pictures_that_many_threads_hold_back_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large pictures and many threads: no picture comes out before each thread has been given one."""
    path = make_clip(tmp_path / "t.mkv", codec="ffv1", frames=20, picture=_noise)
    with av.open(str(path)) as file:
        sizes = [packet.size for packet in file.demux(video=0)]
    monkeypatch.setattr("neurocodec.media.reader._START_BUDGET", sum(sizes[:6]))
    assert len(read_all(path, threads=8)[1]) == 20


def test_a_start_that_never_decodes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "d.mkv", codec="ffv1", frames=200, picture=_noise)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        sizes = [packet.size for packet in file.demux(video=0)]
        file.seek(0)
        for packet in file.demux(video=0):
            if packet.size:
                at = data.index(bytes(packet))
                data[at : at + packet.size] = bytes(packet.size)
    monkeypatch.setattr("neurocodec.media.reader._START_BUDGET", max(sizes))
    pipe = Pipe(bytes(data))
    with pytest.raises(InputError, match="no picture"):
        MediaReader(pipe, threads=2)
    assert pipe.read(1), "read to the end"


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_avi_with_reordered_pictures(tmp_path: Path, codec: str, threads: int) -> None:
    """Each at its place in the file, and so at that of its sound; FFmpeg's guess is up to two late."""
    options = {"bf": "2", "b": "1M"}
    path = make_clip(tmp_path / "b.avi", frames=12, codec=codec, options=options, audio="pcm_s16le")
    reader, pictures, _ = read_all(path, threads=threads)
    assert [p.pts * reader.video.time_base for p in pictures] == [Fraction(k, 25) for k in range(12)]
    assert reader.begin == 0
    for index, picture in enumerate(pictures):
        assert abs(int(picture.to_rgb()[20, 20, 1]) - (40 + 12 * index)) <= 4


def test_avi_in_order_begins_with_its_sound(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "b.avi", fps=10, frames=12, options={"bf": "0"}, audio="pcm_s16le")
    reader, pictures, _ = read_all(path)
    assert [p.pts * reader.video.time_base for p in pictures] == [Fraction(k, 10) for k in range(12)]
    assert reader.begin == 0


def test_timestamp_repair() -> None:
    def run(values: list[int | None]) -> list[int]:
        repair = TimestampRepair(100, 1000)
        return [repair(value) for value in values]

    assert run([0, 100, 350, 400]) == [0, 100, 350, 400]
    assert run([None, None, None]) == [0, 100, 200]
    assert run([0, None, 200]) == [0, 100, 200]
    assert run([0, 100, 100, 200]) == [0, 100, 150, 200]
    assert run([0, 100, 90, 200]) == [0, 100, 150, 200]
    assert run([5000, 5100, 0, 100, 250]) == [5000, 5100, 5200, 5300, 5450]


def test_closing_early(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "e.mkv", frames=30, audio="libopus")
    with MediaReader(path, audio_mode="opus") as reader:
        items = iter(reader)
        picture = next(item for item in items if isinstance(item, VideoPicture))
    assert [item for item in items if isinstance(item, VideoPicture)] == []
    assert picture.to_rgb().shape == (48, 64, 3)
    reader.close()


def test_index_at_the_end_cannot_be_piped(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "e.mp4", frames=40, picture=_noise)
    assert path.stat().st_size > 150_000
    with pytest.raises(InputError, match="from a pipe"):
        MediaReader(Pipe(path.read_bytes()))


@pytest.mark.parametrize(("encoder", "form"), [("libx264", "h264"), ("libx265", "hevc")])
@pytest.mark.parametrize("rate", [30, 50])
def test_raw_streams_have_their_own_rate(tmp_path: Path, encoder: str, form: str, rate: int) -> None:
    path = tmp_path / f"raw.{form}"
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(encoder, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(6):
            picture = np.full((48, 64, 3), 40 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with MediaReader(path) as reader:
        assert reader.video.fps == rate
        times = [p.pts * reader.video.time_base for p in reader if isinstance(p, VideoPicture)]
    assert times == [Fraction(k, rate) for k in range(6)]


def test_pictures_of_another_shape_are_not_squashed(tmp_path: Path) -> None:
    """Raw streams one after the other: wide pictures, smaller ones of the same shape, tall ones."""
    data = b""
    for width, height in ((128, 64), (64, 32), (64, 128)):
        part = io.BytesIO()
        with av.open(part, "w", format="h264") as container:
            stream: Any = container.add_stream("libx264", rate=25, options={"crf": "10"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 200, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        data += part.getvalue()
    path = tmp_path / "three.h264"
    path.write_bytes(data)
    with MediaReader(path) as reader:
        pictures = [p.to_rgb() for p in reader if isinstance(p, VideoPicture)]
        assert reader.framed
    assert len(pictures) == 9 and all(p.shape == (64, 128, 3) for p in pictures)
    for picture in pictures[:6]:
        assert picture.min() > 190
    for picture in pictures[6:]:  # 32 pixels wide in the middle of 128
        assert picture[:, 50:78].min() > 190 and picture[:, :46].max() < 20 and picture[:, 82:].max() < 20
