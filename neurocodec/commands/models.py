"""``neurocodec models``: list, show, time and import models."""

from __future__ import annotations

from pathlib import Path

import click

from neurocodec.commands.options import device_option, force_option, json_option, threads_option
from neurocodec.commands.output import emit
from neurocodec.errors import UsageError


@click.group()
def models() -> None:
    """List, show, time and import models.

    \b
    Examples:
      neurocodec models list
      neurocodec models import vox.pth.tar
    """


@models.command("list")
@json_option
def models_list(as_json: bool) -> None:
    """List the shipped and the imported models."""
    from neurocodec.models.model_files import installed

    found = [m.as_dict() for m in installed()]
    emit(
        {"models": found},
        as_json,
        lambda: [
            f"{m['name']:<20} {m['kind']:<9} {m['architecture']:<17} {m['hash'][:16]} "
            f"{'shipped' if m['shipped'] else 'imported'}"
            for m in found
        ],
    )


@models.command("show")
@click.argument("name", metavar="NAME|FILE")
@device_option
@threads_option
@json_option
def models_show(name: str, device: str, threads: int | None, as_json: bool) -> None:
    """Show the description of a model and what it costs, and check its weights."""
    from neurocodec.models.cost import cost_of
    from neurocodec.models.model_files import find_any, load
    from neurocodec.threads import use_threads

    model = find_any(name)
    load(model)
    use_threads(threads)
    cost = cost_of(model, 0.2, device)
    result = {**model.as_dict(), **cost.as_dict()}
    emit(result, as_json, lambda: [*(f"{k:<13} {v}" for k, v in model.as_dict().items()), *cost.lines()])


@models.command("benchmark")
@click.argument("names", metavar="[NAME|FILE]...", nargs=-1)
@click.option("--seconds", type=float, default=3.0, show_default=True, help="For each part of each model.")
@device_option
@threads_option
@json_option
def models_benchmark(
    names: tuple[str, ...], seconds: float, device: str, threads: int | None, as_json: bool
) -> None:
    """Operations, parameters, bytes and milliseconds of models (default: of all), measured at length."""
    if seconds <= 0:
        raise UsageError("--seconds must be positive")
    from neurocodec.models.cost import cost_of
    from neurocodec.models.model_files import find_any, installed
    from neurocodec.threads import use_threads

    chosen = [find_any(name) for name in names] or list(installed())
    use_threads(threads)
    costs = {m.name: cost_of(m, seconds, device) for m in chosen}
    emit(
        {name: cost.as_dict() for name, cost in costs.items()},
        as_json,
        lambda: [line for name, cost in costs.items() for line in (name, *(f"  {x}" for x in cost.lines()))],
    )


@models.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the result.  [default: by its architecture]")
@force_option
@json_option
def models_import(source: Path, name: str | None, force: bool, as_json: bool) -> None:
    """Turn a published checkpoint into a safetensors model that encode and decode find.

    FILE is the motion model's vox.pth.tar, the original codec's feedback weights, or a model file made by
    neurocodec.  Pickled code is never run.

    \b
    Examples:
      neurocodec models import vox.pth.tar
      neurocodec models import checkpoints.model --name classic-feedback
    """
    from neurocodec.models.importing import import_checkpoint

    model = import_checkpoint(source, name, force=force)
    emit(model.as_dict(), as_json, lambda: [f"{model.name}: {model.architecture} -> {model.path}"])
