"""Which landmarks to code: learned keypoints or 68 facial ones?  Rates and distances on the same clips."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocodec.api import encode, pictures
from neurocodec.faces.region import FaceRegion
from neurocodec.faces.tracker import FaceTracker, compared, error_of
from neurocodec.format.header import LandmarkCode
from neurocodec.inspect.info import probe
from neurocodec.keypoints.packet_code import LandmarkEncoder
from neurocodec.keypoints.smoothing import smooth
from neurocodec.keypoints.transform import forward, train_basis
from neurocodec.measure.clips import lossless
from neurocodec.measure.pictures import Lpips, psnr
from neurocodec.models import files as models
from neurocodec.models.device import BATCH
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.training.evaluate import read_squares
from neurocodec.training.landmark_data import labelled_frames, landmarks_of_clip
from neurocodec.types import Picture

_SMOOTHING = 0.2


def bits_per_frame(
    values: NDArray[np.float64], steps: float, basis: NDArray[np.int16] | None = None
) -> float:
    """Bits a frame of trajectories (frames,M), ``steps`` per unit, relative to the first frame, smoothed."""
    exact = steps * (values - values[0])
    symbols = smooth(exact if basis is None else forward(exact, basis), _SMOOTHING)
    coder = LandmarkEncoder(LandmarkCode.RANGE, symbols.shape[1])
    for row in symbols[1:]:
        coder.write(row)
    return 8 * len(coder.getvalue()) / max(1, len(symbols) - 1)


def coding_costs(engine: LandmarkEngine, frames: list[Picture], steps: float) -> dict[str, float]:
    """Bits a frame of the latent and of the 68 points of the same frames.

    The points are coded at the same steps per unit of [-1,1], coordinate by coordinate, and in their own
    principal axes, fitted to this very clip, which is more than a decoder could know.
    """
    latents = np.concatenate(
        [engine.latents(np.stack(frames[k : k + BATCH]))[0] for k in range(0, len(frames), BATCH)]
    )
    points = 2 * engine.decode(latents).reshape(len(frames), -1).astype(np.float64) - 1
    return {
        "latent": bits_per_frame(latents.astype(np.float64), steps),
        "points": bits_per_frame(points, steps),
        "points_in_their_axes": bits_per_frame(points, steps, train_basis([points])),
    }


def compare_modes(
    path: Path, seconds: float, every: int, lpips: Lpips | None, qualities: tuple[float, ...], refresh: str
) -> list[dict[str, Any]]:
    """Both kinds of landmarks on a clip at the same qualities."""
    frames, fps = read_squares(path, 256, seconds)
    engine = LandmarkEngine(models.find(models.DEFAULT_LANDMARKS, "landmarks"), "cpu")
    meter = DistanceEngine(models.find(models.DEFAULT_FEEDBACK, "feedback"))
    costs = coding_costs(engine, frames, 100)
    rows = []
    for quality in qualities:
        for kind in ("learned", "68"):
            rows.append(
                {"clip": path.stem, "quality": quality, "landmarks": kind, **costs}
                | _measured(frames, fps, kind, quality, refresh, every, lpips, meter, engine)
            )
    return rows


def _measured(
    frames: list[Picture], fps: Fraction, kind: str, quality: float, refresh: str, every: int,
    lpips: Lpips | None, meter: DistanceEngine, engine: LandmarkEngine,
) -> dict[str, Any]:  # fmt: skip
    out = io.BytesIO()
    encode(lossless(np.stack(frames), fps), out, landmarks=kind, quality=quality, refresh=refresh)
    out.seek(0)
    info = probe(out)
    out.seek(0)
    decoded = [p for _, p in pictures(out)]
    chosen = range(0, len(frames), every)
    tracker = FaceTracker(engine)
    faces = [(k, tracker.update(frames[k])) for k in chosen]
    errors = [error_of(*compared(engine, decoded[k], frames[k], face)) for k, face in faces if face]
    known = [e for e in errors if e is not None]
    return {
        "kbps": info.kbps["video"],
        "bits_per_frame": info.landmark_bits_per_frame,
        "references": info.references,
        "psnr": float(np.mean([psnr(frames[k], decoded[k]) for k in chosen])),
        "distance": float(np.mean([meter(decoded[k][None], [frames[k]])[0] for k in chosen])),
        "lpips": float(np.mean([lpips(frames[k], decoded[k]) for k in chosen])) if lpips else float("nan"),
        "landmark_error": float(np.mean(known)) if known else float("nan"),
    }


def mode_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each clip, quality and kind, then the means of each kind."""
    columns = ("kbps", "bits_per_frame", "references", "psnr", "distance", "lpips", "landmark_error")
    out = [f"{'clip':<12}{'quality':>8}{'kind':>9}" + "".join(f"{c:>15}" for c in columns)]

    def line(name: str, quality: float, kind: str, some: list[dict[str, Any]]) -> str:
        values = "".join(f"{np.mean([r[c] for r in some]):15.3f}" for c in columns)
        return f"{name:<12}{quality:8g}{kind:>9}{values}"

    out += [line(r["clip"], r["quality"], r["landmarks"], [r]) for r in rows]
    for quality in sorted({r["quality"] for r in rows}):
        for kind in ("learned", "68"):
            same = [r for r in rows if (r["quality"], r["landmarks"]) == (quality, kind)]
            out.append(line("mean", quality, kind, same))
    means = {c: np.mean([r[c] for r in rows]) for c in ("latent", "points", "points_in_their_axes")}
    out.append(
        f"bits a frame at Q = 100, smoothed: latent {means['latent']:.1f}, the 68 points "
        f"{means['points']:.1f}, in axes fitted to each clip {means['points_in_their_axes']:.1f}"
    )
    return out


def region_lines(engine: LandmarkEngine, folder: Path, landmarks: Path, every: int) -> list[str]:
    """How steady the square of ``--region face`` is, by boxes and by landmarks, each frame by itself.

    Each clip is put into a larger picture.  Deviations are those of middle and side from the square that the
    clip's stored landmarks ask for, in per cent of its side, less their mean over the clip.
    """
    import cv2

    from neurocodec.faces.region import LANDMARK_MARGIN

    stored = np.load(landmarks)
    found: dict[str, list[float]] = {"box": [], "landmarks": []}
    missed = {"box": 0, "landmarks": 0}
    count = 0
    for path in sorted(folder.glob("*.mp4")):
        if path.stem not in stored:
            continue
        rows: dict[str, list[NDArray[np.float64]]] = {"box": [], "landmarks": []}
        for frame, marks in labelled_frames(path, landmarks_of_clip(stored[path.stem]), every):
            count += 1
            wide = cv2.copyMakeBorder(frame, 128, 128, 192, 192, cv2.BORDER_REPLICATE)
            picture = np.asarray(wide, np.uint8)
            low, high = marks.min(0) * 256 + (192, 128), marks.max(0) * 256 + (192, 128)
            side = LANDMARK_MARGIN * float((high - low).max())
            for kind in rows:
                region = _square(kind, picture, engine)
                if region is None:
                    missed[kind] += 1
                    continue
                x, y, found_side = region
                middle = np.array([x, y]) - (low + high) / 2
                rows[kind].append(100 * np.array([*middle, found_side - side]) / side)
        for kind, some in rows.items():
            if some:
                found[kind] += np.abs(np.stack(some) - np.mean(some, 0)).mean(1).tolist()
    return [f"{count} frames"] + [
        f"by {kind}: deviation {np.mean(values):.2f} % of the side, nothing found in {missed[kind]}"
        for kind, values in found.items()
    ]


def _square(kind: str, picture: Picture, engine: LandmarkEngine) -> tuple[float, float, float] | None:
    finder = FaceRegion(tracker=FaceTracker(engine))
    return finder.by_landmarks(picture) if kind == "landmarks" else finder.by_box(picture)
