"""``neurocodec encode``."""

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
from neurocodec.commands.output import emit, note, progress
from neurocodec.commands.pipes import input_of, output_of
from neurocodec.options import EncodeOptions

if TYPE_CHECKING:
    from neurocodec.encoding.report import EncodeReport

GROUPS = {
    "Basic options": "quality target_kbps target_lpips worst_lpips max_size region effort start duration "
    "audio audio_bitrate audio_track metadata",
    "References": "refresh gap alpha feedback "
    "reference_codec reference_quality reference_period first_reference",
    "Keypoints": "quantization smoothing landmark_code landmarks landmark_model model",
    "The original codec": "profile",
}


@click.command(cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.nfc")
@options_of(EncodeOptions, GROUPS)
@option_group(
    "Running",
    device_option,
    threads_option,
    click.option("--verify", is_flag=True, help="Read the written file again and compare."),
    force_option,
    quiet_option,
    json_option,
)
def encode(
    source: str, target: str, verify: bool, force: bool, quiet: bool, as_json: bool, **settings: Any
) -> None:
    """Encode the video IN (any file FFmpeg reads, or - for a pipe) into OUT.nfc (or -).

    \b
    Examples:
      neurocodec encode call.mp4 call.nfc
      neurocodec encode lecture.mkv lecture.nfc --region face --audio-bitrate 24000
      neurocodec encode in.mp4 small.nfc --quality 20
      neurocodec encode in.mp4 part.nfc --start 60 --duration 10
      neurocodec encode in.mp4 target.nfc --audio none --target-kbps 5
      neurocodec encode in.mp4 old.nfc --profile original --model talk256
      cat in.mkv | neurocodec encode - - > out.nfc
    """
    options = EncodeOptions(**settings)
    options.settings()
    from neurocodec.api import encode as run

    with progress("encoding", quiet) as update:
        report = run(
            input_of(source),
            output_of(target),
            options,
            force=force,
            verify=verify,
            progress=update,
            stage=lambda what: update(0, None, what),
        )
    for text in report.notes:
        note(text)
    emit(report.as_dict(), as_json, lambda: _encode_lines(report), err=target == "-")


def _encode_lines(r: EncodeReport) -> list[str]:
    b = r.bytes
    verified = ", verified" if r.verified else ""
    coded = f"{r.references} references"
    parts = f"references {b['references']}"
    if "layer" in b:
        heads = f"{r.heads} head{'s' * (r.heads != 1)}"
        coded = f"{r.layer_pictures} pictures in the layer ({r.layer_scale}), {heads}"
        parts = f"layer {b['layer']}"
    return [
        f"{r.frames} frames, {r.duration:.2f} s, {coded}, model {r.model}, feedback {r.feedback}{verified}",
        f"{b['total']} bytes = {r.kbps['total']:.2f} kbit/s ({r.kbps['video']:.2f} without sound)",
        f"{parts}, landmarks {b['landmarks']}, audio {b['audio']}, overhead {b['overhead']} bytes",
        f"{r.seconds:.2f} s, {r.frames / r.seconds:.1f} frames/s",
    ]
