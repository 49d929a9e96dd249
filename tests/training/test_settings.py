"""Configurations of trainings, and the clips of a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from training_clips import TINY, frame_folder, people

from neurocodec.errors import InputError, UsageError
from neurocodec.networks.talk import TalkConfig
from neurocodec.training.clips import find_clips, frames_of, read_squares
from neurocodec.training.config import FeedbackConfig, MotionConfig, RestorationConfig, parse, read


def test_file_then_overrides(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(TINY)
    config = read(
        MotionConfig, file, [parse("optimizer.rate=1"), parse("data.region=face"), parse("model.size=32")]
    )
    assert (config.name, config.optimizer.batch, config.data.region) == ("tiny", 2, "face")
    assert config.optimizer.rate == 1.0
    assert config.model["size"] == 32
    assert read(MotionConfig, None).optimizer.batch == MotionConfig().optimizer.batch


@pytest.mark.parametrize(
    "text",
    ["optimizer.rat=1", "optimizer.batch=half", "optimizer=1", "nothing.at=1", "optimizer.batch=-2",
     "machine.compile=1", "optimizer.batch=1.5", "rate"],
)  # fmt: skip
def test_settings_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        read(MotionConfig, None, [parse(text)])


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[data\n")
    for name in ("bad.toml", "missing.toml"):
        with pytest.raises(InputError, match=name):
            read(MotionConfig, tmp_path / name)


def test_shipped_configurations_are_those_of_the_shipped_models() -> None:
    from neurocodec.models.files import describe

    motion = read(MotionConfig, ROOT / "configs" / "talk256.toml")
    described = describe(ROOT / "checkpoints" / "talk256.safetensors")
    assert TalkConfig(**motion.model).as_dict() == described.config
    assert motion.name == described.name
    restoration = read(RestorationConfig, ROOT / "configs" / "references.toml")
    assert (restoration.name, restoration.width) == (described.name, described.config["restorer_width"])
    feedback = read(FeedbackConfig, ROOT / "configs" / "likeness.toml")
    described = describe(ROOT / "checkpoints" / "likeness.safetensors")
    assert (feedback.name, feedback.model) == (described.name, described.config)


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
    from training_clips import face

    assert all((f == face(48, k / 3, 3)).all() for k, f in enumerate(again))
    assert len(read_squares(folder, 32, 0.2)[0]) == 5


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from neurocodec.commands.main import main\n"
        "from neurocodec.commands.train.group import train\n"
        "done = CliRunner().invoke(train, ['--help']); assert 'motion' in done.output, done.output\n"
        "done = CliRunner().invoke(train, ['motion', '--help']); assert '--lpips-squeeze' in done.output\n"
        "assert not {'torch', 'lightning_fabric', 'tensorboard'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_commands_of_the_document_exist() -> None:
    """Every command and option that docs/training.md shows."""
    import re

    import click

    from neurocodec.commands.main import main

    text = (ROOT / "docs" / "training.md").read_text().replace("\\\n", " ")
    shown = [x.split()[1:] for x in re.findall(r"^ {4,}(neurocodec .+)$", text, re.MULTILINE)]
    shown += [x.split() for x in re.findall(r"-m neurocodec (train .+)$", text, re.MULTILINE)]
    assert len(shown) > 10
    for words in shown:
        command: click.Command = main
        while isinstance(command, click.Group):
            name = words.pop(0)
            found = command.get_command(click.Context(command), name)
            assert found is not None, name
            command = found
        known = {o for p in command.params for o in p.opts}
        assert {w for w in words if w.startswith("--")} <= known, words
