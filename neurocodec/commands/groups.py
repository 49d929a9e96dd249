"""Groups of commands: imported when used, every error in one line with its exit code."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import click

from neurocodec.commands.signals import signals
from neurocodec.errors import NeurocodecError, OutputError

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
        self.commands = {name: click.Command(name) for name in self.commands_at}  # for suggestions

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
        _print_anything()
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


def _print_anything() -> None:
    """File names may hold what the terminal's character set, or none, has: it is written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
