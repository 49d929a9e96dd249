"""Options that commands share, and help that lists options in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from neurocodec.option_text import scaled
from neurocodec.options import DEVICES, DecodeOptions, EncodeOptions, about


class GroupedCommand(click.Command):
    """A command whose help lists its options in groups (:func:`option_group`)."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record:
                groups.setdefault(getattr(parameter, "group", "Running"), []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def option_group(title: str, *options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator that adds options under a title, in their order."""

    def decorate(function: Any) -> Any:
        before = len(getattr(function, "__click_params__", ()))
        for option in reversed(options):
            function = option(function)
        for parameter in function.__click_params__[before:]:
            parameter.group = title
        return function

    return decorate


class Size(click.ParamType):
    """Bytes, with k, M or G for powers of 1000."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            return scaled(text)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no number of bytes (like 20000, 20k or 1.5M)", param, ctx)


SIZE = Size()


def _option(option: Field[Any]) -> Callable[[Any], Any]:
    """The command line's option for a field of the options' classes."""
    known, kind = about(option), str(option.type)
    name = "--" + option.name.replace("_", "-")
    text = known.help + (f"  [default: {known.usual}]" if known.usual else "")
    if kind == "bool":
        return click.option(name, is_flag=True, help=text)
    number: Any = int if "int" in kind else float if "float" in kind else str
    value = click.Choice(known.choices) if known.choices else SIZE if known.short else number
    usual: dict[str, Any] = (
        {} if option.default is None else {"default": option.default, "show_default": True}
    )
    return click.option(name, type=value, metavar=known.metavar, help=text, **usual)


def options_of(kind: type[EncodeOptions | DecodeOptions], groups: Mapping[str, str]) -> Callable[[Any], Any]:
    """A decorator that adds options by name, in groups: titles, and names with blanks between them."""
    known = {option.name: option for option in fields(kind)}

    def decorate(function: Any) -> Any:
        for title, names in reversed([*groups.items()]):
            function = option_group(title, *(_option(known[name]) for name in names.split()))(function)
        return function

    return decorate


PATH = click.Path(path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
force_option = click.option("-f", "--force", is_flag=True, help="Replace an existing output.")
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True,
    help="Where the networks run.",
)  # fmt: skip
threads_option = click.option(
    "--threads", type=int, metavar="N", help="CPU threads, 1 to 256.  [default: all cores]"
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
_limits = {option.name: _option(option) for option in fields(DecodeOptions) if "limit" in option.name}
frame_limit_option, chunk_limit_option = _limits["frame_limit"], _limits["chunk_limit"]


def worker_options(command: Any) -> Any:
    """``--jobs``, ``--engine`` and ``--scheduler``, for :func:`neurocodec.batch.workers.workers`."""
    for option in (
        click.option("--scheduler", metavar="ADDRESS", help="Dask's scheduler, as tcp://HOST:PORT."),
        click.option(
            "--engine", type=click.Choice(["processes", "dask"]), default="processes", show_default=True,
            help="Here, or on the workers of a Dask scheduler.",
        ),
        click.option(
            "--jobs", type=int, default=0, show_default=True, help="Worker processes; 0: one for each core."
        ),
    ):  # fmt: skip
        command = option(command)
    return command
