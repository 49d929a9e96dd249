"""Renderings and their originals: what the perceptual distance learns from, beside other codecs' pictures.

They are made as the encoder makes them: from one or two references out of a chain of the reference coder, of
keypoints with the error of a quantization step, for frames between those references.  Few people teach whose
picture it is rather than how far it is off; so light, colours and crops are varied.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from neurocodec.models.motion_engine import MotionEngine
from neurocodec.networks.talk import BLUR_SIGMA, BLUR_TAPS
from neurocodec.training.frame_pairs import FramePairs
from neurocodec.types import Picture, Pictures

TOGETHER = 4
"""Frames rendered from the same references."""
_ALONE = 0.25
"""Share of frames with one reference, as at the end of what an encoder has seen."""
_QUANTIZATION = 100
_LARGEST_ZOOM = 1.7
_OTHER_COLOURS = 0.3
"""Share of varied samples whose channels are shuffled."""
_SHARPER, _MOST_SHARPENED = 0.6, 0.9
"""Share of varied samples whose rendering is sharpened, by up to how much."""
_SAID = 200
"""Renderings between lines of progress where there is no terminal."""


class Renderings(NamedTuple):
    """Renderings and originals (count,S,S,3) uint8."""

    pictures: Pictures
    originals: Pictures


def varied(pictures: list[Picture], rng: np.random.Generator) -> list[Picture]:
    """Pictures (S,S,3) in one and the same other light, colours in another order, a part of them enlarged."""
    size = pictures[0].shape[0]
    side = round(size / rng.uniform(1, _LARGEST_ZOOM))
    y, x = rng.integers(size - side + 1, size=2)
    order = rng.permutation(3) if rng.random() < _OTHER_COLOURS else np.arange(3)
    gain = rng.uniform(0.7, 1.2, 3) * rng.uniform(0.8, 1.1)
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain * 255
    table = np.clip(np.round(levels), 0, 255).astype(np.uint8)[None]
    out = []
    for picture in pictures:
        part = cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_LINEAR)
        out.append(np.ascontiguousarray(cv2.LUT(part, table)[..., order]))
    return out


def sharper(picture: Picture, amount: float) -> Picture:
    """Unsharp masking of a picture (S,S,3)."""
    x = picture.astype(np.float32)
    x += amount * (x - cv2.GaussianBlur(x, (BLUR_TAPS, BLUR_TAPS), BLUR_SIGMA))
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def render(
    pairs: FramePairs, count: int, engine: MotionEngine, seed: int, held: float = 0.0, vary: float = 0.0
) -> Renderings:
    """``count`` samples.

    A share ``held`` of them is a reference held still instead of a rendering, a share ``vary`` is
    :func:`varied` and, in part, sharpened.
    """
    rng = np.random.default_rng(seed)
    shape = (count, engine.size, engine.size, 3)
    out = Renderings(np.empty(shape, np.uint8), np.empty(shape, np.uint8))
    with tqdm(total=count, desc="rendering", unit=" frames", disable=None, leave=False) as bar:
        k = 0
        while k < count:
            before, after, targets = (x.numpy() for x in pairs.stretch(min(TOGETHER, count - k), rng))
            if rng.random() < held:
                rendered = np.repeat(before[None], len(targets), 0)
            else:
                used = [engine.reference(before)]
                if rng.random() >= _ALONE and engine.max_references > 1:
                    used.append(engine.reference(after))
                noise = (rng.random((len(targets), engine.num_keypoints, 2)) - 0.5) / _QUANTIZATION
                points = engine.keypoints(targets) + noise
                rendered = engine.render(used, points.astype(np.float32))
            for picture, original in zip(rendered, targets, strict=True):
                if rng.random() < vary:
                    picture, original = varied([picture, original], rng)
                    if rng.random() < _SHARPER:
                        picture = sharper(picture, rng.uniform(0, _MOST_SHARPENED))
                out.pictures[k], out.originals[k] = picture, original
                k += 1
            bar.update(len(targets))
            if bar.disable and k // _SAID > (k - len(targets)) // _SAID:
                print(f"{k} of {count} renderings", file=sys.stderr, flush=True)
    return out
