"""``neurocodec train landmarks``: the landmark network, from labelled faces to a model and its mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.groups import LazyGroup
from neurocodec.commands.options import quiet_option
from neurocodec.commands.train.options import EXISTING, PATH, configuration, print_lines
from neurocodec.options import DEFAULT_LANDMARKS, DEFAULT_MOTION
from neurocodec.training.config import LandmarkConfig

_HERE, _FIGURES = "neurocodec.commands.train.landmarks", "neurocodec.commands.train.landmark_figures"
COMMANDS = {
    "cache": (f"{_HERE}:cache", "Decode labelled images and clips once."),
    "run": (f"{_HERE}:run", "Train, or go on training."),
    "ship": (f"{_HERE}:ship", "Make a model file of a run's average weights."),
    "map": (f"{_HERE}:fit", "Fit the mapping to a motion model's keypoints."),
    "errors": (f"{_FIGURES}:errors", "Normalised mean error, by kind of face."),
    "compare": (f"{_FIGURES}:compare", "Learned keypoints beside 68 landmarks."),
    "region": (f"{_FIGURES}:region", "How steady the square of --region face is."),
}
_DEFAULTS = LandmarkConfig()
model_option = click.option(
    "--model", default=DEFAULT_LANDMARKS, show_default=True, metavar="NAME|FILE", help="Landmark model."
)
threads_option = click.option("--threads", default=1, show_default=True, help="CPU threads.")


def images_option(text: str) -> Any:
    """Published image sets, each a table and a folder."""
    return click.option(
        "--images", type=(PATH, PATH), multiple=True, metavar="TABLE FOLDER",
        help=f"A CSV of the published layout and its folder of images; may be repeated.{text}",
    )  # fmt: skip


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def landmarks() -> None:
    """Train the landmark network and its mapping to keypoints."""


@click.command()
@images_option("")
@click.option("--clips", type=EXISTING, help="A clips.csv.")
@click.option("--folder", type=EXISTING, help="Where the clips lie.")
@click.option("--landmarks", "marks", type=EXISTING, help="The clips' landmarks (npz).")
@click.option("--side", default=192, show_default=True)
@click.option("--stride", default=12, show_default=True, help="Take two of every so many frames of a clip.")
@click.option("--out", type=PATH, required=True)
def cache(
    images: tuple[tuple[Path, Path], ...], clips: Path | None, folder: Path | None, marks: Path | None,
    side: int, stride: int, out: Path,
) -> None:  # fmt: skip
    """Decode labelled images and clips once; rows that cannot be used are listed."""
    from neurocodec.datasets.clips import find_clips
    from neurocodec.training.landmark_samples import write_cache

    rows = find_clips(folder, table=clips) if clips and folder else []
    count, skipped = write_cache(out, side, images, rows, marks, stride)
    shown = [f"  skipped: {reason}" for reason in skipped[:10]]
    more = [f"  ... and {len(skipped) - 10} more"] if len(skipped) > 10 else []
    print_lines([f"{count} read, {len(skipped)} skipped", *shown, *more])


def _setting(option: str, where: str, default: float, text: str = "") -> Any:
    return click.option(option, where, default=default, show_default=True, help=text)


@click.command()
@click.option("--cache", "cache_dir", type=EXISTING, required=True)
@click.option("--out", type=PATH, required=True)
@_setting("--width", "model__width", _DEFAULTS.model["width"], "Factor on MobileNetV2's channels.")
@_setting("--latent", "model__latent", _DEFAULTS.model["latent"], "Dimensions of the latent.")
@_setting(
    "--minutes", "optimizer__minutes", _DEFAULTS.optimizer.minutes, "The rate falls to its end by then."
)
@_setting("--images", "samples__images", _DEFAULTS.samples.images, "Images in a step.")
@_setting("--pairs", "samples__pairs", _DEFAULTS.samples.pairs, "Pairs of neighbouring frames in a step.")
@_setting("--nothing", "samples__nothing", _DEFAULTS.samples.nothing, "Crops without a face in a step.")
@_setting("--rate", "optimizer__rate", _DEFAULTS.optimizer.rate, "Highest learning rate.")
@_setting("--bandwidth", "bandwidth", _DEFAULTS.bandwidth, "Loss of one bit of the latent's change.")
@_setting("--average", "optimizer__average", _DEFAULTS.optimizer.average, "Decay of the moving average.")
@_setting("--seed", "optimizer__seed", _DEFAULTS.optimizer.seed)
@_setting("--threads", "machine__threads", _DEFAULTS.machine.threads)
@quiet_option
def run(cache_dir: Path, out: Path, bandwidth: float, quiet: bool, **given: Any) -> None:
    """Train, or go on training."""
    config = configuration(LandmarkConfig, None, [f"bandwidth={bandwidth}"], given)
    from neurocodec.training.landmarks import run as train

    print_lines(train(config, cache_dir, out, quiet))


@click.command()
@click.option("--state", type=EXISTING, required=True, help="Of a run.")
@click.option("--cache", "cache_dir", type=EXISTING, required=True)
@click.option("--out", type=PATH, required=True)
@click.option("--pairs", default=1500, show_default=True, help="Neighbouring frames to order the latent by.")
def ship(state: Path, cache_dir: Path, out: Path, pairs: int) -> None:
    """Make a model file of a run's average weights, the latent turned so that the most lively comes first."""
    from neurocodec.training.landmark_export import ship as export

    model = export(state, cache_dir, out, pairs)
    click.echo(f"{out}: {out.stat().st_size} bytes, {model.hash[:16]}")


@click.command("map")
@model_option
@click.option("--motion", default=DEFAULT_MOTION, show_default=True, metavar="NAME|FILE")
@click.option("--clips", type=EXISTING, required=True, help="A clips.csv.")
@click.option("--folder", type=EXISTING, required=True)
@click.option("--stride", default=20, show_default=True, help="Take every so many-th frame.")
@click.option("--out", type=PATH, help="The result.  [default: replaces the model]")
@threads_option
def fit(
    model: str, motion: str, clips: Path, folder: Path, stride: int, out: Path | None, threads: int
) -> None:
    """Fit the mapping from landmarks to a motion model's keypoints on the training people's clips.

    To be run again whenever the motion model's weights change; takes a few minutes.
    """
    from neurocodec.datasets.clips import find_clips
    from neurocodec.models.model_files import find
    from neurocodec.threads import use_threads
    from neurocodec.training.landmark_export import fit_mapping

    use_threads(threads)
    network, driven = find(model, "landmarks"), find(motion, "motion")
    made, how_well = fit_mapping(network, driven, find_clips(folder, table=clips), stride, out)
    click.echo(f"{how_well}; {made.path}: {made.hash[:16]}")
