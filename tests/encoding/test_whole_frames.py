"""Whole frames: a layer of AV1, heads rendered between its pictures, from end to end."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from places import SAMPLES

import neurocodec
from neurocodec.encoding import head_coder
from neurocodec.errors import InputError, UsageError
from neurocodec.format.chunks import HEAD_CHUNK, LAYER_CHUNK
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.repair import repair
from neurocodec.media.frames import open_video
from neurocodec.media.writer import MediaWriter
from neurocodec.options import EncodeOptions
from neurocodec.types import Picture

WIDTH, HEIGHT, FRAMES = 482, 270, 160
"""Wider than the full picture would be coded for; more than one block."""


def room() -> Picture:
    """A background with shapes of all sizes."""
    noise = np.random.default_rng(3).integers(0, 256, (9, 16, 3)).astype(np.uint8)
    return cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head that moves in a room."""
    path = tmp_path_factory.mktemp("whole") / "room.mp4"
    still = room()
    with (
        open_video(SAMPLES / "astronaut.mp4") as (video, pictures),
        MediaWriter(
            path,
            width=WIDTH,
            height=HEIGHT,
            time_base=video.time_base,
            fps=video.fps,
            color=video.color,
            crf=6,
        ) as writer,
    ):
        for k, picture in enumerate(islice(pictures, FRAMES)):
            frame = still.copy()
            x = 120 + round(20 * np.sin(k / 12))
            frame[90:270, x : x + 180] = picture.to_rgb(180, 180)
            writer.write_video(frame, picture.pts)
    return path


@pytest.fixture(scope="module")
def coded(recording: Path) -> Path:
    path = recording.with_suffix(".nfc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head_coder, "_MARGIN", 1.0)  # the head is rendered even where interpolation is better
        report = neurocodec.encode(recording, path, effort="fast", verify=True)
    assert report.verified
    assert report.frames == FRAMES
    assert report.heads == 1
    return path


@pytest.fixture(scope="module")
def frames(coded: Path) -> list[tuple[float, Picture]]:
    return list(neurocodec.pictures(coded))


def test_every_frame_comes_back_whole(recording: Path, frames: list[tuple[float, Picture]]) -> None:
    assert len(frames) == FRAMES
    assert frames[0][1].shape == (HEIGHT, WIDTH, 3)
    with open_video(recording) as (video, pictures):
        for (seconds, picture), source in zip(frames, pictures, strict=True):
            assert seconds == pytest.approx(float(source.pts * video.time_base), abs=1e-3)
            assert np.abs(picture.astype(int) - source.to_rgb()).mean() < 12


def test_the_file_has_few_pictures_and_a_head(coded: Path) -> None:
    info = neurocodec.probe(coded)
    assert info.layer and info.heads
    assert info.bytes["layer"] > info.bytes["landmarks"] > 0
    with coded.open("rb") as file:
        blocks = [item[0] for item in NfcReader(file)]
    assert [b.entry for b in blocks] == [True, *[False] * (len(blocks) - 1)]
    shown = sum(len(b.layer.pictures) for b in blocks)
    assert 2 < shown < FRAMES / 2
    assert all(b.layer.pictures[-1].offset == len(b.pts) - 1 for b in blocks)


def test_a_part_has_the_pictures_of_the_whole(coded: Path, frames: list[tuple[float, Picture]]) -> None:
    part = list(neurocodec.pictures(coded, start=5.5, duration=0.4))
    whole = {round(t, 3): p for t, p in frames}
    assert len(part) >= 8
    for seconds, picture in part[1:]:
        assert np.array_equal(picture, whole[round(seconds, 3)])


def test_it_decodes_to_a_video_of_the_sources_size(coded: Path, tmp_path: Path) -> None:
    report = neurocodec.decode(coded, tmp_path / "out.mp4")
    assert (report.width, report.height, report.frames) == (WIDTH, HEIGHT, FRAMES)
    with open_video(tmp_path / "out.mp4") as (video, _):
        assert (video.width, video.height) == (WIDTH, HEIGHT)


def test_the_models_size_is_refused(coded: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="whole frames"):
        neurocodec.decode(coded, tmp_path / "out.mp4", size="model")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("kind", [LAYER_CHUNK, HEAD_CHUNK])
def test_a_damaged_part_costs_no_frame(coded: Path, tmp_path: Path, kind: int) -> None:
    data = bytearray(coded.read_bytes())
    data[_last_chunk(data, kind) + 12] ^= 0x40
    damaged = tmp_path / "damaged.nfc"
    damaged.write_bytes(data)
    report = neurocodec.decode(damaged, tmp_path / "out.mp4")
    assert report.losses
    assert report.frames + report.held == FRAMES
    repair(damaged, tmp_path / "repaired.nfc")
    assert not neurocodec.decode(tmp_path / "repaired.nfc", tmp_path / "again.mp4").losses


def _last_chunk(data: bytes | bytearray, kind: int) -> int:
    """Where the last chunk of a type begins."""
    at, found = 5, []
    while at < len(data) - 3:
        start, size, shift = at, 0, 0
        while True:
            at += 1
            size |= (data[at] & 0x7F) << shift
            shift += 7
            if data[at] < 0x80:
                break
        at += 1 + size + 4
        if data[start] == kind:
            found.append(start)
    return found[-1]


def test_a_small_picture_of_one_head_is_coded_in_full(clip: Path, tmp_path: Path) -> None:
    auto, full = tmp_path / "auto.nfc", tmp_path / "full.nfc"
    neurocodec.encode(clip, auto)
    neurocodec.encode(clip, full, region="full")
    assert auto.read_bytes() == full.read_bytes()


def test_quality_buys_bytes(recording: Path) -> None:
    few, many = (
        len(neurocodec.encode_bytes(recording, effort="fast", duration=1.5, quality=q)) for q in (10, 90)
    )
    assert many > 2 * few


def test_whole_frames_of_tiny_pictures_are_refused(five_frames: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 pixels a side"):
        neurocodec.encode(five_frames, tmp_path / "out.nfc", region="frames")
    assert not (tmp_path / "out.nfc").exists()


@pytest.mark.parametrize(
    "other",
    [{"refresh": "schedule"}, {"landmarks": "68"}, {"reference_quality": 20}, {"first_reference": "best"}],
)
def test_what_needs_references_leaves_auto_the_full_picture(other: dict[str, Any]) -> None:
    assert EncodeOptions(**other).settings().region == "full"
    with pytest.raises(UsageError, match="whole frames"):
        EncodeOptions(region="frames", **other).settings()
    assert EncodeOptions().settings().region == "auto"


def test_a_pipe_is_judged_by_its_size(recording: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self._file = recording.open("rb")

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self._file.readinto(buffer)

    out = io.BytesIO()
    report = neurocodec.encode(io.BufferedReader(Pipe()), out, effort="fast", duration=0.5)
    assert report.layer_pictures and not report.references
