"""Configurations of trainings, and their commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from training_clips import TINY

from neurocodec.errors import InputError, UsageError
from neurocodec.networks.swift import SwiftConfig
from neurocodec.networks.talk import TalkConfig
from neurocodec.training.config import (
    HeadFinderConfig,
    MotionConfig,
    PerceptualConfig,
    RestorationConfig,
    StudentConfig,
    parse,
    read,
)


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
    from neurocodec.models.model_files import describe

    motion = read(MotionConfig, ROOT / "configs" / "talk256.toml")
    described = describe(ROOT / "checkpoints" / "talk256.safetensors")
    assert TalkConfig(**motion.model).as_dict() == described.config
    assert motion.name == described.name
    restoration = read(RestorationConfig, ROOT / "configs" / "references.toml")
    assert (restoration.name, restoration.width) == (described.name, described.config["restorer_width"])
    distance = read(PerceptualConfig, ROOT / "configs" / "perceptual.toml")
    described = describe(ROOT / "checkpoints" / "perceptual.safetensors")
    assert (distance.name, distance.model) == (described.name, described.config)
    heads = read(HeadFinderConfig, ROOT / "configs" / "heads.toml")
    described = describe(ROOT / "checkpoints" / "heads320.safetensors")
    assert (heads.name, heads.model) == (described.name, described.config)
    light = read(StudentConfig, ROOT / "configs" / "swift256.toml")
    assert SwiftConfig(**light.model).size == light.data.size


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
