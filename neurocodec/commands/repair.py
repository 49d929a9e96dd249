"""``neurocodec repair``."""

from __future__ import annotations

from pathlib import Path

import click

from neurocodec.commands.groups import EXIT_CODES
from neurocodec.commands.options import chunk_limit_option, force_option, frame_limit_option, json_option
from neurocodec.commands.output import emit, listed, note
from neurocodec.commands.pipes import input_of, output_of
from neurocodec.errors import UsageError
from neurocodec.options import DecodeOptions


@click.command(epilog=EXIT_CODES)
@click.argument("source", metavar="FILE.nfc")
@click.argument("target", metavar="[OUT.nfc]", required=False)
@frame_limit_option
@chunk_limit_option
@force_option
@json_option
def repair(
    source: str, target: str | None, frame_limit: int, chunk_limit: int, force: bool, as_json: bool
) -> None:
    """Write the intact parts of FILE.nfc, damaged or cut off, as a valid file (FILE.repaired.nfc).

    The broken end is dropped, the index made anew. Blocks whose references are lost keep their sound and the
    frames that need none of these; timestamps stay. FILE itself is not touched. Works, too, on what an
    interrupted encode leaves (OUT.nfc.part).

    \b
    Examples:
      neurocodec repair broken.nfc
      neurocodec repair call.nfc.part call.nfc
    """
    limits = DecodeOptions(frame_limit=frame_limit, chunk_limit=chunk_limit).resolved().limits
    if target is None:
        if source == "-":
            raise UsageError("name an output: the input is a pipe")
        target = str(Path(source).with_suffix(".repaired.nfc"))
    from neurocodec.inspect.repair import repair as run

    report = run(input_of(source), output_of(target), force=force, limits=limits)
    for loss in listed(report.losses):
        note(loss)
    dropped = f", {report.frames_dropped} frames dropped" if report.frames_dropped else ""
    emit(
        report.as_dict(), as_json, err=target == "-",
        lines=lambda: [f"{report.blocks} blocks, {report.frames} frames, {report.bytes} bytes{dropped}"],
    )  # fmt: skip
