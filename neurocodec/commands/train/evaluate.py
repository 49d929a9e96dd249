"""``neurocodec train evaluate`` and ``neurocodec train rates``: arguments in, tables out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.options import EXISTING, PATH
from neurocodec.errors import OutputError, UnsupportedError, UsageError
from neurocodec.option_text import encode_settings, named
from neurocodec.options import DEFAULT_MOTION

RATES = ("kbps", "bits_per_frame", "references")


class _Table:
    """One line for each clip: rates, then every figure beside the frozen reference's; then one a peer."""

    def __init__(self, first: str, names: Sequence[str], peers: Sequence[str]) -> None:
        self._names, self._width, self._peers = names, max(12, len(first)), peers
        heads = [f"{first:<{self._width}}", *(f"{n[:9]:>10}" for n in RATES)]
        click.echo("".join([*heads, *(f"{n + '/frozen':>18}" for n in names)]))

    def line(self, label: str, r: dict[str, Any]) -> None:
        rates = [f"{label[: self._width]:<{self._width}}", *(f"{r[n]:10.2f}" for n in RATES)]
        click.echo("".join([*rates, *(f"{r[n]:11.3f} {r[f'{n}_frozen']:6.3f}" for n in self._names)]))
        for peer in self._peers:
            name = f"  {peer[: self._width - 2]:<{self._width - 2}}{r[f'kbps_{peer}']:10.2f}{'':20}"
            click.echo(name + "".join(f"{r[f'{n}_{peer}']:11.3f}" + " " * 7 for n in self._names))


@click.command()
@click.argument("clips", nargs=-1, type=EXISTING, required=True)
@click.option("--model", metavar="NAME|FILE", help=f"Motion model.  [default: {DEFAULT_MOTION}]")
@click.option("--seconds", default=10.0, show_default=True, help="Of each clip, from its beginning.")
@click.option("--every", default=5, show_default=True, help="Measure every n-th frame.")
@click.option("--lpips", type=PATH, help="AlexNet LPIPS weights.")
@click.option("--landmark-net", "landmarks", type=PATH, help="468-point net (tflite).")
@click.option("--identity-net", "identity", type=PATH, help="dlib's face descriptor.")
@click.option("--face-detector", type=PATH, help="YuNet; for the two above.")
@click.option("--against", metavar="CODEC,CODEC", help="Other codecs at our bytes, as of 'compare'.")
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="NAME=V,V",
    help="Values of an encode option; several sweeps: all combinations.",
)  # fmt: skip
@click.option("--sheet", "sheet_path", type=PATH, help="Write a contact sheet.")
@click.option("--json", "json_path", type=PATH, help="Write all figures.")
@click.option("--set", "settings", multiple=True, help="An encode option, NAME=VALUE.")
def evaluate(
    clips: tuple[Path, ...], model: str | None, seconds: float, every: int, against: str | None,
    sweeps: tuple[str, ...], sheet_path: Path | None, json_path: Path | None, settings: tuple[str, ...],
    **networks: Path | None,
) -> None:  # fmt: skip
    """Encode and decode CLIPS (files or folders) and measure: ours, and a frozen reference of as many bytes.

    With --against, other codecs too: the finest setting that takes no more bytes than ours (or else the
    coarsest), at full or smaller size, whichever looks better.

    \b
    Examples:
      neurocodec train evaluate val/ --lpips lpips_alex.safetensors --against hevc,av1
      neurocodec train evaluate val/ --sweep quantization=50,100,200 --sweep reference_quality=10,22,45
    """
    if every < 1 or seconds <= 0:
        raise UsageError("--every and --seconds must be positive")
    from neurocodec.datasets.clips import expanded, write_image
    from neurocodec.evaluation import codec
    from neurocodec.peers.registry import CODECS

    fixed = encode_settings(settings) | ({"model": model} if model else {})
    points = codec.combinations(sweeps)
    paths = expanded(clips)
    measure = codec.Measure(**networks)
    peers = [kind() for kind in named(against, CODECS, "codec")] if against else []
    for reason in filter(None, (p.missing() for p in peers)):
        raise UnsupportedError(reason)
    others = [p.name for p in peers]
    ends = ["", "_frozen", *(f"_{name}" for name in others)]
    names = [*RATES, *(f"kbps_{name}" for name in others), *(n + end for n in measure.names for end in ends)]
    reports: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    table = _Table(" ".join(points[0]) if sweeps else "clip", measure.names, others)
    for point in points:
        results = []
        for path in paths:
            results.append(codec.evaluate(path, seconds, measure, every, peers, **{**fixed, **point}))
            if not sweeps:
                table.line(results[-1]["clip"], results[-1])
        whole = codec.summary(results, names)
        if sweeps:
            table.line(" ".join(str(v) for v in point.values()), whole["mean"])
        else:
            table.line("mean", whole["mean"])
            table.line("median", whole["median"])
        plain = [{k: v for k, v in r.items() if k != "pictures"} for r in results]
        reports.append({"settings": {**fixed, **point}, "clips": plain, **whole})
    if sheet_path:
        write_image(codec.contact_sheet(results), sheet_path)
    if json_path:
        try:
            json_path.write_text(json.dumps(reports if sweeps else reports[0], indent=2))
        except OSError as error:
            raise OutputError(f"cannot write {json_path}: {error.strerror or error}") from None


@click.command()
@click.argument("clips", nargs=-1, required=True, type=EXISTING)
@click.option("--quantization", default=100, show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--model", default=DEFAULT_MOTION, show_default=True)
def rates(clips: tuple[Path, ...], quantization: int, seconds: float, model: str) -> None:
    """Print bits a frame of landmark packets, code by code."""
    from neurocodec.datasets.clips import expanded
    from neurocodec.evaluation.packet_rates import packet_rates
    from neurocodec.models.landmark_engine import open_landmark_engine
    from neurocodec.models.model_files import find
    from neurocodec.models.motion_engine import MotionEngine

    engine = MotionEngine(find(model, "motion"))
    files = expanded(clips)
    found, count = packet_rates(files, engine, open_landmark_engine(), quantization, seconds)
    click.echo(
        f"{len(files)} clips, {count} frames, {2 * engine.num_keypoints} values a frame, Q = {quantization}"
    )
    click.echo(f"{'bits a frame':>66}{'entropy':>12}")
    for rate in found:
        bound = "" if rate.entropy is None else f"{rate.entropy:12.1f}"
        click.echo(f"{rate.name:<58}{rate.bits:8.1f}{bound}")
