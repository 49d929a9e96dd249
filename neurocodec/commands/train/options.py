"""Command-line options that every training has, and how they override a configuration file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from neurocodec.training.config import parse, read

T = TypeVar("T")
PATH = click.Path(path_type=Path)

SHORTCUTS = {
    "name": "name",
    "steps": "optimizer.steps",
    "minutes": "optimizer.minutes",
    "batch": "optimizer.batch",
    "rate": "optimizer.rate",
    "seed": "optimizer.seed",
    "size": "data.size",
    "stride": "data.stride",
    "region": "data.region",
    "held_out": "data.held_out",
    "min_face": "data.min_face",
    "accelerator": "machine.accelerator",
    "devices": "machine.devices",
    "nodes": "machine.nodes",
    "precision": "machine.precision",
    "threads": "machine.threads",
    "compile_": "machine.compile",
}
"""Options, and the settings that they are short for."""


def common(command: Any) -> Any:
    """The options of a training; all but the paths are short for settings."""
    for option in reversed(
        (
            click.option("--out", type=PATH, required=True, help="Folder of this training; it is resumed."),
            click.option("--data", type=PATH, help="Folder of clips: videos or folders of frames; people are "
                         "sub-folders, or as its clips.csv has it."),
            click.option("--clips", type=PATH, help="A table in place of the folder's own clips.csv."),
            click.option("--cache", type=PATH, help="Decoded clips (of an earlier training: OUT/cache)."),
            click.option("--config", "config_file", type=PATH, help="Settings (TOML); see configs/."),
            click.option("--set", "settings", multiple=True, metavar="TABLE.KEY=VALUE", help="Any setting."),
            click.option("--name", help="Name of the exported model."),
            click.option("--steps", type=int, help="Length of the training."),
            click.option("--minutes", type=float, help="Stop by then (not the same result everywhere)."),
            click.option("--batch", type=int, help="Samples a step (and process)."),
            click.option("--rate", type=float, help="Highest learning rate."),
            click.option("--seed", type=int, help="Of all random numbers."),
            click.option("--size", type=int, help="Side of the pictures in training."),
            click.option("--stride", type=int, help="Keep two of every so many frames."),
            click.option("--region", type=click.Choice(["full", "face"]), help="Whole pictures, or faces."),
            click.option("--held-out", type=int, help="People kept for watching."),
            click.option("--min-face", type=int, help="Smallest face in the source, where a table says it."),
            click.option("--accelerator", type=click.Choice(["auto", "cpu", "cuda"]), help="Where it runs."),
            click.option("--devices", type=int, help="GPUs (CPU: processes) on this machine."),
            click.option("--nodes", type=int, help="Machines."),
            click.option("--precision", type=click.Choice(["bf16-mixed", "32-true"]), help="Of arithmetic."),
            click.option("--threads", type=int, help="CPU threads of a process; 0: automatic."),
            click.option("--compile/--no-compile", "compile_", default=None, help="Use torch.compile."),
            click.option("--export", "export_to", type=PATH, help="Write the model here at the end."),
            click.option("-f", "--force", is_flag=True, help="Replace an existing --export file."),
            click.option("-q", "--quiet", is_flag=True, help="No progress."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def configuration(kind: type[T], file: Path | None, settings: Iterable[str], given: dict[str, Any]) -> T:
    """Defaults, then the file, then ``--set``, then the options that were given; the latter leave ``given``.

    Raises:
        InputError, UsageError: as :func:`neurocodec.training.config.read` has it.
    """
    short = {key: given.pop(key) for key in SHORTCUTS if key in given}
    chosen = [parse(text) for text in settings]
    chosen += [(SHORTCUTS[key], value) for key, value in short.items() if value is not None]
    return read(kind, file, chosen)


def check_export(path: Path | None, force: bool) -> None:
    """An export's path, before hours are spent.

    Raises:
        OutputError: it exists.
        UsageError: it is no name of a model file.
    """
    from neurocodec.errors import OutputError, UsageError

    if path is None:
        return
    if path.suffix != ".safetensors":
        raise UsageError(f"--export writes a .safetensors file, not {path.name!r}")
    if path.exists() and not force:
        raise OutputError(f"{path} exists; use -f to replace it")
