"""``neurocodec train heads``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import (
    EXISTING,
    PATH,
    check_export,
    common,
    configuration,
    print_lines,
)
from neurocodec.training.config import HeadFinderConfig


@click.command()
@common
@click.option("--landmarks", type=EXISTING, help="The clips' landmarks (npz).  [default: our network's]")
@click.option("--backgrounds", type=EXISTING, help="A folder of pictures without faces.")
@click.option("--face-detector", type=EXISTING, help="YuNet (ONNX), for faces besides that of the landmarks.")
@click.option("--init", type=PATH, help="Weights to start from: a state, or a model.")
def heads(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    backgrounds: Path | None, face_detector: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Train the finder of heads in whole recordings, or go on with the training in OUT.

    It learns from heads of the clips, put in all sizes on pictures without faces, on parts of the clips, and
    on drawn grounds.  The end says how many faces of people held out it finds.

    \b
    Example:
      neurocodec train heads --data clips/ --out run/ --backgrounds photos/ --export heads.safetensors
    """
    config = configuration(HeadFinderConfig, config_file, settings, given)
    check_export(export_to, force)
    from neurocodec.training.head_finder import run
    from neurocodec.training.setup import Files

    print_lines(run(config, Files(**given), backgrounds, face_detector, export_to, quiet))
