"""``neurocodec landmarks``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurocodec.commands.options import PATH, json_option
from neurocodec.commands.output import emit


@click.command()
@click.argument("video", metavar="VIDEO", type=PATH)
@click.option("--overlay", type=PATH, metavar="OUT.mp4", help="Points over the faces.")
@click.option("--plot", "plot_path", type=PATH, metavar="OUT.png", help="Curves over time.")
@click.option("--csv", "csv_path", type=PATH, metavar="OUT.csv", help="All coordinates.")
@click.option(
    "--beside",
    type=PATH,
    metavar="FILE",
    help="Another version of VIDEO (.nfc file or video): shown beside it, and its landmarks compared.",
)
@click.option("--seconds", type=float, help="Only the first so many seconds.")
@click.option("--model", metavar="NAME|FILE", help="Landmark model.  [default: face68]")
@click.option("-f", "--force", is_flag=True, help="Replace existing outputs.")
@json_option
def landmarks(video: Path, as_json: bool, **settings: Any) -> None:  # fmt: skip
    """Find 68 facial landmarks in every frame of VIDEO.

    The largest face is followed.  Frames without a face have no landmarks (empty cells in the table, a gap in
    the curves) and are counted; a video without any face is an error.

    \b
    Examples:
      neurocodec landmarks call.mp4 --overlay points.mp4 --csv points.csv
      neurocodec landmarks call.mp4 --beside call.nfc --overlay both.mp4 --plot both.png
    """
    from neurocodec.measure.landmark_video import follow_landmarks

    found = follow_landmarks(video, **settings)
    emit(found, as_json, lambda: _lines(found))


def _lines(found: dict[str, Any]) -> list[str]:
    out = [f"{found['frames']} frames, {found['frames_with_face']} with a face"]
    if found["most_faces"] > 1:
        out.append(f"up to {found['most_faces']} faces at once; the largest was followed")
    out.append(f"distance of the outer eye corners {found['eye_distance']:.1f} pixels (median)")
    if found["error"] is not None:
        out.append(
            f"landmarks of the other version: {found['error']:.2f} % of it off on average, "
            f"{found['lost_faces']} frames in which its face is not found"
        )
    return out
