"""``neurocodec batch``: the commands; what they do is in :mod:`neurocodec.batch.folder`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from neurocodec.commands.shared import progress
from neurocodec.option_text import decode_settings, encode_settings


def common(command: Any) -> Any:
    """The options both commands have."""
    for option in reversed(
        (
            click.argument("in_dir", type=click.Path(path_type=Path)),
            click.argument("out_dir", type=click.Path(path_type=Path)),
            click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
                         help="An option of the action."),
            click.option("--jobs", type=int, default=0, show_default=True,
                         help="Worker processes; 0: one for each core."),
            click.option("--engine", type=click.Choice(["processes", "dask"]), default="processes",
                         show_default=True, help="Here, or on the workers of a Dask scheduler."),
            click.option("--scheduler", metavar="ADDRESS",
                         help="Dask's scheduler, as tcp://HOST:PORT."),
            click.option("-f", "--force", is_flag=True, help="Do everything again, replace what is there."),
            click.option("-q", "--quiet", is_flag=True, help="No progress bar."),
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def batch() -> None:
    """Encode or decode whole folders; resumes where it was broken off.

    \b
    Examples:
      neurocodec batch encode calls/ coded/ --set audio_bitrate=16000
      neurocodec batch decode coded/ pictures/ --jobs 4
      neurocodec batch encode calls/ coded/ --engine dask --scheduler tcp://10.0.0.1:8786
    """


@batch.command()
@common
def encode(settings: tuple[str, ...], **arguments: Any) -> None:
    """Encode every video of IN_DIR and its subfolders into an .nfc file in OUT_DIR.

    --set takes any option of 'neurocodec encode'.  Files that failed are listed at the end; the exit code
    is 1 then.
    """
    from neurocodec.options import EncodeOptions

    options = EncodeOptions(**encode_settings(settings))
    options.resolved()
    _run("encode", options, **arguments)


@batch.command()
@common
def decode(settings: tuple[str, ...], **arguments: Any) -> None:
    """Decode every .nfc file of IN_DIR and its subfolders into an MP4 in OUT_DIR.

    --set takes any option of 'neurocodec decode'.  Files that failed, or were decoded with losses, are
    listed at the end; the exit code is 1 then.
    """
    from neurocodec.options import DecodeOptions

    _run("decode", DecodeOptions(**decode_settings(settings)).resolved(), **arguments)


def _run(
    action: str, options: Any, in_dir: Path, out_dir: Path, jobs: int, engine: str, scheduler: str | None,
    force: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    from neurocodec.batch.folder import check, run_batch
    from neurocodec.batch.workers import threads_for, workers

    chosen = workers(engine, jobs, scheduler)
    with progress(action, quiet, " files") as update:
        report = run_batch(
            action, in_dir, out_dir, options, chosen, threads=partial(threads_for, engine, jobs),
            force=force, progress=update,
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        click.echo(f"{len(report.done)} done, {len(report.skipped)} done before, {len(report.failed)} failed")
        for name, reason in report.failed:
            click.echo(f"  {name}: {reason}")
    check(report)
