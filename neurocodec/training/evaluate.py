"""Encodes and decodes real clips and measures the result, all bytes counted.

    neurocodec train evaluate CLIP... [--lpips WEIGHTS] [--against hevc,av1] [--sweep quantization=50,100,200]

Beside the codec stands a frozen reference: the first frame as one AV1 still of at most the same bytes, held
for the whole clip.  It needs no model at all; what it scores is what motion is worth.  Other codecs
stand beside it at the finest setting that takes no more bytes than ours, at whichever size looks better.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import platformdirs
from numpy.typing import NDArray

from neurocodec.api import encode, pictures
from neurocodec.errors import NeurocodecError, OutputError, UnsupportedError, UsageError
from neurocodec.format.block import StillCodec
from neurocodec.inspect.info import probe
from neurocodec.measure.clips import lossless
from neurocodec.measure.faces import Identity, LandmarkError
from neurocodec.measure.metric import LpipsAlex, Metric, MsSsim, PsnrRgb, Ssim
from neurocodec.measure.networks import metric_files
from neurocodec.media.square import resize
from neurocodec.models import files as models
from neurocodec.models.distance import DistanceEngine
from neurocodec.option_text import encode_settings
from neurocodec.peers import budget, registry
from neurocodec.peers.codec import Codec
from neurocodec.references.still import decode_still, encode_still
from neurocodec.training.clips import expanded, read_squares
from neurocodec.types import Picture

SHORT = {"psnr_rgb": "psnr"}
RATES = ("kbps", "bits_per_frame", "references")


class Measure:
    """The figures of decoded frames against their originals.

    PSNR, SSIM, MS-SSIM and our own distance always; LPIPS, landmark error (468 points, per cent of the
    distance of the eyes) and identity distance where their networks are given, as files or by the
    environment (:mod:`neurocodec.measure.networks`).

    Raises:
        InputError: a file that is not there, or holds something else.
    """

    def __init__(
        self, lpips: Path | None = None, face_detector: Path | None = None,
        landmark_net: Path | None = None, identity_net: Path | None = None,
    ) -> None:  # fmt: skip
        def text(path: Path | None) -> str | None:
            return None if path is None else str(path)

        files = metric_files(
            Path(platformdirs.user_cache_dir("neurocodec")), lpips=text(lpips),
            face_detector=text(face_detector), landmarks=text(landmark_net), identity=text(identity_net),
        )  # fmt: skip
        every: list[Metric] = [
            PsnrRgb(files), Ssim(files), MsSsim(files),
            LpipsAlex(files), LandmarkError(files), Identity(files),
        ]  # fmt: skip
        self._metrics = {SHORT.get(m.name, m.name): m for m in every if m.missing(256, 256) is None}
        self._likeness = DistanceEngine(models.find(models.DEFAULT_FEEDBACK, "feedback"))
        self.names = [*self._metrics, "likeness"]

    def __call__(
        self, source: Sequence[Picture], decoded: Sequence[Picture], fps: Fraction
    ) -> dict[str, float]:
        """Means over frames (S,S,3); NaN of a metric that no frame has a value of (no face)."""
        a, b = np.stack(source), np.stack(decoded)
        out = {}
        for name, metric in self._metrics.items():
            if metric.missing(a.shape[2], a.shape[1]) is not None:
                out[name] = float("nan")
                continue
            values = [v for v in metric.measure(a, b, fps, 1) if v is not None]
            out[name] = float(np.mean(values)) if values else float("nan")
        groups = [slice(k, k + 8) for k in range(0, len(a), 8)]
        out["likeness"] = float(np.concatenate([self._likeness(a[g], list(b[g])) for g in groups]).mean())
        return out


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
    peer: Codec, originals: NDArray[np.uint8], fps: Fraction, size: int, measure: Measure, every: int
) -> dict[str, Any]:
    """Figures of a peer in at most ``size`` bytes (or as few as it can), and ``kbps``, ``point``.

    Of its sizes, the one that looks best by LPIPS, or by ours.

    Raises:
        UnsupportedError: the peer cannot run here.
    """
    best: dict[str, Any] = {}
    judge = "lpips" if "lpips" in measure.names else "likeness"
    for coded in budget.within(peer, originals, fps, size):
        shown = budget.decoded(peer, coded, originals, fps)[::every]
        found: dict[str, Any] = dict(measure(list(originals[::every]), list(shown), fps))
        if not best or found[judge] < best[judge]:
            kbps = coded.size * 8 * float(fps) / len(originals) / 1000
            best = {**found, "kbps": kbps, "point": peer.label(coded.point)}
    return best


def evaluate(
    path: Path, seconds: float, measure: Measure, every: int, peers: Sequence[Codec] = (), **settings: Any
) -> dict[str, Any]:
    """Figures of one clip and (``..._frozen``) of its frozen reference; under ``pictures``, some frames.

    ``settings`` are encode options; ``every``-th frames are measured.  Figures of ``peers`` end in their
    names.
    """
    model = models.find(settings.get("model") or models.DEFAULT_MOTION, "motion")
    originals, fps = read_squares(path, model.size, seconds)
    out = io.BytesIO()
    report = encode(lossless(np.stack(originals), fps), out, **settings)
    out.seek(0)
    info = probe(out)
    out.seek(0)
    decoded = [p for _, p in pictures(out, model=settings.get("model"))]
    still = frozen(originals[0], info.bytes["total"])
    source, shown = originals[::every], decoded[::every]
    held = measure(source, [still] * len(source), fps)
    others = {p.name: beside(p, np.stack(originals), fps, info.bytes["total"], measure, every) for p in peers}
    picked = np.linspace(0, len(originals) - 1, 6).astype(int)
    return {
        "clip": path.stem,
        "frames": len(originals),
        "bytes": info.bytes["total"],
        "kbps": info.kbps["video"],
        "bits_per_frame": info.landmark_bits_per_frame,
        "references": info.references,
        "overhead": info.bytes["overhead"] / info.bytes["total"],
        "fps": report.frames / report.seconds,
        **measure(source, shown, fps),
        **{f"{name}_frozen": value for name, value in held.items()},
        **{f"{name}_{peer}": value for peer, found in others.items() for name, value in found.items()},
        "pictures": [(originals[k], decoded[k], still) for k in picked],
    }


def summary(results: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, dict[str, float]]:
    """Mean and median over clips; a clip without a value (no face) does not count."""
    kept: dict[str, list[float]] = {n: [r[n] for r in results if np.isfinite(r[n])] for n in names}
    return {
        "mean": {n: float(np.mean(v)) if v else float("nan") for n, v in kept.items()},
        "median": {n: float(np.median(v)) if v else float("nan") for n, v in kept.items()},
    }


def sheet(results: list[dict[str, Any]], path: Path, side: int = 160) -> None:
    """Contact sheet: for each clip a row of originals above a row of decoded frames.

    Raises:
        OutputError: it cannot be written.
    """
    rows = []
    for r in results:
        for which in (0, 1):
            rows.append(np.concatenate([resize(p[which], side, side) for p in r["pictures"]], 1))
    try:
        written = cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
    except cv2.error:
        written = False
    if not written:
        raise OutputError(f"cannot write {path}")


def points_of(sweeps: Sequence[str]) -> list[dict[str, Any]]:
    """``NAME=V,V,...`` texts -> the settings of every combination.

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


class _Table:
    """One line for each clip: rates, then every figure beside the frozen reference's; then one a peer."""

    def __init__(self, first: str, names: Sequence[str], peers: Sequence[str]) -> None:
        self._names, self._width, self._peers = names, max(12, len(first)), peers
        click.echo(
            f"{first:<{self._width}}" + "".join(f"{n[:9]:>10}" for n in RATES)
            + "".join(f"{n + '/frozen':>18}" for n in names)
        )  # fmt: skip

    def line(self, label: str, r: dict[str, Any]) -> None:
        click.echo(
            f"{label[: self._width]:<{self._width}}" + "".join(f"{r[n]:10.2f}" for n in RATES)
            + "".join(f"{r[n]:11.3f} {r[f'{n}_frozen']:6.3f}" for n in self._names)
        )  # fmt: skip
        for peer in self._peers:
            figures = "".join(f"{r[f'{n}_{peer}']:11.3f}" + " " * 7 for n in self._names)
            click.echo(
                f"  {peer[: self._width - 2]:<{self._width - 2}}{r[f'kbps_{peer}']:10.2f}{'':20}{figures}"
            )


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", metavar="NAME|FILE", help="Motion model.  [default: talk256]")
@click.option("--seconds", default=10.0, show_default=True, help="Of each clip, from its beginning.")
@click.option("--every", default=5, show_default=True, help="Measure every n-th frame.")
@click.option("--lpips", type=click.Path(path_type=Path), help="AlexNet LPIPS weights.")
@click.option("--landmark-net", type=click.Path(path_type=Path), help="468-point net (tflite).")
@click.option("--identity-net", type=click.Path(path_type=Path), help="dlib's face descriptor.")
@click.option("--face-detector", type=click.Path(path_type=Path), help="YuNet; for the two above.")
@click.option("--against", metavar="CODEC,CODEC", help="Other codecs at our bytes, as of 'compare'.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="NAME=V,V",
    help="Values of an encode option; several sweeps: all combinations.",
)
@click.option("--sheet", "sheet_path", type=click.Path(path_type=Path), help="Write a contact sheet.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all figures.")
@click.option("--set", "settings", multiple=True, help="An encode option, NAME=VALUE.")
def main(
    clips: tuple[Path, ...], model: str | None, seconds: float, every: int, lpips: Path | None,
    landmark_net: Path | None, identity_net: Path | None, face_detector: Path | None, against: str | None,
    sweeps: tuple[str, ...], sheet_path: Path | None, json_path: Path | None, settings: tuple[str, ...],
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
    fixed = encode_settings(settings) | ({"model": model} if model else {})
    points = points_of(sweeps)
    paths = expanded(clips)
    measure = Measure(lpips, face_detector, landmark_net, identity_net)
    peers = [kind() for kind in registry.chosen(against, registry.CODECS, "codec")] if against else []
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
            results.append(evaluate(path, seconds, measure, every, peers, **{**fixed, **point}))
            if not sweeps:
                table.line(results[-1]["clip"], results[-1])
        whole = summary(results, names)
        if sweeps:
            table.line(" ".join(str(v) for v in point.values()), whole["mean"])
        else:
            table.line("mean", whole["mean"])
            table.line("median", whole["median"])
        plain = [{k: v for k, v in r.items() if k != "pictures"} for r in results]
        reports.append({"settings": {**fixed, **point}, "clips": plain, **whole})
    if sheet_path:
        sheet(results, sheet_path)
    if json_path:
        try:
            json_path.write_text(json.dumps(reports if sweeps else reports[0], indent=2))
        except OSError as error:
            raise OutputError(f"cannot write {json_path}: {error.strerror or error}") from None


if __name__ == "__main__":
    try:
        main()
    except NeurocodecError as error:
        raise SystemExit(f"error: {error}") from None
