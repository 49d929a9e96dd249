"""How well a feedback network's verdict agrees with the true distance, on what the encoder really makes.

Clips are encoded and decoded; on every n-th rendered frame the network sees what an encoder shows it (the
rendering, and the original if it looks at that), and its verdict is compared with the LPIPS distance of
the two.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocodec import models
from neurocodec.api import encode
from neurocodec.compare.ours import lossless
from neurocodec.container import Loss, NfcReader
from neurocodec.decoder import Decoder
from neurocodec.engine import BATCH, Engine
from neurocodec.errors import InputError
from neurocodec.feedback import FeedbackNetwork
from neurocodec.metrics import Picture
from neurocodec.options import DecodeOptions, EncodeOptions
from neurocodec.packets import parse_frames
from neurocodec.training.clips import read_squares

Distance = Callable[[Picture, Picture], float]
_TIMED = 40
"""Calls that a time is the median of."""


@dataclass
class Agreement:
    """Rank correlation of verdicts with (minus) distances, and what a verdict costs.

    ``clips`` holds each clip's own rank correlation; ``verdict_ms`` are the milliseconds of one verdict on an
    original that is new, ``frame_ms`` those of one decoded frame, ``gap`` the frames to a verdict.
    """

    spearman: float
    pearson: float
    frames: int
    clips: dict[str, float]
    verdict_ms: float = 0.0
    frame_ms: float = 0.0
    gap: int = EncodeOptions.gap

    @property
    def share(self) -> float:
        """One verdict's part of the time of one decoded frame."""
        return self.verdict_ms / self.frame_ms if self.frame_ms else 0.0

    @property
    def share_per_frame(self) -> float:
        """The same per frame, where every ``gap``-th is judged."""
        return self.share / self.gap


def renderings(
    data: io.BytesIO, model: str | None = None, device: str = "auto"
) -> Iterator[tuple[int, Picture]]:
    """Index and rendering (S,S,3) of every rendered frame of an ``.nfc`` file.

    Frames that are references themselves are left out.
    """
    reader = NfcReader(data, "clip")
    decoder = Decoder(reader.header, DecodeOptions(model=model, device=device))
    index = 0
    for item in reader:
        if isinstance(item, Loss):
            continue
        block = item[0]
        frames = parse_frames(block, reader.header)
        for frame, (_, picture) in zip(frames, decoder.pictures(block), strict=True):
            if frame.symbols is not None:
                yield index, picture
            index += 1


def judged_frames(
    path: Path, seconds: float, every: int, size: int, **settings: Any
) -> Iterator[tuple[Picture, Picture]]:
    """Rendering and original of every ``every``-th rendered frame of a clip."""
    originals, fps = read_squares(path, size, seconds)
    out = io.BytesIO()
    encode(lossless(np.stack(originals), fps), out, **settings)
    out.seek(0)
    for k, picture in renderings(out, settings.get("model")):
        if k % every == 0:
            yield picture, originals[k]


def agreement(
    verdicts: dict[str, NDArray[np.floating]], distances: dict[str, NDArray[np.floating]]
) -> Agreement:
    """Of verdicts and distances by clip, over all frames together and clip by clip.

    Raises:
        InputError: fewer than three frames.
    """
    from scipy.stats import pearsonr, spearmanr

    guesses, truths = (np.concatenate([d[k] for k in verdicts]) for d in (verdicts, distances))
    if len(guesses) < 3:
        raise InputError("too few rendered frames to correlate; give longer clips or a smaller --every")
    own = {
        k: float(spearmanr(verdicts[k], -distances[k]).statistic)
        for k in verdicts
        if len(verdicts[k]) > 2 and np.ptp(verdicts[k]) > 0 and np.ptp(distances[k]) > 0
    }
    return Agreement(
        float(spearmanr(guesses, -truths).statistic), float(pearsonr(guesses, -truths).statistic),
        len(guesses), own,
    )  # fmt: skip


def _median_ms(call: Any, count: int = _TIMED) -> float:
    """Median wall time of a call in milliseconds, after three that do not count."""
    times = []
    for _ in range(count + 3):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times[3:]))


def cost(feedback: FeedbackNetwork, engine: Engine, picture: Picture) -> tuple[float, float]:
    """Milliseconds of one verdict whose original is new, and of a decoder's frame, from two references.

    Both with :data:`~neurocodec.engine.BATCH` pictures in one call.
    """
    pictures = np.repeat(picture[None], BATCH, 0)
    reference = engine.reference(picture)
    points = np.repeat(engine.keypoints(picture[None]), BATCH, 0)
    used = [reference] * min(2, engine.max_references)
    # a copy is another picture to a network that remembers originals
    verdict = _median_ms(lambda: feedback(pictures, [picture.copy() for _ in pictures]))
    return verdict / BATCH, _median_ms(lambda: engine.render(used, points), 10) / BATCH


def measure(
    paths: Sequence[Path], feedback: FeedbackNetwork, distance: Distance, *, seconds: float, every: int,
    model: str | None = None, progress: Callable[[str, int], None] | None = None,
) -> Agreement:  # fmt: skip
    """Encode clips at the default options and compare the network's verdicts with ``distance`` (LPIPS).

    ``progress`` is called with each clip's name and how many of its frames were judged.

    Raises:
        InputError: a clip that cannot be read, or too few frames.
    """
    description = models.find(model or models.DEFAULT_MOTION, "motion")
    settings = {"model": model} if model else {}
    verdicts, distances = {}, {}
    for name, path in names(paths).items():
        guesses, truths = [], []
        made = judged_frames(path, seconds, every, description.size, **settings)
        for rendering, original in made:
            guesses.append(float(feedback(rendering[None], [original])[0]))
            truths.append(distance(rendering, original))
        verdicts[name], distances[name] = np.array(guesses), np.array(truths)
        if progress:
            progress(name, len(guesses))
    found = agreement(verdicts, distances)
    picture = read_squares(paths[0], description.size, 0.01)[0][0]
    found.verdict_ms, found.frame_ms = cost(feedback, Engine(description), picture)
    return found


def names(paths: Sequence[Path]) -> dict[str, Path]:
    """Clips by a name for each, its file's or, where two have the same, its path."""
    stems = [p.stem for p in paths]
    return {p.stem if stems.count(p.stem) == 1 else str(p): p for p in paths}
