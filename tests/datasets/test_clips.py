"""The clips of a folder, and their frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_clips import face, frame_folder, people

from neurocodec.datasets.clips import find_clips, first_seconds, frames_of
from neurocodec.errors import InputError


def test_people_are_folders_or_files(tmp_path: Path) -> None:
    people(tmp_path / "in", 2, 3)
    frame_folder(tmp_path / "in" / "person1" / "second", 3, 5)
    frame_folder(tmp_path / "in" / "alone", 3, 6)
    (tmp_path / "in" / "film.MP4").write_bytes(b"")
    (tmp_path / "in" / "notes.txt").write_text("no clip")
    found = [(c.path.name, c.identity) for c in find_clips(tmp_path / "in")]
    assert found == [
        ("alone", "alone"), ("film.MP4", "film"), ("clip", "person0"), ("clip", "person1"),
        ("second", "person1"),
    ]  # fmt: skip


def test_table_of_clips(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        frame_folder(tmp_path / name, 2, 1)
    table = tmp_path / "clips.csv"
    table.write_text(
        "clip,identity,split,src_face_px\na,x,train,200\nb,x,train,90\nc,y,val,200\nz,y,train,200\n"
    )
    assert [(c.path.name, c.identity) for c in find_clips(tmp_path)] == [("a", "x"), ("b", "x")]
    assert [c.path.name for c in find_clips(tmp_path, min_face=100)] == ["a"]
    assert [c.path.name for c in find_clips(tmp_path, split="val")] == ["c"]
    table.write_text("clip,identity\nd,w\n")
    assert [(c.path.name, c.identity) for c in find_clips(tmp_path)] == [("d", "w")]
    table.write_text("name\nd\n")
    with pytest.raises(InputError, match="table of clips"):
        find_clips(tmp_path)


def test_folders_without_clips(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips"):
        find_clips(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        find_clips(tmp_path / "nowhere")


def test_frames_come_in_their_order_and_size(tmp_path: Path) -> None:
    folder = frame_folder(tmp_path / "clip", 12, 3, size=48)
    frames = list(frames_of(folder, 32))
    assert len(frames) == 12
    assert all(f.shape == (32, 32, 3) for f in frames)
    again = list(frames_of(folder, 48))
    assert all((f == face(48, k / 3, 3)).all() for k, f in enumerate(again))
    assert len(first_seconds(folder, 32, 0.2)[0]) == 5
