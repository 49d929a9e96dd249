"""``neurocodec call``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.options import PATH, threads_option
from neurocodec.commands.output import emit
from neurocodec.errors import NeurocodecError
from neurocodec.options import DEFAULT_MOTION

SHORTEST = 2.0
"""Seconds of a clip that is long enough for a first picture to arrive over any usable link."""


class NothingShown(NeurocodecError):
    """A call in which no picture ever appeared."""


@click.command()
@click.argument("video", metavar="VIDEO", type=PATH)
@click.option("--bandwidth", default="40kbps", show_default=True, help="Of the link; 0: unlimited.")
@click.option("--loss", default="0%", show_default=True, help="Share of packets that is lost.")
@click.option("--delay", default="80ms", show_default=True, help="One way.")
@click.option("--jitter", default="20ms", show_default=True, help="Standard deviation of the delay.")
@click.option(
    "--trace", type=PATH, metavar="FILE", help="Bandwidth over time instead: a CSV of seconds and kbit/s."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is random.")
@click.option("--buffer", metavar="TIME", help="Fixed margin of the jitter buffer.  [default: adaptive]")
@click.option("--landmarks", type=click.Choice(["learned", "68"]), default="learned", show_default=True)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Of the video that are sent.")
@click.option(
    "--compute",
    default="12,30,40",
    show_default=True,
    metavar="MS,MS,MS|measured",
    help="Milliseconds of measuring a frame, of rendering one, of a verdict, or those of this machine.",
)
@click.option("--realtime", is_flag=True, help="Two processes over UDP on this machine, in real time.")
@click.option("--sweep", metavar="NAME=VALUES", help="Try several values: loss=0,1,2,5,10%")
@click.option("--out", type=PATH, metavar="OUT.mp4", help="The received video.")
@click.option("--plot", "plot_path", type=PATH, metavar="OUT.png", help="Over time.")
@click.option("--model", metavar="NAME|FILE", help=f"Motion model.  [default: {DEFAULT_MOTION}]")
@threads_option
@click.option("-f", "--force", is_flag=True, help="Replace existing outputs.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def call(video: Path, as_json: bool, **settings: Any) -> None:  # fmt: skip
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
    from neurocodec.call.run import run_call

    name, rows = run_call(video, **settings)
    if name:
        found = {name: [{"value": value, **row} for value, row in rows]}
        emit(found, as_json, lambda: summary.sweep_table(name, rows))
    else:
        emit(rows[0][1], as_json, lambda: summary.lines(rows[0][1]))
    if all(row["first_picture_after"] is None for _, row in rows):
        seconds = rows[0][1]["seconds"]
        if seconds < SHORTEST:
            raise NothingShown(
                f"no picture got through: {seconds:.1f} s are too short for the first one to arrive, which "
                f"takes up to {SHORTEST:g} s, or the link is too thin"
            )
        raise NothingShown(
            "no picture ever got through: the link is too thin for a reference, or loses too much"
        )
