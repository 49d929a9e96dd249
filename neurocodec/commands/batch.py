"""``neurocodec batch``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.options import PATH, json_option, quiet_option, worker_options
from neurocodec.commands.output import emit, progress
from neurocodec.option_text import decode_settings, encode_settings


def common(command: Any) -> Any:
    """The arguments and options that both commands have."""
    for option in (
        json_option,
        quiet_option,
        click.option("-f", "--force", is_flag=True, help="Do everything again, replace what is there."),
        worker_options,
        click.option(
            "--set", "settings", multiple=True, metavar="NAME=VALUE", help="An option of the action."
        ),
        click.argument("out_dir", type=PATH),
        click.argument("in_dir", type=PATH),
    ):
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
    options.settings()
    _run("encode", options, **arguments)


@batch.command()
@common
def decode(settings: tuple[str, ...], **arguments: Any) -> None:
    """Decode every .nfc file of IN_DIR and its subfolders into an MP4 (or --set format=...) in OUT_DIR.

    --set takes any option of 'neurocodec decode'.  Files that failed, or were decoded with losses, are
    listed at the end; the exit code is 1 then.
    """
    from neurocodec.options import DecodeOptions

    _run("decode", DecodeOptions(**decode_settings(settings)).resolved(), **arguments)


def _run(
    action: str, options: Any, in_dir: Path, out_dir: Path, jobs: int, engine: str, scheduler: str | None,
    force: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    from neurocodec.batch.folder import run_batch
    from neurocodec.batch.workers import workers

    with progress(action, quiet, " files") as update:
        report = run_batch(
            action, in_dir, out_dir, options, workers(engine, jobs, scheduler), force=force, progress=update
        )
    emit(report.as_dict(), as_json, report.lines)
    report.check()
