"""``neurocodec train student``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import PATH, check_export, common, configuration, print_lines
from neurocodec.training.config import StudentConfig


@click.command()
@common
@click.option("--landmarks", type=PATH, help="68 facial landmarks of the clips (npz); see docs/training.md.")
@click.option("--init", type=PATH, help="Weights to start from: a state.pt, its folder, or a model file.")
@click.option("--teacher", metavar="NAME|FILE", help="Model whose keypoints it gets.  [default: talk256]")
@click.option("--lpips-squeeze", "squeeze", type=PATH, help="SqueezeNet LPIPS as a loss (safetensors).")
@click.option("--vgg19", "vgg", type=PATH, help="Normalised VGG-19 as a loss (safetensors).")
def student(
    config_file: Path | None, settings: tuple[str, ...], export_to: Path | None, force: bool, quiet: bool,
    teacher: str | None, **given: Any,
) -> None:  # fmt: skip
    """Train a light motion model with the keypoints of a larger one, or go on with the training in OUT.

    It learns from the clips, and from the flow of its teacher while loss.flow is more than 0.  Interrupted at
    any moment, the same command goes on where the last state was saved.

    \b
    Examples:
      neurocodec train student --data clips/ --landmarks marks.npz --out run/ --config configs/swift256.toml
      neurocodec train student --cache run/cache --out run/ --steps 20000 --export swift.safetensors
    """
    config = configuration(StudentConfig, config_file, settings, given)
    config.teacher = teacher or config.teacher
    check_export(export_to, force)
    from neurocodec.training.setup import Files
    from neurocodec.training.student import run

    print_lines(run(config, Files(**given), export_to, quiet))
