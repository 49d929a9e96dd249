"""``neurocodec export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.options import PATH, json_option
from neurocodec.commands.output import emit


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("out", metavar="OUT_DIR", type=PATH)
@click.option(
    "--format", "form", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Of the graphs."
)
@click.option("--int8", is_flag=True, help="Quantize convolutions and dense layers to 8 bits as well.")
@click.option("--batch", type=int, default=1, show_default=True, help="Pictures in one call.")
@click.option(
    "--calibrate",
    type=PATH,
    metavar="VIDEO",
    help="What examples and the ranges of --int8 are taken from.  [default: the sample that comes along]",
)
@click.option("--time", "runs", type=int, default=0, metavar="RUNS", help="Time so many runs of each graph.")
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of the timed runs.")
@click.option("-f", "--force", is_flag=True, help="Replace graphs that are there.")
@json_option
def export(model: str, out: Path, form: str, as_json: bool, **settings: Any) -> None:  # fmt: skip
    """Write MODEL (a motion or a landmark model, by name or file) as ONNX graphs into the folder OUT_DIR.

    Every graph is run beside PyTorch, and the largest difference is printed, with its size and the
    multiplications that one picture takes.

    \b
    Examples:
      neurocodec export talk256 graphs/
      neurocodec export face68 graphs/ --int8 --time 50
    """
    from neurocodec.models.onnx_export import export_model

    found = export_model(model, out, **settings)
    emit({"model": model, "graphs": found}, as_json, lambda: _lines(found))


def _lines(found: list[dict[str, Any]]) -> list[str]:
    out = [f"{'graph':<22}{'bytes':>11}{'MMAC':>9}{'largest diff.':>15}{'mean diff.':>12}{'ms':>9}"]
    for g in found:
        spent = f"{g['milliseconds']:9.2f}" if g["milliseconds"] is not None else f"{'-':>9}"
        out.append(
            f"{g['file']:<22}{g['bytes']:>11}{g['multiplications'] / 1e6:9.1f}"
            f"{g['largest_difference']:15.2e}{g['mean_difference']:12.2e}{spent}"
        )
    return out
