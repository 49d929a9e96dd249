"""``neurocodec landmarks``: 68 points in every frame of a video, as a video, a plot or a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurocodec.errors import InputError, OutputError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from neurocodec.faces.tracker import Face, FaceTracker
    from neurocodec.types import Picture

_SIGNATURE = b"NFC\x1a"


def _beside(path: Path, width: int, height: int) -> Iterator[tuple[float, Picture]]:
    """Times and pictures of another version of a video, an .nfc file or a video, at the size of the first."""
    from neurocodec.api import pictures
    from neurocodec.format.header import Fit
    from neurocodec.format.reader import NfcReader
    from neurocodec.media.frames import read_frames
    from neurocodec.media.square import crop, resize

    try:
        with path.open("rb") as file:
            coded = file.read(4) == _SIGNATURE
            file.seek(0)
            header = NfcReader(file, str(path)).header if coded else None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    if header is None:
        yield from ((time, resize(picture, width, height)) for time, picture in read_frames(path))
        return
    if header.fit is Fit.REGION:
        raise UnsupportedError(f"{path} holds a part of the picture; decode it and give the source's part")
    place = header.content()
    for time, square in pictures(path):
        yield time, resize(crop(square, place), width, height)


@click.command()
@click.argument("video", metavar="VIDEO", type=click.Path(path_type=Path))
@click.option("--overlay", type=click.Path(path_type=Path), metavar="OUT.mp4", help="Points over the faces.")
@click.option(
    "--plot", "plot_path", type=click.Path(path_type=Path), metavar="OUT.png", help="Curves over time."
)
@click.option(
    "--csv", "csv_path", type=click.Path(path_type=Path), metavar="OUT.csv", help="All coordinates."
)
@click.option(
    "--beside", type=click.Path(path_type=Path), metavar="FILE",
    help="Another version of VIDEO (.nfc file or video): shown beside it, and its landmarks compared.",
)  # fmt: skip
@click.option("--seconds", type=float, help="Only the first so many seconds.")
@click.option("--model", metavar="NAME|FILE", help="Landmark model.  [default: face68]")
@click.option("-f", "--force", is_flag=True, help="Replace existing outputs.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def landmarks(
    video: Path, overlay: Path | None, plot_path: Path | None, csv_path: Path | None, as_json: bool,
    **settings: Any,
) -> None:  # fmt: skip
    """Find 68 facial landmarks in every frame of VIDEO.

    The largest face is followed.  Frames without a face have no landmarks (empty cells in the table, a gap in
    the curves) and are counted; a video without any face is an error.

    \b
    Examples:
      neurocodec landmarks call.mp4 --overlay points.mp4 --csv points.csv
      neurocodec landmarks call.mp4 --beside call.nfc --overlay both.mp4 --plot both.png
    """
    found = run_landmarks(video, overlay, plot_path, csv_path, **settings)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['frames']} frames, {found['frames_with_face']} with a face")
    if found["most_faces"] > 1:
        click.echo(f"up to {found['most_faces']} faces at once; the largest was followed")
    click.echo(f"distance of the outer eye corners {found['eye_distance']:.1f} pixels (median)")
    if found["error"] is not None:
        click.echo(
            f"landmarks of the other version: {found['error']:.2f} % of it off on average, "
            f"{found['lost_faces']} frames in which its face is not found"
        )


def run_landmarks(
    video: Path, overlay: Path | None = None, plot_path: Path | None = None, csv_path: Path | None = None, *,
    beside: Path | None = None, seconds: float | None = None, model: str | None = None, force: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Do what the command does; returns what it reports.

    Raises:
        InputError: no video, no picture or no face in it, or no such model.
        OutputError: an output exists and ``force`` is not set, or cannot be written.
        UsageError: an output that is an input, or a time that is not positive.
    """
    import numpy as np

    from neurocodec.faces import views
    from neurocodec.faces.tracker import FaceTracker, error_of
    from neurocodec.files.atomic import AtomicFile
    from neurocodec.files.figures import rendered
    from neurocodec.media.reader import MediaReader
    from neurocodec.media.types import AudioPacket
    from neurocodec.media.writer import MediaWriter
    from neurocodec.models.landmark_engine import open_landmark_engine

    if seconds is not None and seconds <= 0:
        raise UsageError("seconds must be positive")
    outputs = [p for p in (overlay, plot_path, csv_path) if p]
    for path in outputs:
        if path in (video, beside) or outputs.count(path) > 1:
            raise UsageError(f"{path} is named twice")
        if path.exists() and not force:
            raise OutputError(f"{path} exists; use -f to replace it")
    engine = open_landmark_engine(model)
    trackers: list[FaceTracker] = [FaceTracker(engine), FaceTracker(engine)]
    rows: list[tuple[float, Face | None]] = []
    others: list[tuple[float, Face | None]] = []
    with ExitStack() as stack:
        reader = stack.enter_context(MediaReader(video, audio=False))
        info = reader.video
        second = _beside(beside, info.width, info.height) if beside else None
        writer: MediaWriter | None = None
        if overlay:
            writer = stack.enter_context(
                MediaWriter(
                    overlay, width=info.width * (2 if beside else 1), height=info.height, force=force,
                    time_base=info.time_base, fps=info.fps, color=info.color, sar=info.sar,
                )
            )  # fmt: skip
        first: int | None = None
        for item in reader:
            if isinstance(item, AudioPacket):
                continue
            first = item.pts if first is None else first
            time = float((item.pts - first) * info.time_base)
            if seconds is not None and time >= seconds:
                break
            shown = [item.to_rgb()]
            rows.append((time, trackers[0].update(shown[0])))
            if second is not None:
                following = next(second, None)
                if following is None:
                    raise InputError(f"{beside} has fewer frames than {video}")
                shown.append(following[1])
                others.append((time, trackers[1].update(shown[1])))
            if writer:
                faces = [rows[-1][1], *([others[-1][1]] if others else [])]
                both = [views.drawn(p, f) for p, f in zip(shown, faces, strict=True)]
                writer.write_video(views.side_by_side(both), item.pts - first)
        if not rows:
            raise InputError(f"{video} has no picture that can be decoded")
        known = [face for _, face in rows if face is not None]
        if not known:
            raise InputError(f"no face was found in {video}")
    if csv_path:
        with AtomicFile(str(csv_path), force) as output:
            output.file.write(views.table(rows).encode())
    if plot_path:
        series = [("original" if others else "landmarks", rows)]
        if others:
            series.append(("other version", others))
        with AtomicFile(str(plot_path), force) as output:
            output.file.write(rendered(views.plot(series, video.name), "png"))
    errors = [error_of(b, a) for (_, a), (_, b) in zip(rows, others, strict=False)]
    present = [e for e in errors if e is not None]
    return {
        "frames": len(rows),
        "frames_with_face": len(known),
        "most_faces": max(face.seen for face in known),
        "eye_distance": float(np.median([face.eye_distance for face in known])),
        "fps": float(Fraction(info.fps)),
        "error": float(np.mean(present)) if present else None,
        "lost_faces": sum(a is not None and b is None for (_, a), (_, b) in zip(rows, others, strict=False)),
    }
