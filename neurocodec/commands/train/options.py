"""Command-line options that every training has, and how they override a configuration file.

An option whose parameter is called ``table__key`` (or ``name``) is short for ``--set table.key=VALUE``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from neurocodec.commands.options import PATH, quiet_option
from neurocodec.errors import UsageError
from neurocodec.files.atomic import refuse_existing
from neurocodec.training.config import parse, read

T = TypeVar("T")
EXISTING = click.Path(path_type=Path, exists=True)

COMMON = (
    click.option("--out", type=PATH, required=True, help="Folder of this training; it is resumed."),
    click.option("--data", type=PATH, help="Folder of clips: videos or folders of frames; people are "
                 "sub-folders, or as its clips.csv has it."),
    click.option("--clips", type=PATH, help="A table in place of the folder's own clips.csv."),
    click.option("--cache", type=PATH, help="Decoded clips (of an earlier training: OUT/cache)."),
    click.option("--config", "config_file", type=PATH, help="Settings (TOML); see configs/."),
    click.option("--set", "settings", multiple=True, metavar="TABLE.KEY=VALUE", help="Any setting."),
    click.option("--name", help="Name of the exported model."),
    click.option("--steps", "optimizer__steps", type=int, help="Length of the training."),
    click.option("--minutes", "optimizer__minutes", type=float,
                 help="Stop by then (not the same result everywhere)."),
    click.option("--batch", "optimizer__batch", type=int, help="Samples a step (and process)."),
    click.option("--rate", "optimizer__rate", type=float, help="Highest learning rate."),
    click.option("--seed", "optimizer__seed", type=int, help="Of all random numbers."),
    click.option("--size", "data__size", type=int, help="Side of the pictures in training."),
    click.option("--stride", "data__stride", type=int, help="Keep two of every so many frames."),
    click.option("--region", "data__region", type=click.Choice(["full", "face"]),
                 help="Whole pictures, or faces."),
    click.option("--held-out", "data__held_out", type=int, help="People kept for watching."),
    click.option("--min-face", "data__min_face", type=int,
                 help="Smallest face in the source, where a table says it."),
    click.option("--accelerator", "machine__accelerator", type=click.Choice(["auto", "cpu", "cuda"]),
                 help="Where it runs."),
    click.option("--devices", "machine__devices", type=int, help="GPUs (CPU: processes) on this machine."),
    click.option("--nodes", "machine__nodes", type=int, help="Machines."),
    click.option("--precision", "machine__precision", type=click.Choice(["bf16-mixed", "32-true"]),
                 help="Of arithmetic."),
    click.option("--threads", "machine__threads", type=int, help="CPU threads of a process; 0: automatic."),
    click.option("--compile/--no-compile", "machine__compile", default=None, help="Use torch.compile."),
    click.option("--export", "export_to", type=PATH, help="Write the model here at the end."),
    click.option("-f", "--force", is_flag=True, help="Replace an existing --export file."),
    quiet_option,
)  # fmt: skip


def common(command: Any) -> Any:
    """The options of a training."""
    for option in reversed(COMMON):
        command = option(command)
    return command


def configuration(kind: type[T], file: Path | None, settings: Iterable[str], given: dict[str, Any]) -> T:
    """Defaults, then the file, then ``--set``, then options that are settings, which leave ``given``.

    Raises:
        InputError, UsageError: as :func:`neurocodec.training.config.read` has it.
    """
    options = {k: given.pop(k) for k in list(given) if "__" in k or k == "name"}
    chosen = [(k.replace("__", "."), value) for k, value in options.items() if value is not None]
    return read(kind, file, [*map(parse, settings), *chosen])


def check_export(path: Path | None, force: bool) -> None:
    """An export's path, before hours are spent.

    Raises:
        OutputError: it exists.
        UsageError: it is no name of a model file.
    """
    if path is not None and path.suffix != ".safetensors":
        raise UsageError(f"--export writes a .safetensors file, not {path.name!r}")
    refuse_existing([path], force)


def print_lines(lines: Iterable[str]) -> None:
    """Each on a line of its own."""
    for line in lines:
        click.echo(line)
