"""``neurocodec train``: the commands.  Nothing heavy is imported before one of them runs."""

from __future__ import annotations

import importlib
from typing import Any

import click

COMMANDS = {
    "motion": ("neurocodec.training.motion_command:motion", "Train a motion model on talking heads."),
    "references": ("neurocodec.training.references_command:references", "Train the restorer of references."),
    "feedback": ("neurocodec.training.feedback_command:feedback", "Train a feedback network."),
    "export": ("neurocodec.training.motion_command:export", "Write a training's state as a model."),
    "agreement": ("neurocodec.training.feedback_command:agreement", "A feedback network beside LPIPS."),
    "evaluate": ("neurocodec.training.evaluate:main", "Figures of the codec, and of a held still."),
    "rates": ("neurocodec.training.rates:main", "What landmark packets cost, step by step."),
    "landmarks": ("neurocodec.training.landmarks:main", "The 68-landmark network, its mapping, figures."),
}
"""Where each command is, and what it does; a module is imported when its command is used."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name][0].split(":")
        found: Any = getattr(importlib.import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup)
def train() -> None:
    """Train models of your own, export them, and measure what they are worth.

    Needs the extra 'train': pip install 'neurocodec[train]'.  See docs/training.md.

    \b
    Examples:
      neurocodec train motion --data clips/ --out run/ --export mymodel.safetensors
      neurocodec train feedback --data clips/ --out likeness/ --lpips lpips_alex.safetensors
      neurocodec train evaluate val/*.mp4 --model mymodel.safetensors
    """
