"""``python -m neurocodec.evaluation.sound``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from neurocodec.errors import NeurocodecError
from neurocodec.evaluation.sound import report
from neurocodec.evaluation.sound.coding import mono
from neurocodec.evaluation.sound.grid import run
from neurocodec.evaluation.sound.scores import stoi_function
from neurocodec.options import EncodeOptions


@click.command()
@click.argument(
    "clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.png", help="Draw the curves there.")
@click.option("--out", type=click.Path(path_type=Path), metavar="OUT.json", help="Write all figures there.")
def sound(clips: tuple[Path, ...], plot: Path | None, out: Path | None) -> None:
    """Code the speech of CLIPS in many ways; print rates and STOI. Silent clips are left out."""
    stoi_function()
    heard = {path.name: samples for path in clips if (samples := mono(path)).any()}
    if not heard:
        raise click.UsageError("no clip has sound that is not silent")
    table = run(heard, lambda name: click.echo(f"{name} ...", err=True))
    default = EncodeOptions().audio_bitrate
    click.echo("\n".join(report.lines(table, default)))
    if plot:
        report.plot(table, default).savefig(plot, dpi=100)
    if out:
        plain = {
            v: {r: {c: f._asdict() for c, f in fs.items()} for r, fs in rs.items()} for v, rs in table.items()
        }
        out.write_text(json.dumps(plain, indent=1) + "\n")


if __name__ == "__main__":
    try:
        sound()
    except NeurocodecError as error:
        raise SystemExit(f"neurocodec: error: {error}") from None
