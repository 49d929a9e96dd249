"""``neurocodec compare``: arguments in, a comparison run, a report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurocodec.commands.shared import progress
from neurocodec.errors import InputError, NeurocodecError
from neurocodec.option_text import encode_settings

if TYPE_CHECKING:
    from neurocodec.compare.run import Result


def samples() -> list[Path]:
    """The shipped sample clips, of the installed package or of the source tree."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_data" / "samples", package.parent / "samples"):
        found = sorted(folder.glob("*.mp4"))
        if found:
            return found
    raise InputError("no sample clips are installed; name a video")


def expanded(paths: tuple[Path, ...]) -> list[Path]:
    """The videos named, with those of folders; the samples where nothing is named.

    Raises:
        InputError: a folder holds no video.
    """
    from neurocodec.batch.folder import find_sources

    out = [f for p in paths for f in (find_sources(p, "encode") if p.is_dir() else [p])]
    return out or samples()


@click.command()
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--against",
    default="hevc,av1",
    show_default=True,
    metavar="CODEC[,CODEC...]",
    help="The peers: hevc, av1, av1-slow, av1-sharp, h264, vp9, vvc, libaom.",
)
@click.option("--metrics", metavar="METRIC[,METRIC...]", help="What is measured.  [default: all that can be]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("compare"),
    show_default=True,
    help="Folder of the report, the plots and the cache.",
)
@click.option(
    "--at",
    "size",
    type=click.Choice(["model", "source"]),
    default="model",
    show_default=True,
    help="'source' also compares at the source's size.",
)
@click.option(
    "--seconds", type=float, default=10.0, show_default=True, help="Only the first so many seconds."
)
@click.option(
    "--every",
    type=int,
    default=1,
    show_default=True,
    help="Metrics of single pictures look at every n-th frame.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An encode option of ours.")
@click.option("--lpips", metavar="FILE", help="LPIPS weights (AlexNet, safetensors).")
@click.option("--face-detector", metavar="FILE", help="YuNet face detector (ONNX).")
@click.option("--identity-net", "identity", metavar="FILE", help="dlib's face descriptor (safetensors).")
@click.option("--landmark-net", "landmarks", metavar="FILE", help="MediaPipe's 468 landmarks (TFLite).")
@click.option(
    "--jobs", type=int, default=0, show_default=True, help="Worker processes; 0: one for each core."
)
@click.option("--engine", type=click.Choice(["processes", "dask"]), default="processes", show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="Dask's scheduler, as tcp://HOST:PORT.")
@click.option("--no-html", is_flag=True, help="No report.html and no plots.")
@click.option("-f", "--force", is_flag=True, help="Do points again that are in the cache.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
def compare(
    videos: tuple[Path, ...], against: str, metrics: str | None, out: Path, size: str, seconds: float,
    every: int, settings: tuple[str, ...], jobs: int, engine: str, scheduler: str | None, no_html: bool,
    force: bool, quiet: bool, as_json: bool, **networks: str | None,
) -> None:  # fmt: skip
    """Is it really better?  Compare our codec with others on VIDEOS (files or folders), every byte counted.

    Without a video, on the shipped samples, which are synthetic and prove nothing.  Writes report.html,
    report.json and plots to --out.  A comparison that was broken off goes on where it stopped.

    \b
    Examples:
      neurocodec compare talk.mp4
      neurocodec compare clips/*.mp4 --against hevc,av1,h264,vp9,vvc --seconds 5 --out report
      neurocodec compare talk.mp4 --lpips lpips_alex.safetensors --metrics lpips,ssim,psnr_y
      neurocodec compare clips/*.mp4 --engine dask --scheduler tcp://10.0.0.1:8786
    """
    from neurocodec.batch.workers import threads_for, workers
    from neurocodec.compare import report, terminal
    from neurocodec.compare.run import Plan
    from neurocodec.compare.run import compare as run
    from neurocodec.compare.store import Store
    from neurocodec.measure.networks import metric_files
    from neurocodec.peers import registry

    peers = [kind() for kind in registry.chosen(against, registry.CODECS, "codec")]
    names = registry.chosen(metrics or list(registry.METRICS), registry.METRICS, "metric")
    chosen = expanded(videos)
    store = Store(out / "cache")
    files = metric_files(out / "cache", **networks)
    engine_used = workers(engine, jobs, scheduler)
    threads = threads_for(engine, jobs)
    plan = Plan(
        peers, [kind(files) for kind in names], seconds, every,
        ("model", "source") if size == "source" else ("model",), encode_settings(settings), threads,
        files.face_detector, force,
    )  # fmt: skip
    with progress("comparing", quiet, " points") as update:
        result = run(chosen, plan, store, engine_used, update)
    found = report.build(result)
    if result.videos:
        report.save(found, out / "report.json")
        if not no_html:
            from neurocodec.compare.html import write_report

            write_report(result, found, out)
    import json

    text = json.dumps(report.finite(found), indent=1) if as_json else "\n".join(terminal.lines(found))
    click.echo(text)
    if not as_json and result.videos:
        click.echo(f"report: {out / ('report.json' if no_html else 'report.html')}")
    _finish(result, len(chosen))


def _finish(result: Result, asked: int) -> None:
    if result.skipped:
        names = "; ".join(reason for _, reason in result.skipped)
        raise InputError(f"{len(result.skipped)} of {asked} videos could not be compared: {names}")
    if result.missing_peers:
        raise NeurocodecError(
            "not compared: " + "; ".join(f"{c.title}: {why}" for c, why in result.missing_peers)
        )
    if result.failures:
        raise NeurocodecError(f"{len(result.failures)} points or metrics failed, first: {result.failures[0]}")
