"""``neurocodec compare``."""

from __future__ import annotations

from pathlib import Path

import click

from neurocodec.commands.options import PATH, quiet_option, worker_options
from neurocodec.commands.output import emit, progress


@click.command()
@click.argument("videos", nargs=-1, type=PATH)
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
    type=PATH,
    default=Path("compare"),
    show_default=True,
    help="Folder of the report, the plots and the cache.",
)
@click.option(
    "--at",
    "size",
    type=click.Choice(["auto", "source", "model", "both"]),
    default="auto",
    show_default=True,
    help="At which size codecs meet: the source's, the model's (256 pixels on the longer side), both, or the "
    "larger of the two.",
)
@click.option(
    "--seconds", type=float, default=10.0, show_default=True, help="Only the first so many seconds."
)
@click.option(
    "--every",
    type=int,
    help="Metrics of single pictures look at every n-th frame.  [default: 1, with --quick 3]",
)
@click.option(
    "--quick", is_flag=True,
    help="Three points a codec, fewer metrics, large pictures reduced: a minute for five seconds.",
)  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An encode option of ours.")
@click.option("--lpips", metavar="FILE", help="LPIPS weights (AlexNet, safetensors).")
@click.option("--face-detector", metavar="FILE", help="YuNet face detector (ONNX).")
@click.option("--identity-net", "identity", metavar="FILE", help="dlib's face descriptor (safetensors).")
@click.option("--landmark-net", "landmarks", metavar="FILE", help="MediaPipe's 468 landmarks (TFLite).")
@worker_options
@click.option("--no-html", is_flag=True, help="No report.html and no plots.")
@click.option("-f", "--force", is_flag=True, help="Do points again that are in the cache.")
@quiet_option
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
def compare(
    videos: tuple[Path, ...], against: str, metrics: str | None, out: Path, size: str, seconds: float,
    every: int | None, settings: tuple[str, ...], jobs: int, engine: str, scheduler: str | None,
    no_html: bool, force: bool, quick: bool, quiet: bool, as_json: bool, **networks: str | None,
) -> None:  # fmt: skip
    """Is it really better?  Compare our codec with others on VIDEOS (files or folders), every byte counted.

    Without a video, on the shipped samples, which are synthetic and prove nothing.  Writes report.html,
    report.json and plots to --out.  A comparison that was broken off goes on where it stopped.

    \b
    Examples:
      neurocodec compare talk.mp4 --against hevc
      neurocodec compare talk.mp4 --quick
      neurocodec compare clips/*.mp4 --against hevc,av1,h264,vp9,vvc --seconds 5 --out report
      neurocodec compare talk.mp4 --lpips lpips_alex.safetensors --metrics lpips,ssim,psnr_y
      neurocodec compare clips/*.mp4 --engine dask --scheduler tcp://10.0.0.1:8786
    """
    from neurocodec.compare import report, terminal
    from neurocodec.compare.entry import check, compare_and_report

    with progress("comparing", quiet, " points") as update:
        result, found = compare_and_report(
            videos, out, against=against, metrics=metrics, size=size, seconds=seconds, every=every,
            settings=settings, networks=networks, jobs=jobs, engine=engine, scheduler=scheduler,
            html=not no_html, force=force, quick=quick, progress=update,
        )  # fmt: skip
    written = [f"report: {out / ('report.json' if no_html else 'report.html')}"] if result.videos else []
    asked = [name.strip() for name in (metrics or "").split(",")]
    said = [*terminal.lines(found), *terminal.not_measured(found, asked), *written]
    emit(report.finite(found), as_json, lambda: said)
    check(result)
