"""A clip beside itself as we and AV1 leave it, at the same bytes: a picture of some frames, and the figures.

python samples/side_by_side.py CLIP OUT.png [--seconds 10] [--frames 4] [--quality 50]
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from neurocodec.compare.pictures import titled
from neurocodec.measure.clips import ClipSource, load_clip
from neurocodec.measure.perceptual import PerceptualDistance, distance_model
from neurocodec.media.square import resize
from neurocodec.peers.ours import Ours
from neurocodec.peers.registry import CODECS

SIDE = 224
COARSEST, FINEST = 70, 20


@click.command()
@click.argument("clip", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seconds", default=10.0)
@click.option("--frames", default=4)
@click.option("--quality", default=50.0)
def main(clip: Path, out: Path, seconds: float, frames: int, quality: float) -> None:
    """Write OUT.png: above the source, then ours, then AV1 of at most our bytes (full or half size)."""
    source = load_clip(ClipSource(str(clip), seconds, 256))
    model = distance_model()
    assert model is not None
    distance = PerceptualDistance(model)

    def mean(pictures: np.ndarray) -> float:
        return float(
            np.mean([distance(a, b) for a, b in zip(source.frames[::5], pictures[::5], strict=True)])
        )

    ours, av1 = Ours(), CODECS["av1"]()
    packets = ours.encode(source.frames, source.fps, {"quality": quality})
    size = sum(map(len, packets))
    mine = ours.decode(packets, source.shape, source.fps, {"quality": quality})
    tried = []
    for scale in (1, 2):
        low, high = FINEST, COARSEST
        while low < high:  # the finest that takes no more bytes
            middle = (low + high) // 2
            point = {"crf": middle, "scale": scale}
            if sum(map(len, av1.encode(source.frames, source.fps, point))) > size:
                low = middle + 1
            else:
                high = middle
        point = {"crf": low, "scale": scale}
        coded = av1.encode(source.frames, source.fps, point)
        theirs = av1.decode(coded, source.shape, source.fps, point)
        tried.append((mean(theirs), sum(map(len, coded)), theirs))
    best = min(tried, key=lambda t: t[0])
    kbps = [8 * n / source.seconds / 1000 for n in (size, best[1])]
    print(f"neurocodec: {size} bytes, {kbps[0]:.1f} kbit/s, perceptual distance {mean(mine):.3f}")
    print(f"{av1.title}: {best[1]} bytes, {kbps[1]:.1f} kbit/s, perceptual distance {best[0]:.3f}")
    at = np.linspace(0, source.shape[0] - 1, frames + 2).astype(int)[1:-1]
    names = ("source", f"neurocodec, {kbps[0]:.1f} kbit/s", f"AV1, {kbps[1]:.1f} kbit/s")
    rows = []
    for name, pictures in zip(names, (source.frames, mine, best[2]), strict=True):
        wide = round(SIDE * source.width / source.height)
        row = np.concatenate([resize(pictures[k], wide, SIDE) for k in at], 1)
        rows.append(titled(name, row))
    cv2.imwrite(str(out), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
