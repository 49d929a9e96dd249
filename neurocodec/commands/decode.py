"""``neurocodec decode``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from neurocodec.commands.groups import EXIT_CODES
from neurocodec.commands.options import (
    GroupedCommand,
    device_option,
    force_option,
    json_option,
    option_group,
    options_of,
    quiet_option,
    threads_option,
)
from neurocodec.commands.output import emit, listed, lost_lines, note, progress
from neurocodec.commands.pipes import input_of, output_of
from neurocodec.errors import DecodedWithLosses
from neurocodec.options import DecodeOptions

if TYPE_CHECKING:
    from neurocodec.decoding.report import DecodeReport

GROUPS = {
    "Basic options": "start duration size format crf model strict",
    "Limits": "size_limit frame_limit chunk_limit",
}


@click.command(cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("source", metavar="IN.nfc")
@click.argument("target", metavar="OUT")
@options_of(DecodeOptions, GROUPS)
@option_group("Running", device_option, threads_option, force_option, quiet_option, json_option)
def decode(source: str, target: str, force: bool, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Decode IN.nfc (or - for a pipe) into OUT (or -): an MP4 with picture and sound, or another format.

    \b
    Examples:
      neurocodec decode call.nfc call.mp4
      neurocodec decode lecture.nfc part.mp4 --start 60 --duration 10
      neurocodec decode archive.nfc whole.mp4 --strict
      cat call.nfc | neurocodec decode - - | ffplay -
      neurocodec decode call.nfc lossless.mkv
      neurocodec decode call.nfc - --format y4m | x265 --y4m - -o call.hevc
      neurocodec decode call.nfc pictures/
    """
    options = DecodeOptions(**settings).resolved()
    from neurocodec.api import decode as run

    with progress("decoding", quiet) as update:
        report = run(input_of(source), output_of(target), options, force=force, progress=update)
    for text in report.notes:
        note(text)
    emit(report.as_dict(), as_json, lambda: _decode_lines(report), err=target == "-")
    if report.losses:
        raise DecodedWithLosses("; ".join([*listed(report.losses), *lost_lines(report)]))


def _decode_lines(r: DecodeReport) -> list[str]:
    held = f", {r.concealed} of them concealed" if r.concealed else ""
    held += f", {r.held} held in place of lost ones" if r.held else ""
    return [
        f"{r.frames} frames of {r.width}x{r.height}{held}, {r.seconds:.2f} s, "
        f"{r.frames / r.seconds:.1f} frames/s"
    ]
