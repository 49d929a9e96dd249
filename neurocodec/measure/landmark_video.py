"""The 68 facial landmarks of a whole video: drawn, tabled, plotted, compared with another version's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from neurocodec.api import pictures
from neurocodec.errors import InputError, UnsupportedError, UsageError
from neurocodec.faces import views
from neurocodec.faces.face import Face, error_of
from neurocodec.faces.tracker import FaceTracker
from neurocodec.files.atomic import refuse_existing, write_whole
from neurocodec.files.figures import rendered
from neurocodec.format.header import Fit
from neurocodec.format.reader import NfcReader
from neurocodec.media.frames import open_video, read_frames
from neurocodec.media.square import crop, resize
from neurocodec.media.writer import MediaWriter
from neurocodec.models.landmark_engine import open_landmark_engine
from neurocodec.types import Picture

_SIGNATURE = b"NFC\x1a"


def other_version(path: Path, width: int, height: int) -> Iterator[Picture]:
    """The pictures of another version of a video, an .nfc file or a video, at the size of the first.

    Raises:
        InputError: it cannot be read.
        UnsupportedError: it holds a part of the picture.
    """
    try:
        with path.open("rb") as file:
            coded = file.read(len(_SIGNATURE)) == _SIGNATURE
            file.seek(0)
            header = NfcReader(file, str(path)).header if coded else None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    if header is None:
        yield from (resize(picture, width, height) for _, picture in read_frames(path))
        return
    if header.fit is Fit.REGION:
        raise UnsupportedError(f"{path} holds a part of the picture; decode it and give the source's part")
    for _, square in pictures(path):
        yield resize(crop(square, header.content()), width, height)


def follow_landmarks(
    video: Path, overlay: Path | None = None, plot_path: Path | None = None, csv_path: Path | None = None, *,
    beside: Path | None = None, seconds: float | None = None, model: str | None = None, force: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Find the landmarks of the largest face in every frame; what ``neurocodec landmarks`` reports.

    Args:
        overlay, plot_path, csv_path: outputs: an MP4 with points over the faces, a PNG, a table.
        beside: another version of the video, whose landmarks are compared.

    Raises:
        InputError: no video, no picture or no face in it, or no such model.
        OutputError: an output exists and ``force`` is not set, or cannot be written.
        UsageError: an output that is an input, or a time that is not positive.
    """
    if seconds is not None and seconds <= 0:
        raise UsageError("seconds must be positive")
    outputs = [p for p in (overlay, plot_path, csv_path) if p]
    for path in outputs:
        if path in (video, beside) or outputs.count(path) > 1:
            raise UsageError(f"{path} is named twice")
    refuse_existing(outputs, force)
    engine = open_landmark_engine(model)
    versions = 2 if beside else 1
    trackers = [FaceTracker(engine) for _ in range(versions)]
    times: list[float] = []
    found: list[list[Face | None]] = [[] for _ in range(versions)]
    with ExitStack() as stack:
        info, sources = stack.enter_context(open_video(video))
        others = other_version(beside, info.width, info.height) if beside else None
        writer = overlay and stack.enter_context(
            MediaWriter(
                overlay, width=versions * info.width, height=info.height, time_base=info.time_base,
                fps=info.fps, color=info.color, sar=info.sar, force=force,
            )
        )  # fmt: skip
        first: int | None = None
        for source in sources:
            first = source.pts if first is None else first
            time = float((source.pts - first) * info.time_base)
            if seconds is not None and time >= seconds:
                break
            times.append(time)
            shown = [source.to_rgb()]
            if others:
                following = next(others, None)
                if following is None:
                    raise InputError(f"{beside} has fewer frames than {video}")
                shown.append(following)
            for faces, tracker, picture in zip(found, trackers, shown, strict=True):
                faces.append(tracker.update(picture))
            if writer:
                drawn = [views.drawn(p, faces[-1]) for p, faces in zip(shown, found, strict=True)]
                writer.write_video(np.concatenate(drawn, 1), source.pts - first)
        if not times:
            raise InputError(f"{video} has no picture that can be decoded")
        known = [face for face in found[0] if face is not None]
        if not known:
            raise InputError(f"no face was found in {video}")
    rows = [list(zip(times, faces, strict=True)) for faces in found]
    if csv_path:
        write_whole(csv_path, views.table(rows[0]).encode(), force)
    if plot_path:
        names = ("original", "other version") if beside else ("landmarks",)
        figure = views.plot(list(zip(names, rows, strict=True)), video.name)
        write_whole(plot_path, rendered(figure, "png"), force)
    pairs = list(zip(*found, strict=True)) if beside else []
    errors = [e for source_face, face in pairs if (e := error_of(face, source_face)) is not None]
    return {
        "frames": len(times),
        "frames_with_face": len(known),
        "most_faces": max(face.seen for face in known),
        "eye_distance": float(np.median([face.eye_distance for face in known])),
        "fps": float(info.fps),
        "error": float(np.mean(errors)) if errors else None,
        "lost_faces": sum(source_face is not None and face is None for source_face, face in pairs),
    }
