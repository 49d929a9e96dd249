"""The command: measures everything in turn, prints, writes JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from neurocodec.bench import tables
from neurocodec.bench.run import PARTS, run_bench
from neurocodec.commands.options import PATH, device_option, threads_option
from neurocodec.errors import UsageError
from neurocodec.files.samples import sample_clips
from neurocodec.options import DEFAULT_MOTION
from neurocodec.threads import use_threads


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=PATH, metavar="OUT.json", help="Write all figures there.")
@click.option("--repeats", type=int, default=3, show_default=True, help="Of every whole process.")
@click.option("--model", default=DEFAULT_MOTION, show_default=True, metavar="NAME|FILE", help="Motion model.")
@click.option("--sizes", metavar="SIDE,SIDE...", help="Also the stages of untrained models of these sizes.")
@click.option("--hour", "minutes", type=float, metavar="MINUTES", help="Also a clip of so many minutes.")
@click.option("--hour-fps", type=int, help="Frames a second of that clip.  [default: the source's]")
@threads_option
@device_option
@click.option("--parts", default=",".join(PARTS), show_default=True, help="What is measured.")
@click.option("--seconds", type=float, default=2.0, show_default=True, help="For each stage.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the tables in Markdown.")
@click.option(
    "--machine", "machine_report", type=PATH, metavar="OUT.json",
    help="Only a report of this machine, to be sent: its stages, and whether files read the same here.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Everything once, and briefly: figures to be ignored.")
def bench(
    clips: tuple[Path, ...], out: Path | None, sizes: str | None, parts: str, as_markdown: bool,
    machine_report: Path | None, **settings: Any,
) -> None:  # fmt: skip
    """Measure stages and whole processes on CLIPS (default: the sample that comes along).

    \b
    Examples:
      python -m neurocodec.bench
      python -m neurocodec.bench talk.mp4 --repeats 5 --out bench.json
      python -m neurocodec.bench --machine report.json
      python -m neurocodec.bench --sizes 256,384,512 --hour 60
    """
    if machine_report:
        from neurocodec.bench import machine

        use_threads(settings["threads"])
        report = machine.report(settings["device"], 0.05 if settings["quick"] else settings["seconds"])
        machine_report.write_text(json.dumps(report, indent=1) + "\n")
        click.echo("\n".join(machine.lines(report)))
        return
    try:
        sides = [int(part) for part in (sizes or "").split(",") if part]
    except ValueError:
        raise UsageError(f"--sizes takes numbers with commas between them, not {sizes!r}") from None
    found = run_bench(clips or sample_clips()[:1], sizes=sides, parts=parts.split(","), **settings)
    click.echo("\n".join(tables.lines(found, as_markdown)))
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n")
