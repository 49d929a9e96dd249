"""``neurocodec train feedback``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import PATH, check_export, common, configuration, print_lines
from neurocodec.errors import UsageError
from neurocodec.training.config import ClassicConfig, FeedbackConfig


@click.command()
@common
@click.option("--model", metavar="NAME|FILE", help="Whose renderings.  [default: talk256]")
@click.option("--samples", "samples__count", type=int, help="Renderings to learn from.")
@click.option("--init", type=PATH, help="Weights to start from: a state, or a model.")
@click.option("--lpips", type=PATH, help="AlexNet LPIPS, which it learns (required with clips).")
@click.option("--train_path", "--train-path", type=PATH, help="The original's layout: a folder per class.")
@click.option("--test_path", "--test-path", type=PATH, help="The same, to test on.")
def feedback(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    train_path: Path | None, test_path: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Train a feedback network, or go on with the training in OUT.

    With --data or --cache: neurocodec's own, the distance that the encoder steers by.  It learns LPIPS from
    renderings of the motion model and their originals.  With --train_path and --test_path: the original
    codec's, which tells distorted pictures from real ones (folders in order of name: distorted, real).

    \b
    Examples:
      neurocodec train feedback --data clips/ --out likeness/ --config configs/likeness.toml \\
          --lpips lpips_alex.safetensors --export mylikeness.safetensors
      neurocodec train feedback --train_path faces/train --test_path faces/test --out classic/
    """
    kind = FeedbackConfig if train_path is None else ClassicConfig
    config = configuration(kind, config_file, settings, given)
    config.watch.sheet = 0
    config.watch.validate = config.watch.validate or config.watch.save
    check_export(export_to, force)
    if (train_path is None) != (test_path is None):
        raise UsageError("--train_path and --test_path go together")
    if train_path is not None and (given["data"] or given["cache"]):
        raise UsageError("give either clips (--data, --cache) or class folders (--train_path)")
    from neurocodec.training.feedback import train_classic, train_distance
    from neurocodec.training.setup import Files

    files = Files(**given)
    if train_path is not None and test_path is not None:
        print_lines(train_classic(config, files, train_path, test_path, export_to, quiet))
    else:
        print_lines(train_distance(config, files, export_to, quiet))
