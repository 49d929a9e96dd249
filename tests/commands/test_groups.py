"""Groups import a command when it is used; what they say of it is what it says of itself."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from neurocodec.commands import decode, encode
from neurocodec.commands.groups import LazyGroup
from neurocodec.commands.main import COMMANDS, main
from neurocodec.commands.train.group import COMMANDS as TRAININGS
from neurocodec.commands.train.group import train
from neurocodec.options import DecodeOptions, EncodeOptions


@pytest.mark.parametrize(("group", "table"), [(main, COMMANDS), (train, TRAININGS)])
def test_every_command_is_where_the_table_says(group: LazyGroup, table: dict[str, tuple[str, str]]) -> None:
    context = click.Context(group)
    assert group.list_commands(context) == sorted(table)
    for name, (_, line) in table.items():
        command = group.get_command(context, name)
        assert command is not None and command.name == name
        assert command.help and line.endswith(".") and len(line) <= 60
    assert group.get_command(context, "nothing") is None


@pytest.mark.parametrize(
    ("kind", "groups", "apart"),
    [
        (EncodeOptions, encode.GROUPS, {"price", "device", "threads"}),
        (DecodeOptions, decode.GROUPS, {"device", "threads"}),
    ],
)
def test_every_option_is_listed_once(
    kind: type[EncodeOptions | DecodeOptions], groups: dict[str, str], apart: set[str]
) -> None:
    """``price`` is for ``--set`` alone; device and threads are options that all commands share."""
    listed = [name for names in groups.values() for name in names.split()]
    assert sorted([*listed, *apart]) == sorted(option.name for option in fields(kind))


def test_a_mistyped_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["encod"])
    assert "Did you mean" in capsys.readouterr().err
