"""Encodes and decodes real clips and measures the result, all bytes counted.

    python -m neurocodec.training.evaluate CLIP... [--lpips WEIGHTS] [--sheet PNG] [--json FILE]

Beside the codec stands a frozen reference: the first frame as one AV1 still of at most the same bytes.
"""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec import models
from neurocodec.api import encode, pictures, probe
from neurocodec.block import StillCodec
from neurocodec.compare.ours import lossless
from neurocodec.engine import DistanceEngine
from neurocodec.fit import resize
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.metrics import Lpips, psnr, ssim
from neurocodec.still import decode_still, encode_still

Picture = NDArray[np.uint8]


def read_squares(path: Path, size: int, seconds: float) -> tuple[list[Picture], Fraction]:
    """Frames of a square clip (S,S,3), and its frame rate."""
    out: list[Picture] = []
    with MediaReader(path, audio=False) as reader:
        for item in reader:
            if isinstance(item, VideoPicture):
                out.append(item.to_rgb(size, size))
                if len(out) >= seconds * float(reader.video.fps):
                    break
        return out, reader.video.fps


def frozen(frame: Picture, budget: int) -> Picture:
    """The best AV1 still of ``frame`` in at most ``budget`` bytes."""
    best = None
    for quality in range(0, 101, 5):
        coded = encode_still(frame, StillCodec.AV1, quality)
        if best is None or len(coded) <= budget:
            best = coded
    assert best is not None
    return decode_still(best, StillCodec.AV1, frame.shape[0])


def evaluate(path: Path, seconds: float, lpips: Lpips | None, every: int, **settings: Any) -> dict[str, Any]:
    """Figures of one clip, and (under ``frames``) some pictures."""
    originals, fps = read_squares(path, 256, seconds)
    out = io.BytesIO()
    report = encode(lossless(np.stack(originals), fps), out, **settings)
    out.seek(0)
    info = probe(out)
    out.seek(0)
    decoded = [p for _, p in pictures(out)]
    still = frozen(originals[0], info.bytes["total"])
    meter = DistanceEngine(models.find(models.DEFAULT_DISTANCE, "distance"))
    rows: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rows.setdefault(name, []).append(value)

    for k in range(0, len(originals), every):
        a, b = originals[k], decoded[k]
        note("psnr", psnr(a, b))
        note("ssim", ssim(a, b))
        note("psnr_frozen", psnr(a, still))
        note("likeness", float(meter(a[None], b[None])[0]))
        if lpips:
            note("lpips", lpips(a, b))
            note("lpips_frozen", lpips(a, still))
    picked = np.linspace(0, len(originals) - 1, 6).astype(int)
    return {
        "clip": path.stem,
        "frames": len(originals),
        "kbps": info.kbps["video"],
        "bits_per_frame": info.landmark_bits_per_frame,
        "references": info.references,
        "overhead": info.bytes["overhead"] / info.bytes["total"],
        "fps": report.frames / report.seconds,
        **{name: float(np.mean(v)) for name, v in rows.items()},
        "pictures": [(originals[k], decoded[k], still) for k in picked],
    }


def sheet(results: list[dict[str, Any]], path: Path, side: int = 160) -> None:
    """Contact sheet: for each clip a row of originals above a row of decoded frames."""
    rows = []
    for r in results:
        for which in (0, 1):
            rows.append(np.concatenate([resize(p[which], side, side) for p in r["pictures"]], 1))
    cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--every", default=5, show_default=True, help="Measure every n-th frame.")
@click.option("--lpips", type=click.Path(path_type=Path, exists=True), help="AlexNet LPIPS weights.")
@click.option("--sheet", "sheet_path", type=click.Path(path_type=Path))
@click.option("--json", "json_path", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, help="An encode option, NAME=VALUE.")
def main(
    clips: tuple[Path, ...],
    seconds: float,
    every: int,
    lpips: Path | None,
    sheet_path: Path | None,
    json_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Measure the codec on CLIPS (square)."""
    chosen: dict[str, Any] = {}
    for text in settings:
        name, _, value = text.partition("=")
        chosen[name] = json.loads(value) if value[:1].isdigit() else value
    metric = Lpips(lpips) if lpips else None
    results = []
    names = ["kbps", "bits_per_frame", "references", "psnr", "psnr_frozen", "ssim", "likeness"]
    names += ["lpips", "lpips_frozen"]
    names = [n for n in names if metric or "lpips" not in n]
    click.echo(f"{'clip':<12}" + "".join(f"{n[:13]:>14}" for n in names))
    for clip in clips:
        r = evaluate(clip, seconds, metric, every, **chosen)
        results.append(r)
        click.echo(f"{r['clip']:<12}" + "".join(f"{r[n]:14.3f}" for n in names))
    mean = {n: float(np.mean([r[n] for r in results])) for n in names}
    click.echo(f"{'mean':<12}" + "".join(f"{mean[n]:14.3f}" for n in names))
    median = {n: float(np.median([r[n] for r in results])) for n in names}
    click.echo(f"{'median':<12}" + "".join(f"{median[n]:14.3f}" for n in names))
    if sheet_path:
        sheet(results, sheet_path)
    if json_path:
        for r in results:
            del r["pictures"]
        report = {"settings": chosen, "clips": results, "mean": mean, "median": median}
        json_path.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
