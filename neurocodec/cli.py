"""The command line: arguments in, one function of the API called, a report out.

Results go to stdout (JSON with ``--json``), progress and notes to stderr.  Nothing heavy is imported
before a command runs, so that help is quick.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from neurocodec import __version__, threads
from neurocodec.errors import (
    DecodedWithLosses,
    InputError,
    NeurocodecError,
    OutputError,
    UsageError,
)
from neurocodec.limits import CHUNK, FRAMES, PIXELS
from neurocodec.options import (
    AUDIO_MODES,
    FIRST_REFERENCES,
    LANDMARK_CODES,
    LANDMARKS,
    PROFILES,
    REFERENCE_CODECS,
    REFRESHES,
    REGIONS,
    DecodeOptions,
    EncodeOptions,
)
from neurocodec.options_text import scaled

if TYPE_CHECKING:
    from neurocodec.decoder import DecodeReport
    from neurocodec.encoder import EncodeReport
    from neurocodec.info import FileInfo

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


class _Group(click.Group):
    """Reports every error as one line on stderr with its exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        _signals.install()
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
            from neurocodec.media.atomic import is_write_error

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


_CLEANING = 5.0
"""Seconds that an interrupted command has before a further signal breaks it off."""


class _Signals:
    """Ends a command cleanly on Ctrl-C, ``kill`` and ``timeout``: no temporary file is left.

    An exception raised in a callback that FFmpeg made into Python would be printed and dropped.  So the
    signal is remembered until :meth:`check`, which runs with every frame; and where it arrives just as such
    a callback begins, it is delivered again a moment later.  Further ones are ignored for some seconds, for
    they would break off the cleaning up.
    """

    def __init__(self) -> None:
        self.number = 0
        self._deaf_until = 0.0

    def install(self) -> None:
        """Take over SIGINT and SIGTERM (in the main thread), of which none has come yet."""
        self.number, self._deaf_until = 0, 0.0
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._arrived)
            signal.signal(signal.SIGTERM, self._arrived)
            if hasattr(signal, "SIGALRM"):
                signal.signal(signal.SIGALRM, self._arrived)

    def rest(self) -> None:
        """At the end of Python, after an interruption: a further signal must not break that off."""
        if self.number:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if number in (signal.SIGINT, signal.SIGTERM):
            now = time.monotonic()
            if now < self._deaf_until:
                return
            self.number, self._deaf_until = number, now + _CLEANING
        if frame is not None and hasattr(signal, "setitimer"):
            in_callback = Path(frame.f_code.co_filename).name == "guard.py"
            if in_callback and frame.f_lineno == frame.f_code.co_firstlineno:
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                return
        self.check()

    def check(self) -> None:
        """End the command if a signal has come."""
        if self.number == signal.SIGTERM:
            sys.exit(128 + self.number)
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt


_signals = _Signals()
atexit.register(_signals.rest)


def _drop_results() -> None:
    """What is still buffered for a broken stdout must not fail again when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    if _signals.number == signal.SIGTERM:
        sys.exit(128 + signal.SIGTERM)
    if _signals.number == signal.SIGINT:  # whatever the interrupted code made of it
        message, code = "interrupted", 130
    line = " ".join(message.split())
    click.echo(f"neurocodec: error: {line}", err=True)
    sys.exit(code)


def _note(message: str) -> None:
    click.echo(f"neurocodec: {message}", err=True)


def _emit(result: dict[str, Any], as_json: bool, lines: Callable[[], list[str]], err: bool = False) -> None:
    text = json.dumps(result, indent=2) if as_json else "\n".join(lines())
    click.echo(text, err=err)


@contextmanager
def _progress(what: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    from tqdm import tqdm

    with tqdm(desc=what, unit=" frames", disable=quiet or None, file=sys.stderr, leave=False) as bar:

        def update(done: int, total: int | None) -> None:
            _signals.check()
            if total is not None and bar.total is None:
                bar.total = total
            bar.update(done - bar.n)

        yield update


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


def _chunk_limit(**more: Any) -> Any:
    return click.option(
        "--chunk-limit", default=CHUNK, show_default=True,
        help="Largest part of a file (five seconds) in bytes (k, M); about four times this is allocated.",
        **more,
    )  # fmt: skip


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="neurocodec")
def main() -> None:
    """A neural video codec for talking heads: a reference picture, then only landmarks.

    \b
    Examples:
      neurocodec encode in.mp4 out.nfc --quantization 100 --gap 5
      neurocodec decode out.nfc out.mp4
      neurocodec info out.nfc

    \b
    Shell completion (bash; zsh and fish alike):
      eval "$(_NEUROCODEC_COMPLETE=bash_source neurocodec)"
    """
    threads.spin()


def _input(path: str) -> Any:
    if path != "-":
        return path
    if sys.stdin is None:
        raise InputError("standard input is closed")
    from neurocodec.media.pipes import stoppable

    return stoppable(sys.stdin.buffer)


def _output(path: str) -> Any:
    if path != "-":
        return path
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    if sys.stdout.isatty():
        raise UsageError("refusing to write a binary file to a terminal; give a file or a pipe")
    return sys.stdout.buffer


class _Size(click.ParamType):
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


SIZE = _Size()


@main.command(epilog=EXIT_CODES)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.nfc")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="default",
    show_default=True,
    help="'original': the original codec's schedule, Golomb code, JPEG references and networks.",
)
@click.option(
    "--quality",
    type=float,
    metavar="0-100",
    help="Sets quantization, reference quality and the price of references together.  [default: 50]",
)
@click.option("--target-kbps", type=float, metavar="RATE", help="Find the quality that gives this rate.")
@click.option(
    "--target-lpips",
    type=float,
    metavar="DISTANCE",
    help="Find the quality that gives this mean distance (neurocodec's own estimate of LPIPS).",
)
@click.option("--max-size", type=SIZE, help="Find the best quality that fits in this many bytes (k, M).")
@click.option(
    "--quantization",
    type=int,
    help="Factor of the keypoints (in [-1,1]) before rounding: more is finer.  "
    "[default: by quality, 100 at 50; original: 100]",
)
@click.option("--smoothing", type=float, help="Bits against accuracy in rounding; 0 only rounds.")
@click.option(
    "--refresh",
    type=click.Choice(REFRESHES),
    help="Place references by looking ahead, or by the original's schedule.  "
    "[default: lookahead; original: schedule]",
)
@click.option(
    "--gap",
    type=int,
    default=5,
    show_default=True,
    help="Frames between verdicts and refresh decisions.",
)
@click.option(
    "--alpha",
    type=float,
    default=0.2,
    show_default=True,
    help="Refresh when the verdict on a rendering (1 = perfect) is at most this.",
)
@click.option("--model", metavar="NAME|FILE", help="Motion model.  [default: talk256; original: vox256]")
@click.option(
    "--feedback",
    metavar="NAME|FILE",
    help="Network that gives the verdict on renderings.  "
    "[default: likeness; original: classic-feedback, where imported]",
)
@click.option(
    "--audio",
    type=click.Choice(AUDIO_MODES),
    default="opus",
    show_default=True,
    help="Code the sound with Opus, copy it as it is, or leave it out.",
)
@click.option("--audio-bitrate", type=int, default=12000, show_default=True, help="Of Opus, in bit/s.")
@click.option(
    "--reference-codec",
    type=click.Choice(REFERENCE_CODECS),
    help="Still codec of references.  [default: av1; original: jpeg]",
)
@click.option(
    "--reference-quality",
    type=float,
    metavar="0-100",
    help="Quality of references.  [default: by quality, 22 at 50; jpeg: 95]",
)
@click.option(
    "--reference-period",
    type=float,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="A new reference at least this often; bounds how far back random access must read.",
)
@click.option(
    "--landmark-code",
    type=click.Choice(LANDMARK_CODES),
    help="Code of the landmark packets; range falls back to golomb where that is smaller.  "
    "[default: range; original: original]",
)
@click.option(
    "--first-reference",
    type=click.Choice(FIRST_REFERENCES),
    default="first",
    show_default=True,
    help="The first frame, or the one of its five seconds that looks ahead, eyes open, mouth closed.",
)
@click.option(
    "--landmarks",
    type=click.Choice(LANDMARKS),
    default="learned",
    show_default=True,
    help="Code the model's own keypoints, or 68 facial landmarks that drive it.",
)
@click.option("--landmark-model", metavar="NAME|FILE", help="For --landmarks 68.  [default: face68]")
@click.option(
    "--region",
    type=click.Choice(REGIONS),
    default="full",
    show_default=True,
    help="Code the full picture, or a square around the face.",
)
@device_option
@threads_option
@click.option("--verify", is_flag=True, help="Read the written file again and compare.")
@force_option
@quiet_option
@json_option
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

    with _progress("encoding", quiet) as update:
        report = run(_input(source), _output(target), options, force=force, verify=verify, progress=update)
    for note in report.notes:
        _note(note)
    _emit(report.as_dict(), as_json, lambda: _encode_lines(report), err=target == "-")


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


@main.command(epilog=EXIT_CODES)
@click.argument("source", metavar="IN.nfc")
@click.argument("target", metavar="OUT.mp4")
@click.option("--start", type=float, metavar="SECONDS", help="Begin here (seconds after the first frame).")
@click.option("--duration", type=float, metavar="SECONDS", help="Decode this much.")
@click.option(
    "--size",
    type=click.Choice(["model", "source"]),
    default="source",
    show_default=True,
    help="Give back the source's size, or the model's.",
)
@click.option(
    "--crf",
    type=float,
    default=16.0,
    show_default=True,
    help="Quality of the H.264 output; 16 is visually lossless.",
)
@click.option("--model", metavar="NAME|FILE", help="A further model to look at, when it is not installed.")
@click.option("--strict", is_flag=True, help="Refuse a damaged file instead of decoding what is left.")
@click.option(
    "--size-limit",
    type=SIZE,
    metavar="PIXELS",
    default=PIXELS,
    show_default=True,
    help="Refuse a file that asks for pictures of more pixels (k, M).",
)
@frame_limit_option
@_chunk_limit(type=SIZE)
@device_option
@threads_option
@force_option
@quiet_option
@json_option
def decode(source: str, target: str, force: bool, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Decode IN.nfc (or - for a pipe) into the MP4 OUT.mp4 (or -), with picture and sound.

    \b
    Examples:
      neurocodec decode call.nfc call.mp4
      neurocodec decode lecture.nfc part.mp4 --start 60 --duration 10
      neurocodec decode archive.nfc whole.mp4 --strict
      cat call.nfc | neurocodec decode - - | ffplay -
    """
    options = DecodeOptions(**settings).resolved()
    from neurocodec.api import decode as run

    with _progress("decoding", quiet) as update:
        report = run(_input(source), _output(target), options, force=force, progress=update)
    for note in report.notes:
        _note(note)
    _emit(report.as_dict(), as_json, lambda: _decode_lines(report), err=target == "-")
    if report.losses:
        raise DecodedWithLosses("; ".join([*_listed(report.losses), *_lost_lines(report)]))


def _decode_lines(r: DecodeReport) -> list[str]:
    held = f", {r.concealed} of them concealed" if r.concealed else ""
    held += f", {r.held} held in place of lost ones" if r.held else ""
    return [
        f"{r.frames} frames of {r.width}x{r.height}{held}, {r.seconds:.2f} s, "
        f"{r.frames / r.seconds:.1f} frames/s"
    ]


def _listed(lines: list[str], most: int = 8) -> list[str]:
    """The first few of many lines."""
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more"]


def _lost_lines(found: DecodeReport | FileInfo) -> list[str]:
    """Which seconds are lost, in words, if any are: of everything or the picture, of landmarks, of sound."""
    return [
        f"{what}: {', '.join(_listed([f'{start:.2f} to {end:.2f} s' for start, end in stretches]))}"
        for what, stretches in (
            ("lost in time", found.lost),
            ("landmarks lost and concealed", found.lost_landmarks),
            ("sound lost", found.lost_sound),
        )
        if stretches
    ]


@main.command(epilog=EXIT_CODES)
@click.argument("source", metavar="FILE.nfc")
@click.option("--packets", is_flag=True, help="List every frame's packet (with --json: its symbols).")
@frame_limit_option
@_chunk_limit(type=SIZE)
@json_option
def info(source: str, packets: bool, frame_limit: int, chunk_limit: int, as_json: bool) -> None:
    """Say what is in FILE.nfc (or - for a pipe): geometry, model, refreshes, bits by kind.

    \b
    Examples:
      neurocodec info call.nfc
      neurocodec info call.nfc --json | jq .kbps.total
      neurocodec info call.nfc --packets
    """
    from neurocodec.api import probe

    limits = DecodeOptions(frame_limit=frame_limit, chunk_limit=chunk_limit).resolved().limits
    found = probe(_input(source), packets=packets, limits=limits)
    _emit(found.as_dict(), as_json, lambda: _info_lines(found))
    if found.losses:
        raise DecodedWithLosses("; ".join([*_listed(found.losses), *_lost_lines(found)]))


def _latent_line(i: FileInfo) -> str:
    """The landmark model that drives the face, if there is one."""
    m = i.landmark_model
    return f", {m['values']} values of {m['name']} ({m['hash']})" if m else ""


def _info_lines(i: FileInfo) -> list[str]:
    b = i.bytes
    share = {k: f"{v} bytes ({100 * v / b['total']:.1f} %)" for k, v in b.items() if k != "total"}
    sound = (
        f"{i.audio['codec']}, {i.audio['sample_rate']} Hz, {i.audio['channels']} ch" if i.audio else "none"
    )
    lines = [
        f"format       version {i.format_version}, {i.blocks} blocks",
        f"picture      {i.width}x{i.height}, pixel aspect {i.sar}, rotation {i.rotation}, fit {i.fit}",
        f"time         {i.duration:.3f} s, {i.frames} frames at {i.fps:g} frames/s, time base {i.time_base}",
        f"model        {i.model} ({i.model_hash}), {i.model_size}x{i.model_size}, {i.keypoints} keypoints",
        f"coding       quantization {i.quantization}, landmark code {i.landmark_code}{_latent_line(i)}",
        f"sound        {sound}",
        f"total        {b['total']} bytes, {i.kbps['total']:.3f} kbit/s "
        f"({i.kbps['video']:.3f} without sound)",
        *(f"{kind:<12} {text}" for kind, text in share.items()),
        f"landmarks    {i.landmark_bits_per_frame:.1f} bits a frame",
        f"refreshes    {i.references}",
    ]
    lines += [
        f"  {r['time']:9.3f} s  frame {r['frame']:<7} {r['codec']} {r['bytes']} bytes" for r in i.refreshes
    ]
    for p in i.packets or []:
        lines.append(f"  frame {p['frame']:<7} {p['time']:9.3f} s  {p['kind']:<10} {p['bits']} bits")
    return lines


@main.command(epilog=EXIT_CODES)
@click.argument("source", metavar="FILE.nfc")
@click.argument("target", metavar="[OUT.nfc]", required=False)
@frame_limit_option
@_chunk_limit(type=SIZE)
@force_option
@json_option
def repair(
    source: str, target: str | None, frame_limit: int, chunk_limit: int, force: bool, as_json: bool
) -> None:
    """Write all that is whole of FILE.nfc, damaged or cut off, as a whole file (FILE.repaired.nfc).

    The broken end is dropped, the index made anew. Blocks whose references are lost keep their sound and what
    needs none of these; timestamps stay. FILE itself is not touched. Also for what an interrupted encode
    leaves (OUT.nfc.part).

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
    from neurocodec.api import repair as run

    report = run(_input(source), _output(target), force=force, limits=limits)
    for loss in _listed(report.losses):
        _note(loss)
    dropped = f", {report.frames_dropped} frames dropped" if report.frames_dropped else ""
    _emit(
        report.as_dict(), as_json, err=target == "-",
        lines=lambda: [f"{report.blocks} blocks, {report.frames} frames, {report.bytes} bytes{dropped}"],
    )  # fmt: skip


@main.group()
def models() -> None:
    """The models: list, show, import.

    \b
    Examples:
      neurocodec models list
      neurocodec models import vox.pth.tar
    """


@models.command("list")
@json_option
def models_list(as_json: bool) -> None:
    """List the shipped and the imported models."""
    from neurocodec.models import installed

    found = [m.as_dict() for m in installed()]
    _emit(
        {"models": found},
        as_json,
        lambda: [
            f"{m['name']:<20} {m['kind']:<9} {m['architecture']:<17} {m['hash'][:16]} "
            f"{'shipped' if m['shipped'] else 'imported'}"
            for m in found
        ],
    )


@models.command("show")
@click.argument("name", metavar="NAME|FILE")
@device_option
@threads_option
@json_option
def models_show(name: str, device: str, threads: int | None, as_json: bool) -> None:
    """Show the description of a model and what it costs, and check its weights."""
    from neurocodec.cost import cost_of
    from neurocodec.models import describe, installed, load
    from neurocodec.threads import use as use_threads

    model = next((m for m in installed() if m.name == name), None) or describe(Path(name))
    load(model)
    use_threads(threads)
    cost = cost_of(model, 0.2, device)
    result = {**model.as_dict(), **cost.as_dict()}
    _emit(result, as_json, lambda: [*(f"{k:<13} {v}" for k, v in model.as_dict().items()), *cost.lines()])


@models.command("benchmark")
@click.argument("names", metavar="[NAME|FILE]...", nargs=-1)
@click.option("--seconds", type=float, default=3.0, show_default=True, help="For each part of each model.")
@device_option
@threads_option
@json_option
def models_benchmark(
    names: tuple[str, ...], seconds: float, device: str, threads: int | None, as_json: bool
) -> None:
    """Operations, parameters, bytes and milliseconds of models (default: of all), measured at length."""
    if seconds <= 0:
        raise UsageError("--seconds must be positive")
    from neurocodec.cost import cost_of
    from neurocodec.models import describe, installed
    from neurocodec.threads import use as use_threads

    found = list(installed())
    chosen = [next((m for m in found if m.name == n), None) or describe(Path(n)) for n in names]
    use_threads(threads)
    costs = {m.name: cost_of(m, seconds, device) for m in chosen or found}
    _emit(
        {name: cost.as_dict() for name, cost in costs.items()},
        as_json,
        lambda: [line for name, cost in costs.items() for line in (name, *(f"  {x}" for x in cost.lines()))],
    )


@models.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the result.  [default: by its architecture]")
@force_option
@json_option
def models_import(source: Path, name: str | None, force: bool, as_json: bool) -> None:
    """Turn a published checkpoint into a safetensors model that encode and decode find.

    FILE is the motion model's vox.pth.tar, the original codec's feedback weights, or a model file made by
    neurocodec.  Pickled code is never run.

    \b
    Examples:
      neurocodec models import vox.pth.tar
      neurocodec models import checkpoints.model --name classic-feedback
    """
    from neurocodec.models import import_checkpoint

    model = import_checkpoint(source, name, force=force)
    _emit(model.as_dict(), as_json, lambda: [f"{model.name}: {model.architecture} -> {model.path}"])


def _register() -> None:
    """Commands that live in packages of their own."""
    from neurocodec.batch_command import batch
    from neurocodec.call.command import call
    from neurocodec.compare.command import compare
    from neurocodec.export_command import export
    from neurocodec.landmark_command import landmarks
    from neurocodec.training.command import train

    main.add_command(batch)
    main.add_command(call)
    main.add_command(compare)
    main.add_command(export)
    main.add_command(landmarks)
    main.add_command(train)


_register()
