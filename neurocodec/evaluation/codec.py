"""Encodes and decodes real clips and measures the result, all bytes counted.

Beside the codec stands a frozen reference: the first frame as one AV1 still of at most the same bytes, held
for the whole clip.  It needs no model at all; what it scores is what motion is worth.  Other codecs
stand beside it at the finest setting that takes no more bytes than ours, at whichever size looks better.
"""

from __future__ import annotations

import io
import itertools
import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from neurocodec.api import encode, pictures
from neurocodec.datasets.clips import first_seconds
from neurocodec.encoding.report import EncodeReport
from neurocodec.errors import UsageError
from neurocodec.format.block import StillCodec
from neurocodec.inspect.info import probe
from neurocodec.measure.clips import lossless
from neurocodec.measure.networks import metric_files
from neurocodec.measure.registry import METRICS
from neurocodec.media.square import resize
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find
from neurocodec.option_text import encode_settings
from neurocodec.options import DEFAULT_FEEDBACK, DEFAULT_MOTION
from neurocodec.peers import budget
from neurocodec.peers.codec import Codec
from neurocodec.references.still import decode_still, encode_still
from neurocodec.types import Picture, Pictures

FIGURES = ("psnr_rgb", "ssim", "ms_ssim", "lpips", "landmarks", "identity")
_GROUP = 8


def _cache_folder() -> Path:
    try:
        return Path(platformdirs.user_cache_dir("neurocodec"))
    except RuntimeError:  # a user without a home folder
        return Path(tempfile.gettempdir()) / "neurocodec"


class Measure:
    """The figures of decoded frames against their originals.

    PSNR, SSIM, MS-SSIM and our own distance (``perceptual``) always; LPIPS, landmark error (per cent of the
    distance of the eyes) and identity distance where their networks are given (``lpips``,
    ``face_detector``, ``landmarks``, ``identity``; see :func:`neurocodec.measure.networks.metric_files`).

    Raises:
        InputError: a file that is not there, or holds something else.
    """

    def __init__(self, **networks: Path | None) -> None:
        files = metric_files(_cache_folder(), **networks)
        every = {name.removesuffix("_rgb"): METRICS[name](files) for name in FIGURES}
        self._metrics = {name: m for name, m in every.items() if m.missing(256, 256) is None}
        self._distance = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"))
        self.names = [*self._metrics, "perceptual"]

    def __call__(self, source: Pictures, decoded: Pictures) -> dict[str, float]:
        """Means over frames (N,S,S,3); NaN of a metric that no frame has a value of (no face)."""
        out = {}
        for name, metric in self._metrics.items():
            values = []
            if metric.missing(source.shape[2], source.shape[1]) is None:
                values = [v for v in metric.measure(source, decoded, 1) if v is not None]
            out[name] = float(np.mean(values)) if values else float("nan")
        groups = [slice(k, k + _GROUP) for k in range(0, len(source), _GROUP)]
        distances = [self._distance(source[g], list(decoded[g])) for g in groups]
        return {**out, "perceptual": float(np.concatenate(distances).mean())}


def frozen(frame: Picture, budget: int) -> Picture:
    """The best AV1 still of ``frame`` in at most ``budget`` bytes."""
    best = None
    for quality in range(0, 101, 5):
        coded = encode_still(frame, StillCodec.AV1, quality)
        if best is None or len(coded) <= budget:
            best = coded
    assert best is not None
    return decode_still(best, StillCodec.AV1, frame.shape[0])


def beside(
    peer: Codec, originals: Pictures, fps: Fraction, size: int, measure: Measure, every: int
) -> dict[str, Any]:
    """Figures of a peer in at most ``size`` bytes (or as few as it can), and ``kbps``, ``point``.

    Of its sizes, the one that looks best by LPIPS, or by our own distance.

    Raises:
        UnsupportedError: the peer cannot run here.
    """
    found: list[dict[str, Any]] = []
    for coded in budget.within(peer, originals, fps, size):
        shown = peer.decode(coded.packets, originals.shape, fps, coded.point)
        kbps = coded.size * 8 * float(fps) / len(originals) / 1000
        figures = measure(originals[::every], shown[::every])
        found.append({**figures, "kbps": kbps, "point": peer.label(coded.point)})
    look = "lpips" if "lpips" in measure.names else "perceptual"
    return min(found, key=lambda f: f[look])


def code_clip(
    path: Path, seconds: float, **settings: Any
) -> tuple[Pictures, Fraction, EncodeReport, io.BytesIO]:
    """The first frames of a clip at the model's size, their rate, and what encoding them gives.

    Raises:
        InputError: the clip cannot be read.
    """
    model = find(settings.get("model") or DEFAULT_MOTION, "motion")
    frames, fps = first_seconds(path, model.size, seconds)
    originals, out = np.stack(frames), io.BytesIO()
    report = encode(lossless(originals, fps), out, **{"region": "full"} | settings)
    out.seek(0)
    return originals, fps, report, out


def evaluate(
    path: Path, seconds: float, measure: Measure, every: int, peers: Sequence[Codec] = (), **settings: Any
) -> dict[str, Any]:
    """Figures of one clip and (``..._frozen``) of its frozen reference; under ``pictures``, some frames.

    ``settings`` are encode options; ``every``-th frames are measured.  Figures of ``peers`` end in their
    names.

    Raises:
        InputError: the clip cannot be read.
    """
    originals, fps, report, out = code_clip(path, seconds, **settings)
    info = probe(out)
    out.seek(0)
    decoded = np.stack([p for _, p in pictures(out, model=settings.get("model"))])
    size = info.bytes["total"]
    still = frozen(originals[0], size)
    source = originals[::every]
    figures = {
        "": measure(source, decoded[::every]),
        "_frozen": measure(source, np.stack([still] * len(source))),
        **{f"_{peer.name}": beside(peer, originals, fps, size, measure, every) for peer in peers},
    }
    picked = np.linspace(0, len(originals) - 1, 6).astype(int)
    return {
        "clip": path.stem,
        "frames": len(originals),
        "bytes": size,
        "kbps": info.kbps["video"],
        "bits_per_frame": info.landmark_bits_per_frame,
        "references": info.references,
        "overhead": info.bytes["overhead"] / size,
        "fps": report.frames / report.seconds,
        **{f"{name}{end}": value for end, found in figures.items() for name, value in found.items()},
        "pictures": [(originals[k], decoded[k], still) for k in picked],
    }


def summary(results: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, dict[str, float]]:
    """Mean and median over clips; a clip without a value (no face) does not count."""
    kept: dict[str, list[float]] = {n: [r[n] for r in results if np.isfinite(r[n])] for n in names}
    return {
        "mean": {n: float(np.mean(v)) if v else float("nan") for n, v in kept.items()},
        "median": {n: float(np.median(v)) if v else float("nan") for n, v in kept.items()},
    }


def contact_sheet(results: Sequence[dict[str, Any]], side: int = 160) -> Picture:
    """For each clip a row of originals above a row of decoded frames."""
    rows = [
        np.concatenate([resize(shown[which], side, side) for shown in r["pictures"]], 1)
        for r in results
        for which in (0, 1)
    ]
    return np.concatenate(rows)


def combinations(sweeps: Sequence[str]) -> list[dict[str, Any]]:
    """``NAME=V,V,...`` texts -> the encode options of every combination.

    Raises:
        UsageError: an unknown option or value.
    """
    ladders = []
    for text in sweeps:
        name, equals, values = text.partition("=")
        if not equals or not values.strip(","):
            raise UsageError(f"{text!r} has no values; write NAME=VALUE,VALUE")
        ladders.append([encode_settings([f"{name}={v}"]) for v in values.split(",") if v])
    return [{k: v for one in chosen for k, v in one.items()} for chosen in itertools.product(*ladders)]
