"""``neurocodec encode``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from neurocodec.commands.groups import EXIT_CODES
from neurocodec.commands.options import (
    SIZE,
    GroupedCommand,
    device_option,
    force_option,
    json_option,
    option_group,
    quiet_option,
    threads_option,
)
from neurocodec.commands.output import emit, note, progress
from neurocodec.commands.pipes import input_of, output_of
from neurocodec.options import (
    AUDIO_MODES,
    DEFAULT_FEEDBACK,
    DEFAULT_LANDMARKS,
    DEFAULT_MOTION,
    DEFAULT_QUALITY,
    DEFAULT_SMOOTHING,
    FIRST_REFERENCES,
    JPEG_QUALITY,
    LANDMARK_CODES,
    LANDMARKS,
    ORIGINAL_FEEDBACK,
    ORIGINAL_MOTION,
    ORIGINAL_QUANTIZATION,
    PROFILES,
    REFERENCE_CODECS,
    REFRESHES,
    REGIONS,
    EncodeOptions,
    quantization_at,
    reference_quality_at,
)

if TYPE_CHECKING:
    from neurocodec.encoding.report import EncodeReport

BASIC = option_group(
    "Basic options",
    click.option(
        "--quality",
        type=float,
        metavar="0-100",
        help="Sets quantization, reference quality and the price of references together.  "
        f"[default: {DEFAULT_QUALITY:g}]",
    ),
    click.option("--target-kbps", type=float, metavar="RATE", help="Find the quality that gives this rate."),
    click.option(
        "--target-lpips",
        type=float,
        metavar="DISTANCE",
        help="Find the quality that gives this mean distance (neurocodec's own estimate of LPIPS).",
    ),
    click.option("--max-size", type=SIZE, help="Find the best quality that fits in this many bytes (k, M)."),
    click.option(
        "--region",
        type=click.Choice(REGIONS),
        default=EncodeOptions.region,
        show_default=True,
        help="Code the full picture, or a square around the face.",
    ),
    click.option(
        "--audio",
        type=click.Choice(AUDIO_MODES),
        default=EncodeOptions.audio,
        show_default=True,
        help="Code the sound with Opus, copy it as it is, or leave it out.",
    ),
    click.option(
        "--audio-bitrate",
        type=int,
        default=EncodeOptions.audio_bitrate,
        show_default=True,
        help="Of Opus, in bit/s.",
    ),
)
REFERENCES = option_group(
    "References",
    click.option(
        "--refresh",
        type=click.Choice(REFRESHES),
        help="Place references by looking ahead, or by the original's schedule.  "
        "[default: lookahead; original: schedule]",
    ),
    click.option(
        "--gap",
        type=int,
        default=EncodeOptions.gap,
        show_default=True,
        help="Frames between verdicts and refresh decisions.",
    ),
    click.option(
        "--alpha",
        type=float,
        default=EncodeOptions.alpha,
        show_default=True,
        help="Refresh when the verdict on a rendering (1 = perfect) is at most this.",
    ),
    click.option(
        "--feedback",
        metavar="NAME|FILE",
        help="Network that gives the verdict on renderings.  "
        f"[default: {DEFAULT_FEEDBACK}; original: {ORIGINAL_FEEDBACK}, where imported]",
    ),
    click.option(
        "--reference-codec",
        type=click.Choice(REFERENCE_CODECS),
        help="Still codec of references.  [default: av1; original: jpeg]",
    ),
    click.option(
        "--reference-quality",
        type=float,
        metavar="0-100",
        help="Quality of references.  "
        f"[default: by quality, {reference_quality_at(DEFAULT_QUALITY):g} at {DEFAULT_QUALITY:g}; "
        f"jpeg: {JPEG_QUALITY:g}]",
    ),
    click.option(
        "--reference-period",
        type=float,
        default=EncodeOptions.reference_period,
        show_default=True,
        metavar="SECONDS",
        help="A new reference at least this often; bounds how far back random access must read.",
    ),
    click.option(
        "--first-reference",
        type=click.Choice(FIRST_REFERENCES),
        default=EncodeOptions.first_reference,
        show_default=True,
        help="The first frame, or the one of its five seconds that looks ahead, eyes open, mouth closed.",
    ),
)
KEYPOINTS = option_group(
    "Keypoints",
    click.option(
        "--quantization",
        type=int,
        help="Factor of the keypoints (in [-1,1]) before rounding: more is finer.  "
        f"[default: by quality, {quantization_at(DEFAULT_QUALITY)} at {DEFAULT_QUALITY:g}; "
        f"original: {ORIGINAL_QUANTIZATION}]",
    ),
    click.option(
        "--smoothing",
        type=float,
        help=f"Bits against accuracy in rounding; 0 only rounds.  [default: {DEFAULT_SMOOTHING:g}]",
    ),
    click.option(
        "--landmark-code",
        type=click.Choice(LANDMARK_CODES),
        help="Code of the landmark packets; range falls back to golomb where that is smaller.  "
        "[default: range; original: original]",
    ),
    click.option(
        "--landmarks",
        type=click.Choice(LANDMARKS),
        default=EncodeOptions.landmarks,
        show_default=True,
        help="Code the model's own keypoints, or 68 facial landmarks that drive it.",
    ),
    click.option(
        "--landmark-model", metavar="NAME|FILE", help=f"For --landmarks 68.  [default: {DEFAULT_LANDMARKS}]"
    ),
    click.option(
        "--model",
        metavar="NAME|FILE",
        help=f"Motion model.  [default: {DEFAULT_MOTION}; original: {ORIGINAL_MOTION}]",
    ),
)
ORIGINAL = option_group(
    "The original codec",
    click.option(
        "--profile",
        type=click.Choice(PROFILES),
        default=EncodeOptions.profile,
        show_default=True,
        help="'original': the original codec's schedule, Golomb code, JPEG references and networks.",
    ),
)
RUNNING = option_group(
    "Running",
    device_option,
    threads_option,
    click.option("--verify", is_flag=True, help="Read the written file again and compare."),
    force_option,
    quiet_option,
    json_option,
)


@click.command(cls=GroupedCommand, epilog=EXIT_CODES)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.nfc")
@BASIC
@REFERENCES
@KEYPOINTS
@ORIGINAL
@RUNNING
def encode(
    source: str, target: str, verify: bool, force: bool, quiet: bool, as_json: bool, **settings: Any
) -> None:
    """Encode the video IN (any file FFmpeg reads, or - for a pipe) into OUT.nfc (or -).

    \b
    Examples:
      neurocodec encode call.mp4 call.nfc
      neurocodec encode lecture.mkv lecture.nfc --region face --audio-bitrate 24000
      neurocodec encode in.mp4 small.nfc --quality 20
      neurocodec encode in.mp4 exact.nfc --audio none --target-kbps 4
      neurocodec encode in.mp4 old.nfc --profile original --model talk256
      cat in.mkv | neurocodec encode - - > out.nfc
    """
    options = EncodeOptions(**settings)
    options.resolved()
    from neurocodec.api import encode as run

    with progress("encoding", quiet) as update:
        report = run(
            input_of(source), output_of(target), options, force=force, verify=verify, progress=update
        )
    for text in report.notes:
        note(text)
    emit(report.as_dict(), as_json, lambda: _encode_lines(report), err=target == "-")


def _encode_lines(r: EncodeReport) -> list[str]:
    b = r.bytes
    verified = ", verified" if r.verified else ""
    return [
        f"{r.frames} frames, {r.duration:.2f} s, {r.references} references, "
        f"model {r.model}, feedback {r.feedback}{verified}",
        f"{b['total']} bytes = {r.kbps['total']:.2f} kbit/s ({r.kbps['video']:.2f} without sound)",
        f"references {b['references']}, landmarks {b['landmarks']}, audio {b['audio']}, "
        f"overhead {b['overhead']} bytes",
        f"{r.seconds:.2f} s, {r.frames / r.seconds:.1f} frames/s",
    ]
