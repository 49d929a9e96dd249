"""``neurocodec train perceptual``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import PATH, check_export, common, configuration, print_lines
from neurocodec.training.config import PerceptualConfig


@click.command()
@common
@click.option("--model", metavar="NAME|FILE", help="Whose renderings.  [default: talk256]")
@click.option("--init", type=PATH, help="Weights to start from: a state, or a model.")
@click.option("--lpips", type=PATH, help="AlexNet LPIPS, which it learns (required).")
@click.option("--validate", type=PATH, help="Folder of other people's clips, to say how well it agrees.")
def perceptual(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Train the perceptual distance of 'compare', or go on with the training in OUT.

    It learns LPIPS (AlexNet) from clips coded by AV1, HEVC and H.264, from renderings, and from pictures that
    are spoilt in other ways.  With --validate it is held against LPIPS at the end, on other people, by codecs
    that it has not seen.

    \b
    Example:
      neurocodec train perceptual --data clips/ --out run/ --lpips lpips_alex.safetensors \\
          --validate clips/ --export perceptual.safetensors
    """
    config = configuration(PerceptualConfig, config_file, settings, given)
    check_export(export_to, force)
    from neurocodec.training.perceptual import run
    from neurocodec.training.setup import Files

    print_lines(run(config, Files(**given), export_to, quiet))
