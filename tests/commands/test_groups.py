"""Groups import a command when it is used; what they say of it is what it says of itself."""

from __future__ import annotations

import click
import pytest

from neurocodec.commands.groups import LazyGroup
from neurocodec.commands.main import COMMANDS, main
from neurocodec.commands.train.group import COMMANDS as TRAININGS
from neurocodec.commands.train.group import train


@pytest.mark.parametrize(("group", "table"), [(main, COMMANDS), (train, TRAININGS)])
def test_every_command_is_where_the_table_says(group: LazyGroup, table: dict[str, tuple[str, str]]) -> None:
    context = click.Context(group)
    assert group.list_commands(context) == sorted(table)
    for name, (_, line) in table.items():
        command = group.get_command(context, name)
        assert command is not None and command.name == name
        assert command.help and line.endswith(".") and len(line) <= 60
    assert group.get_command(context, "nothing") is None
