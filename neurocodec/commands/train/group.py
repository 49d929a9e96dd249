"""``neurocodec train``: the commands.  Nothing heavy is imported before one of them runs."""

from __future__ import annotations

import click

from neurocodec.commands.groups import LazyGroup

COMMANDS = {
    "motion": ("neurocodec.commands.train.motion:motion", "Train a motion model on talking heads."),
    "student": ("neurocodec.commands.train.student:student", "Train a light model beside a larger one."),
    "references": ("neurocodec.commands.train.references:references", "Train the restorer of references."),
    "feedback": ("neurocodec.commands.train.feedback:feedback", "Train the original's feedback network."),
    "perceptual": (
        "neurocodec.commands.train.perceptual:perceptual",
        "Train the perceptual distance, our feedback network.",
    ),
    "heads": ("neurocodec.commands.train.heads:heads", "Train the finder of heads in whole recordings."),
    "export": ("neurocodec.commands.train.motion:export", "Write a training's state as a model."),
    "agreement": ("neurocodec.commands.train.agreement:agreement", "A feedback network beside LPIPS."),
    "evaluate": ("neurocodec.commands.train.evaluate:evaluate", "Figures of the codec, and of a held still."),
    "rates": ("neurocodec.commands.train.evaluate:rates", "What landmark packets cost, step by step."),
    "landmarks": (
        "neurocodec.commands.train.landmarks:landmarks",
        "The 68-landmark network, its mapping, figures.",
    ),
}
"""Where each command is, and what it does; a module is imported when its command is used."""


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def train() -> None:
    """Train models of your own, export them, and measure what they are worth.

    Needs the extra 'train': pip install 'neurocodec[train]'.  See docs/training.md.

    \b
    Examples:
      neurocodec train motion --data clips/ --out run/ --export mymodel.safetensors
      neurocodec train perceptual --data clips/ --out distance/ --lpips lpips_alex.safetensors
      neurocodec train evaluate val/*.mp4 --model mymodel.safetensors
    """
