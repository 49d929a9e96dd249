"""What commands print: results, notes, progress, and what was lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from neurocodec.commands.signals import signals


def note(message: str) -> None:
    """A line for the user beside the result, on stderr."""
    click.echo(f"neurocodec: {message}", err=True)


def emit(result: dict[str, Any], as_json: bool, lines: Callable[[], list[str]], err: bool = False) -> None:
    """Print a result as JSON, or else as lines."""
    text = json.dumps(result, indent=2) if as_json else "\n".join(lines())
    click.echo(text, err=err)


class ProgressBar(Protocol):
    """As :data:`neurocodec.types.Progress` and :data:`neurocodec.types.Told`."""

    def __call__(self, done: int, total: int | None, what: str = "", /) -> None: ...


@contextmanager
def progress(what: str, quiet: bool, unit: str = " frames") -> Iterator[ProgressBar]:
    """A progress bar on stderr; its function also ends the command if a signal has come."""
    from tqdm import tqdm

    with tqdm(desc=what, unit=unit, disable=quiet or None, file=sys.stderr, leave=False) as bar:

        def update(done: int, total: int | None, what: str = "", /) -> None:
            signals.check()
            if total is not None:
                bar.total = total
            if what:
                bar.set_postfix_str(what, refresh=False)
            bar.update(done - bar.n)

        yield update


def listed(lines: list[str], most: int = 8) -> list[str]:
    """The first few of many lines."""
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more"]


def lost_lines(found: Any) -> list[str]:
    """Which seconds are lost, in words, if any are: of everything or the picture, of landmarks, of sound, of
    the layer and the heads of layered files (not all reports have these)."""
    return [
        f"{what}: {', '.join(listed([f'{start:.2f} to {end:.2f} s' for start, end in stretches]))}"
        for what, stretches in (
            ("lost in time", found.lost),
            ("landmarks lost and concealed", found.lost_landmarks),
            ("sound lost", found.lost_sound),
            ("layer lost", getattr(found, "lost_layer", ())),
            ("heads lost", getattr(found, "lost_heads", ())),
        )
        if stretches
    ]
