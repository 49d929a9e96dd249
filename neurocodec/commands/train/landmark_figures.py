"""``neurocodec train landmarks errors``, ``compare`` and ``region``: what landmarks are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.train.evaluate import evaluate, rates
from neurocodec.commands.train.landmarks import images_option, model_option, threads_option
from neurocodec.commands.train.options import EXISTING, PATH, print_lines


@click.command()
@model_option
@images_option("  Only people kept out of training are measured.")
@click.option("--folder", type=EXISTING, help="Clips of others.")
@click.option("--landmarks", type=EXISTING, help="Their landmarks (npz).")
@click.option("--every", default=10, show_default=True, help="Measure every so many-th frame of a clip.")
@click.option("--sheet", type=PATH, help="Picture of the worst; not for publishing.")
@threads_option
def errors(
    model: str, images: tuple[tuple[Path, Path], ...], folder: Path | None, landmarks: Path | None,
    every: int, sheet: Path | None, threads: int,
) -> None:  # fmt: skip
    """Normalised mean error (outer eye corners) of a landmark model, by kind of face."""
    from neurocodec.datasets.clips import write_image
    from neurocodec.evaluation import landmark_errors as found
    from neurocodec.models.landmark_engine import open_landmark_engine
    from neurocodec.threads import use_threads

    use_threads(threads)
    engine = open_landmark_engine(model, "cpu")
    cases = list(found.image_cases(engine, images))
    if folder and landmarks:
        cases += found.clip_cases(engine, folder, landmarks, every)
    print_lines(found.error_lines(cases))
    if sheet:
        write_image(found.worst_faces(cases), sheet)


@click.command()
@click.argument("clips", nargs=-1, type=EXISTING, required=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--every", default=10, show_default=True, help="Measure every so many-th frame.")
@click.option("--quality", "qualities", type=float, multiple=True, default=(50.0,), show_default=True)
@click.option("--refresh", default="lookahead", show_default=True)
@click.option("--lpips", type=EXISTING, help="AlexNet LPIPS weights.")
@click.pass_context
def compare(
    ctx: click.Context, clips: tuple[Path, ...], qualities: tuple[float, ...], refresh: str, **given: Any
) -> None:
    """Learned keypoints beside 68 landmarks on CLIPS (square): means of rate and quality, bits a frame."""
    sweeps = "quality=" + ",".join(f"{q:g}" for q in qualities), "landmarks=learned,68"
    ctx.invoke(evaluate, clips=clips, sweeps=sweeps, settings=(f"refresh={refresh}",), **given)
    ctx.invoke(rates, clips=clips, seconds=given["seconds"])


@click.command()
@click.option("--folder", type=EXISTING, required=True, help="Clips.")
@click.option("--landmarks", type=EXISTING, required=True, help="Theirs (npz).")
@click.option("--every", default=25, show_default=True)
@model_option
def region(folder: Path, landmarks: Path, every: int, model: str) -> None:
    """How steady the square of --region face is, by the detector's boxes and by landmarks."""
    from neurocodec.evaluation.landmark_errors import region_lines
    from neurocodec.models.landmark_engine import open_landmark_engine

    print_lines(region_lines(open_landmark_engine(model, "cpu"), folder, landmarks, every))
