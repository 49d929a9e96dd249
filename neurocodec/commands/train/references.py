"""``neurocodec train references``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import PATH, check_export, common, configuration, print_lines
from neurocodec.training.config import RestorationConfig


@click.command()
@common
@click.option("--model", metavar="NAME|FILE", help="Motion model that gets it.  [default: talk256]")
@click.option("--init", type=PATH, help="A state to start from: a state.pt, or its folder.")
@click.option("--lpips-squeeze", "squeeze", type=PATH, help="SqueezeNet LPIPS as a loss (safetensors).")
@click.option("--vgg19", "vgg", type=PATH, help="Normalised VGG-19 as a loss (safetensors).")
@click.option("--lpips", type=PATH, help="AlexNet LPIPS, to judge with; never trained on.")
def references(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Train the network that cleans coded references, or go on with the training in OUT.

    It learns from references that have been through the reference coder, and what they were before.
    --export writes the motion model with it; 'train motion' then goes on from that with references cleaned.

    \b
    Example:
      neurocodec train references --data clips/ --out run/ --export mymodel.safetensors
    """
    config = configuration(RestorationConfig, config_file, settings, given)
    check_export(export_to, force)
    from neurocodec.training.restoration import run
    from neurocodec.training.setup import Files

    print_lines(run(config, Files(**given), export_to, quiet))
