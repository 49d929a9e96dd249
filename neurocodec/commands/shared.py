"""What commands share: the group that reports errors, common options, results, notes and progress."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurocodec.commands.signals import signals
from neurocodec.errors import InputError, NeurocodecError, OutputError, UsageError
from neurocodec.format.limits import CHUNK, FRAMES
from neurocodec.option_text import scaled

if TYPE_CHECKING:
    from neurocodec.types import Progress

EXIT_CODES = """\b
Exit codes:
  0    success
  1    another failure
  2    wrong usage, an option out of range
  3    the input, or a model named by an option, is missing, empty or of another kind
  4    an .nfc file is damaged so that nothing can be decoded, or fails --verify
  5    unsupported: format version, colour or sound, a file's model or a device that is not here
  6    the output exists (use -f) or cannot be written
  7    decoded, but the file was truncated or damaged: parts are missing
  130  interrupted
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used.

    ``commands_at`` has, by name, where a command is (``module:attribute``) and what it does in a line.
    """

    def __init__(
        self, *args: Any, commands_at: dict[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = commands_at or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_at:
            return None
        module, name = self.commands_at[cmd_name][0].split(":")
        found: Any = getattr(importlib.import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands_at[name][1]) for name in sorted(self.commands_at)])


class MainGroup(LazyGroup):
    """Reports every error as one line on stderr with its exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        signals.install()
        try:
            code = super().main(*args, **kwargs)
        except click.exceptions.Exit as stop:
            sys.exit(stop.exit_code)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.UsageError as error:
            see = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
            _fail(error.format_message() + see, 2)
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", 130)
        except NeurocodecError as error:
            _fail(str(error), error.exit_code)
        except BrokenPipeError:
            _drop_results()
            sys.exit(OutputError.exit_code)
        except OSError as error:
            from neurocodec.files.atomic import is_write_error

            _drop_results()
            failed = OutputError if is_write_error(error) else NeurocodecError
            where = f"{error.filename}: " if error.filename else ""
            _fail(where + (error.strerror or str(error)), failed.exit_code)
        except MemoryError:
            _fail("out of memory", 1)
        except Exception as error:
            if os.environ.get("NEUROCODEC_DEBUG"):
                raise
            _fail(f"unexpected {type(error).__name__}: {error}", 1)
        sys.exit(code if isinstance(code, int) else 0)


def _drop_results() -> None:
    """What is still buffered for a broken stdout must not fail again when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    if signals.number == signal.SIGTERM:
        sys.exit(128 + signal.SIGTERM)
    if signals.number == signal.SIGINT:  # whatever the interrupted code made of it
        message, code = "interrupted", 130
    line = " ".join(message.split())
    click.echo(f"neurocodec: error: {line}", err=True)
    sys.exit(code)


def note(message: str) -> None:
    """A line for the user beside the result, on stderr."""
    click.echo(f"neurocodec: {message}", err=True)


def emit(result: dict[str, Any], as_json: bool, lines: Callable[[], list[str]], err: bool = False) -> None:
    """Print a result as JSON, or else as lines."""
    text = json.dumps(result, indent=2) if as_json else "\n".join(lines())
    click.echo(text, err=err)


@contextmanager
def progress(what: str, quiet: bool, unit: str = " frames") -> Iterator[Progress]:
    """A progress bar on stderr; its function also ends the command if a signal has come."""
    from tqdm import tqdm

    with tqdm(desc=what, unit=unit, disable=quiet or None, file=sys.stderr, leave=False) as bar:

        def update(done: int, total: int | None) -> None:
            signals.check()
            if total is not None and bar.total is None:
                bar.total = total
            bar.update(done - bar.n)

        yield update


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


PATH = click.Path(path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
force_option = click.option("-f", "--force", is_flag=True, help="Replace an existing output.")
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
    help="Where the networks run.",
)  # fmt: skip
threads_option = click.option(
    "--threads", type=int, metavar="N", help="CPU threads, 1 to 256.  [default: all cores]"
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
frame_limit_option = click.option(
    "--frame-limit", type=int, default=FRAMES, show_default=True, help="Refuse a file of more frames."
)
chunk_limit_option = click.option(
    "--chunk-limit",
    type=SIZE,
    default=CHUNK,
    show_default=True,
    help="Largest part of a file (five seconds) in bytes (k, M); about four times this is allocated.",
)


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


def input_of(path: str) -> Any:
    """The input that an argument names; ``-`` is standard input.

    Raises:
        InputError: standard input is closed.
    """
    if path != "-":
        return path
    if sys.stdin is None:
        raise InputError("standard input is closed")
    from neurocodec.files.pipes import stoppable

    return stoppable(sys.stdin.buffer)


def output_of(path: str) -> Any:
    """The output that an argument names; ``-`` is standard output.

    Raises:
        OutputError: standard output is closed.
        UsageError: standard output is a terminal.
    """
    if path != "-":
        return path
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    if sys.stdout.isatty():
        raise UsageError("refusing to write a binary file to a terminal; give a file or a pipe")
    return sys.stdout.buffer


def listed(lines: list[str], most: int = 8) -> list[str]:
    """The first few of many lines."""
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more"]


def lost_lines(found: Any) -> list[str]:
    """Which seconds are lost, in words, if any are: of everything or the picture, of landmarks, of sound."""
    return [
        f"{what}: {', '.join(listed([f'{start:.2f} to {end:.2f} s' for start, end in stretches]))}"
        for what, stretches in (
            ("lost in time", found.lost),
            ("landmarks lost and concealed", found.lost_landmarks),
            ("sound lost", found.lost_sound),
        )
        if stretches
    ]
