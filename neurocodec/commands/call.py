"""``neurocodec call``: the command."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurocodec.errors import InputError, NeurocodecError, OutputError, UsageError

if TYPE_CHECKING:
    from neurocodec.call.link import LinkOptions

_UNITS = {
    "bandwidth": {"": 1.0, "bps": 1.0, "kbps": 1e3, "mbps": 1e6, "kbit/s": 1e3, "mbit/s": 1e6},
    "loss": {"": 1.0, "%": 0.01},
    "delay": {"": 1.0, "s": 1.0, "ms": 1e-3},
    "jitter": {"": 1.0, "s": 1.0, "ms": 1e-3},
}
MOST_SECONDS = 60.0


def quantity(kind: str, text: str) -> float:
    """``40kbps``, ``2%``, ``80ms`` as bit/s, a share, seconds.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z%/]*)\s*", text)
    units = _UNITS[kind]
    if not found or found[2].lower() not in units:
        known = ", ".join(u for u in units if u)
        raise UsageError(f"{text!r} is no {kind}; write a number and one of {known}")
    return float(found[1]) * units[found[2].lower()]


def sweep_values(text: str) -> tuple[str, list[str]]:
    """``loss=0,1,2%`` as the option's name and its values; a unit at the end holds for all.

    Raises:
        UsageError: another option, or no value.
    """
    name, equals, rest = text.partition("=")
    name = name.strip()
    if name not in _UNITS or not equals or not rest.strip():
        raise UsageError(
            f"{text!r} cannot be swept; write one of {', '.join(_UNITS)} and values: loss=0,1,2%"
        )
    unit = re.sub(r"[0-9.,\s]", "", rest.rsplit(",", 1)[-1])
    values = [v.strip() for v in rest.split(",")]
    values = [v if re.search(r"[a-zA-Z%]", v) else v + unit for v in values]
    for value in values:
        quantity(name, value)
    return name, values


class NothingShown(NeurocodecError):
    """A call in which no picture ever appeared."""


@click.command()
@click.argument("video", metavar="VIDEO", type=click.Path(path_type=Path))
@click.option("--bandwidth", default="40kbps", show_default=True, help="Of the link; 0: unlimited.")
@click.option("--loss", default="0%", show_default=True, help="Share of packets that is lost.")
@click.option("--delay", default="80ms", show_default=True, help="One way.")
@click.option("--jitter", default="20ms", show_default=True, help="Standard deviation of the delay.")
@click.option(
    "--trace", type=click.Path(path_type=Path), metavar="FILE",
    help="Bandwidth over time instead: a CSV of seconds and kbit/s.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is random.")
@click.option("--buffer", metavar="TIME", help="Fixed margin of the jitter buffer.  [default: adaptive]")
@click.option("--landmarks", type=click.Choice(["learned", "68"]), default="learned", show_default=True)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Of the video that are sent.")
@click.option(
    "--compute", default="12,30,40", show_default=True, metavar="MS,MS,MS|measured",
    help="Milliseconds for measuring a frame, for rendering one, for judging one, or this machine's.",
)  # fmt: skip
@click.option("--realtime", is_flag=True, help="Two processes over UDP on this machine, in real time.")
@click.option("--sweep", metavar="NAME=VALUES", help="Try several values: loss=0,1,2,5,10%")
@click.option("--out", type=click.Path(path_type=Path), metavar="OUT.mp4", help="The received video.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), metavar="OUT.png", help="Over time.")
@click.option("--model", metavar="NAME|FILE", help="Motion model.  [default: talk256]")
@click.option("--threads", type=int, metavar="N", help="CPU threads, 1 to 256.  [default: all cores]")
@click.option("-f", "--force", is_flag=True, help="Replace existing outputs.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def call(video: Path, as_json: bool, **settings: Any) -> None:
    """Send VIDEO through a simulated link and say what the call was like.

    Sender and receiver exchange RTP packets.  On the virtual clock the result depends on the seed alone (and
    on --compute measured); --realtime runs both ends as processes.

    \b
    Examples:
      neurocodec call talk.mp4 --bandwidth 40kbps --loss 2% --delay 80ms --jitter 20ms
      neurocodec call talk.mp4 --loss 5% --out received.mp4 --plot call.png
      neurocodec call talk.mp4 --sweep loss=0,1,2,5,10% --plot loss.png
    """
    from neurocodec.call import summary

    name, rows = run_call(video, **settings)
    if as_json:
        click.echo(json.dumps({name: [{"value": v, **s} for v, s in rows]} if name else rows[0][1], indent=2))
    elif name:
        click.echo("\n".join(summary.sweep_table(name, rows)))
    else:
        click.echo("\n".join(summary.lines(rows[0][1])))
    if all(s["first_picture_after"] is None for _, s in rows):
        raise NothingShown(
            "no picture ever got through: the link is too thin for a reference, or loses too much"
        )


def run_call(
    video: Path, *, bandwidth: str = "40kbps", loss: str = "0%", delay: str = "80ms", jitter: str = "20ms",
    trace: Path | None = None, seed: int = 1, buffer: str | None = None, landmarks: str = "learned",
    seconds: float = 10.0, compute: str = "12,30,40", realtime: bool = False, sweep: str | None = None,
    out: Path | None = None, plot_path: Path | None = None, model: str | None = None,
    threads: int | None = None, force: bool = False,
) -> tuple[str | None, list[tuple[str, dict[str, Any]]]]:  # fmt: skip
    """Do what the command does: the option swept, if any, and a summary for each of its values.

    Raises:
        UsageError, InputError, OutputError: for bad settings, a bad video, outputs that exist.
    """
    from neurocodec.call import summary
    from neurocodec.call.link import LinkOptions, Trace
    from neurocodec.call.sender import SenderOptions
    from neurocodec.call.simulate import ComputeTimes, measured_times, simulate
    from neurocodec.files.atomic import AtomicFile
    from neurocodec.files.figures import rendered
    from neurocodec.models import files as models
    from neurocodec.models.engine import Engine
    from neurocodec.models.feedback import MeasuredFeedback
    from neurocodec.models.landmark_driven import DrivenEngine

    if not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"seconds must lie between 0 and {MOST_SECONDS:g}")
    if sweep and (realtime or out):
        raise UsageError("--sweep goes neither with --realtime nor with --out")
    for path in (out, plot_path):
        if path and path.exists() and not force:
            raise OutputError(f"{path} exists; use -f to replace it")
    link = LinkOptions(
        quantity("bandwidth", bandwidth), quantity("loss", loss), quantity("delay", delay),
        quantity("jitter", jitter), Trace.read(trace) if trace else None,
    ).checked()  # fmt: skip
    name, values = sweep_values(sweep) if sweep else (None, [""])
    margin = None if buffer is None else quantity("delay", buffer)
    description = models.find(model or models.DEFAULT_MOTION, "motion")
    pictures, fps = read_squares(video, description.size, seconds)
    chosen = models.find(models.DEFAULT_LANDMARKS, "landmarks") if landmarks == "68" else None
    rows = []
    judge = MeasuredFeedback(models.find(models.DEFAULT_FEEDBACK, "feedback"))
    if realtime:
        from neurocodec.call.realtime import run_realtime

        result = run_realtime(description, chosen, pictures, fps, link, seed, _sender(link), margin, threads)
        results = [result]
    else:
        engine = (
            DrivenEngine(description, chosen, threads=threads)
            if chosen
            else Engine(description, threads=threads)
        )
        times = (
            measured_times(engine, judge, pictures)
            if compute == "measured"
            else _compute(compute, ComputeTimes)
        )
        results = []
        for value in values:
            changed: dict[str, Any] = {name: quantity(name, value)} if name else {}
            tried = replace(link, **changed).checked()
            options: SenderOptions = _sender(tried)
            results.append(simulate(engine, judge, pictures, fps, tried, seed, options, times, margin))
    for value, result in zip(values, results, strict=True):
        rows.append((value, summary.summarize(result, pictures, fps, judge.meter)))
    if plot_path:
        figure = (
            summary.sweep_plot(name, rows)
            if name
            else summary.plot(results[0], rows[0][1], fps, f"{video.name}, {_words(link)}")
        )
        with AtomicFile(str(plot_path), force) as output:
            output.file.write(rendered(figure, "png"))
    if out:
        write_received(out, results[0].shown, description.size, fps, force)
    return name, rows


def _sender(link: LinkOptions) -> Any:
    from neurocodec.call.sender import SenderOptions

    most = max(link.trace.rates) if link.trace else link.bandwidth
    return SenderOptions(rate=min(most, SenderOptions.rate) if most else SenderOptions.rate)


def _words(link: LinkOptions) -> str:
    rate = "trace" if link.trace else f"{link.bandwidth / 1000:g} kbit/s" if link.bandwidth else "unlimited"
    return f"{rate}, loss {100 * link.loss:g} %, {1000 * link.delay:g} ms ± {1000 * link.jitter:g} ms"


def _compute(text: str, times: Any) -> Any:
    """Three numbers of milliseconds."""
    try:
        first, second, third = (float(v) / 1000 for v in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} is neither three numbers of milliseconds nor 'measured'") from None
    if not all(0 <= v <= 10 for v in (first, second, third)):
        raise UsageError("computing times must lie between 0 and 10000 ms")
    return times(first, second, third)


def read_squares(video: Path, side: int, seconds: float) -> tuple[list[Any], float]:
    """The first pictures of a video, fitted to the model's square as encode does, and its frame rate.

    Raises:
        InputError: the video cannot be read or has fewer than two pictures.
    """
    from fractions import Fraction

    from neurocodec.format.header import HASH_BYTES, Colour, Fit, Header, LandmarkCode
    from neurocodec.media.reader import MediaReader
    from neurocodec.media.square import pad
    from neurocodec.media.types import AudioPacket

    pictures: list[Any] = []
    with MediaReader(video, audio=False) as reader:
        info = reader.video
        fps = float(info.fps)
        place = Header(
            info.width, info.height, info.sar.limit_denominator(1 << 20), 0, Fit.LETTERBOX, Fraction(1, 25),
            Fraction(25), 0, Colour(), "x", bytes(HASH_BYTES), side, 1, 1, LandmarkCode.GOLOMB,
        ).content()  # fmt: skip
        for item in reader:
            if isinstance(item, AudioPacket):
                continue
            if len(pictures) >= seconds * fps:
                break
            pictures.append(pad(item.to_rgb(place.width, place.height), place, side))
    if len(pictures) < 2:
        raise InputError(f"{video} has {len(pictures)} pictures; a call needs at least 2")
    return pictures, fps


def write_received(path: Path, shown: list[Any], side: int, fps: float, force: bool) -> None:
    """The call as the receiver saw it, black until the first picture, on the receiver's clock."""
    from fractions import Fraction

    import numpy as np

    from neurocodec.decoding.video import COMMENT
    from neurocodec.media.color import ColorInfo
    from neurocodec.media.writer import MediaWriter

    black = np.zeros((side, side, 3), np.uint8)
    with MediaWriter(
        path, width=side, height=side, time_base=Fraction(1, 90000),
        fps=Fraction(fps).limit_denominator(1001), color=ColorInfo(1, 1, 1, False), force=force,
        metadata={"comment": COMMENT},
    ) as writer:  # fmt: skip
        last = -1
        writer.write_video(black, 0)
        last = 0
        for item in shown:
            pts = max(last + 1, round(item.time * 90000))
            writer.write_video(black if item.picture is None else item.picture, pts)
            last = pts
