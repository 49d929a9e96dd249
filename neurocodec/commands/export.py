"""``neurocodec export``: the command; what it does is in :mod:`neurocodec.models.onnx_graphs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurocodec.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = "astronaut.mp4"
_PICTURES = 12
"""Pictures that examples and calibration are made from."""


def sample_video() -> Path:
    """The clip that comes with the package."""
    from neurocodec.models.files import shipped_folder

    return shipped_folder().parent / "samples" / _SAMPLE


def read_pictures(video: Path, side: int, count: int = _PICTURES) -> NDArray[np.uint8]:
    """Up to ``count`` pictures (n,side,side,3) of a video, evenly spaced over its first 100.

    Raises:
        InputError: the video has fewer than three pictures, or cannot be read.
    """
    import numpy as np

    from neurocodec.media.reader import MediaReader
    from neurocodec.media.types import AudioPacket

    found = []
    with MediaReader(video, audio=False) as reader:
        for item in reader:
            if not isinstance(item, AudioPacket):
                found.append(item.to_rgb(side, side))
            if len(found) == 100:
                break
    if len(found) < 3:
        raise InputError(f"{video} has {len(found)} pictures; at least 3 are needed")
    return np.stack([found[k] for k in np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)])


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("out", metavar="OUT_DIR", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Of the graphs."
)
@click.option("--int8", is_flag=True, help="Quantize convolutions and dense layers to 8 bits as well.")
@click.option("--batch", type=int, default=1, show_default=True, help="Pictures in one call.")
@click.option(
    "--calibrate", type=click.Path(path_type=Path), metavar="VIDEO",
    help="What examples and the ranges of --int8 are taken from.  [default: the sample that comes along]",
)  # fmt: skip
@click.option("--time", "runs", type=int, default=0, metavar="RUNS", help="Time so many runs of each graph.")
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of the timed runs.")
@click.option("-f", "--force", is_flag=True, help="Replace graphs that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export(model: str, out: Path, **settings: Any) -> None:
    """Write MODEL (a motion or a landmark model, by name or file) as ONNX graphs into the folder OUT_DIR.

    Every graph is run beside PyTorch, and the largest difference is printed, with its size and the
    multiplications that one picture takes.

    \b
    Examples:
      neurocodec export talk256 graphs/
      neurocodec export face68 graphs/ --int8 --time 50
    """
    found = run_export(model, out, **{k: v for k, v in settings.items() if k != "as_json"})
    if settings["as_json"]:
        click.echo(json.dumps({"model": model, "graphs": found}, indent=2))
        return
    click.echo(f"{'graph':<22}{'bytes':>11}{'MMAC':>9}{'largest diff.':>15}{'mean diff.':>12}{'ms':>9}")
    for g in found:
        spent = f"{g['milliseconds']:9.2f}" if g["milliseconds"] is not None else f"{'-':>9}"
        click.echo(
            f"{g['file']:<22}{g['bytes']:>11}{g['multiplications'] / 1e6:9.1f}"
            f"{g['largest_difference']:15.2e}{g['mean_difference']:12.2e}{spent}"
        )


def run_export(
    name: str, out: Path, *, form: str = "onnx", int8: bool = False, batch: int = 1,
    calibrate: Path | None = None, runs: int = 0, threads: int = 1, force: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Export a model; one entry for each graph written.

    Raises:
        UsageError: a batch, number of runs or of threads that makes no sense.
        InputError: no such model or video.
        OutputError: a graph exists and ``force`` is not set, or cannot be written.
        UnsupportedError: an architecture that is not exported, or packages are missing.
    """
    import torch

    from neurocodec.models import onnx_graphs as ox
    from neurocodec.models.files import find_any

    assert form == "onnx"
    if not 1 <= batch <= 64 or runs < 0 or not 1 <= threads <= 256:
        raise UsageError("batch must be 1 to 64, threads 1 to 256, runs not negative")
    model = find_any(name)
    ox.needs("onnx"), ox.needs("onnxruntime")
    pictures = read_pictures(calibrate or sample_video(), max(model.size, 128), max(_PICTURES, batch + 2))
    if len(pictures) < batch + 2:
        raise InputError(f"the video has too few pictures for a batch of {batch}")
    graphs = ox.graphs(model, pictures, batch)
    files = {g.name: [f"{g.name}.onnx"] + [f"{g.name}.int8.onnx"] * int8 for g in graphs}
    there = [f for names in files.values() for f in names if (out / f).exists()]
    if there and not force:
        raise OutputError(f"{out / there[0]} exists; use -f to replace it")
    samples = ox.calibration(model, pictures, batch) if int8 else {}
    result = []
    for graph in graphs:
        plain = out / f"{graph.name}.onnx"
        ox.export(graph, plain)
        if int8:
            ox.quantize_int8(plain, out / f"{graph.name}.int8.onnx", samples[graph.name])
        for file in files[graph.name]:
            session = ox.open_session(out / file, threads, flush=bool(runs))
            largest, mean = ox.differences(graph, session)
            result.append(
                {
                    "graph": graph.name,
                    "file": file,
                    "bytes": (out / file).stat().st_size,
                    "multiplications": ox.multiplications(plain) // batch,
                    "largest_difference": largest,
                    "mean_difference": mean,
                    "milliseconds": ox.milliseconds(graph, session, runs) if runs else None,
                }
            )
    torch.set_flush_denormal(False)
    return result
