"""A call as a user asks for it: one, or one for each of several values; the received video, the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from neurocodec.call import summary
from neurocodec.call.link import LinkOptions, Trace
from neurocodec.call.quantities import quantity, sweep_values
from neurocodec.call.realtime import run_realtime
from neurocodec.call.receiver import Shown
from neurocodec.call.sender import USUAL_RATE
from neurocodec.call.simulate import Call, ComputeTimes, measured_times, simulate
from neurocodec.decoding.video import COMMENT
from neurocodec.errors import InputError, UsageError
from neurocodec.files.atomic import refuse_existing, write_whole
from neurocodec.files.figures import rendered
from neurocodec.media.color import BT709
from neurocodec.media.frames import read_letterboxed
from neurocodec.media.writer import MediaWriter
from neurocodec.models import model_files as models
from neurocodec.models.engines import open_engine
from neurocodec.models.feedback import DistanceFeedback
from neurocodec.options import DEFAULT_FEEDBACK, DEFAULT_LANDMARKS, DEFAULT_MOTION

MOST_SECONDS = 60.0
_CLOCK = 90_000
"""Units a second of the received video's times."""


def run_call(
    video: Path, *, bandwidth: str = "40kbps", loss: str = "0%", delay: str = "80ms", jitter: str = "20ms",
    trace: Path | None = None, seed: int = 1, buffer: str | None = None, landmarks: str = "learned",
    seconds: float = 10.0, compute: str = "12,30,40", realtime: bool = False, sweep: str | None = None,
    out: Path | None = None, plot_path: Path | None = None, model: str | None = None,
    threads: int | None = None, force: bool = False,
) -> tuple[str | None, list[tuple[str, dict[str, Any]]]]:  # fmt: skip
    """Send a video through a link: the option swept, if any, and a summary for each of its values.

    Quantities are texts as :func:`~neurocodec.call.quantities.quantity` has them; ``compute`` is three
    numbers of milliseconds, or ``measured``.

    Raises:
        UsageError, InputError, OutputError: for bad settings, a bad video, outputs that exist.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"seconds must lie between 0 and {MOST_SECONDS:g}")
    if sweep and (realtime or out):
        raise UsageError("--sweep goes neither with --realtime nor with --out")
    refuse_existing((out, plot_path), force)
    link = LinkOptions(
        quantity("bandwidth", bandwidth), quantity("loss", loss), quantity("delay", delay),
        quantity("jitter", jitter), Trace.read(trace) if trace else None,
    ).checked()  # fmt: skip
    name, values = sweep_values(sweep) if sweep else (None, [""])
    margin = None if buffer is None else quantity("delay", buffer)
    motion = models.find(model or DEFAULT_MOTION, "motion")
    pictures, rate = read_letterboxed(video, motion.size, seconds)
    if len(pictures) < 2:
        raise InputError(f"{video} has {len(pictures)} pictures; a call needs at least 2")
    fps = float(rate)
    driver = models.find(DEFAULT_LANDMARKS, "landmarks") if landmarks == "68" else None
    feedback = DistanceFeedback(models.find(DEFAULT_FEEDBACK, "feedback"))
    calls = []
    for value in values:
        changed: dict[str, Any] = {name: quantity(name, value)} if name else {}
        tried = replace(link, **changed).checked()
        calls.append(Call(pictures, fps, tried, seed, min(tried.best_rate, USUAL_RATE), margin))
    if realtime:
        results = [run_realtime(calls[0], motion, driver, threads)]
    else:
        engine = open_engine(motion, driver, threads=threads)
        times = measured_times(engine, feedback, pictures) if compute == "measured" else _times(compute)
        results = [simulate(engine, feedback, one, times) for one in calls]
    summaries = [summary.summarize(result, pictures, fps, feedback.distance) for result in results]
    rows = list(zip(values, summaries, strict=True))
    if plot_path:
        if name:
            figure = summary.sweep_plot(name, rows)
        else:
            figure = summary.plot(results[0], summaries[0], fps, f"{video.name}, {link.words}")
        write_whole(plot_path, rendered(figure, "png"), force)
    if out:
        write_received(out, results[0].shown, motion.size, fps, force)
    return name, rows


def _times(text: str) -> ComputeTimes:
    """Three numbers of milliseconds."""
    try:
        measuring, rendering, verdict = (float(v) / 1000 for v in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} is neither three numbers of milliseconds nor 'measured'") from None
    if not all(0 <= v <= 10 for v in (measuring, rendering, verdict)):
        raise UsageError("computing times must lie between 0 and 10000 ms")
    return ComputeTimes(measuring, rendering, verdict)


def write_received(path: Path, shown: Sequence[Shown], side: int, fps: float, force: bool) -> None:
    """The call as the receiver saw it, black until the first picture, on the receiver's clock.

    Raises:
        OutputError: it cannot be written.
    """
    black = np.zeros((side, side, 3), np.uint8)
    with MediaWriter(
        path, width=side, height=side, time_base=Fraction(1, _CLOCK),
        fps=Fraction(fps).limit_denominator(1001), color=BT709, force=force, metadata={"comment": COMMENT},
    ) as writer:  # fmt: skip
        writer.write_video(black, 0)
        last = 0
        for item in shown:
            last = max(last + 1, round(item.time * _CLOCK))
            writer.write_video(black if item.picture is None else item.picture, last)
