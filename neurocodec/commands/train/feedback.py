"""``neurocodec train feedback``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import PATH, check_export, common, configuration, print_lines
from neurocodec.training.config import ClassicConfig


@click.command()
@common
@click.option("--init", type=PATH, help="Weights to start from: a state, or a model.")
@click.option("--train_path", "--train-path", type=PATH, required=True, help="A folder for each class.")
@click.option("--test_path", "--test-path", type=PATH, required=True, help="The same, to test on.")
def feedback(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    train_path: Path, test_path: Path, **given: Any,
) -> None:  # fmt: skip
    """Train the original codec's feedback network, or go on with the training in OUT.

    It tells distorted pictures from real ones (folders in order of name: distorted, real).  Our own, which
    the encoder steers by, is the perceptual distance: 'train perceptual'.

    \b
    Example:
      neurocodec train feedback --train_path faces/train --test_path faces/test --out classic/
    """
    config = configuration(ClassicConfig, config_file, settings, given)
    config.watch.sheet = 0
    config.watch.validate = config.watch.validate or config.watch.save
    check_export(export_to, force)
    from neurocodec.training.classic import run
    from neurocodec.training.setup import Files

    print_lines(run(config, Files(**given), train_path, test_path, export_to, quiet))
