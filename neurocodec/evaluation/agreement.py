"""How well a feedback network's verdict agrees with the true distance, on what the encoder really makes.

Clips are encoded and decoded; on every n-th rendered frame the network sees what an encoder shows it (the
rendering, and the original if it looks at that), and its verdict is compared with the LPIPS distance of
the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from neurocodec.decoding.block_decoder import BlockDecoder
from neurocodec.errors import InputError
from neurocodec.evaluation.codec import code_clip
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.keypoints.packets import parse_frames
from neurocodec.models.feedback import FeedbackNetwork
from neurocodec.options import DecodeOptions
from neurocodec.types import Picture

Distance = Callable[[Picture, Picture], float]


@dataclass
class Spent:
    """Frames encoded, verdicts asked for, and seconds: of all verdicts, and of decoding all the frames.

    Decoding is from packets to pictures of the model's size; reading and writing files do not count.  While
    an encoder judges, its source may be read beside it; first calls count in both.
    """

    frames: int = 0
    verdicts: int = 0
    judging: float = 0.0
    decoding: float = 0.0

    def a_frame(self) -> dict[str, float]:
        """For each frame: verdicts, their milliseconds, those of decoding; verdicts' share of decoding."""
        frames = max(1, self.frames)
        return {
            "verdicts_per_frame": self.verdicts / frames,
            "judging_ms": 1000 * self.judging / frames,
            "decoding_ms": 1000 * self.decoding / frames,
            "share": self.judging / self.decoding if self.decoding else 0.0,
        }


@dataclass
class Agreement:
    """Rank correlation of verdicts with (minus) distances, and what verdicts cost an encoder.

    ``clips`` holds each clip's own rank correlation; ``spent`` the times of encoding and decoding the clips.
    """

    spearman: float
    pearson: float
    frames: int
    clips: dict[str, float]
    spent: Spent = field(default_factory=Spent)


def rendered_frames(
    path: Path, seconds: float, every: int, spent: Spent, **settings: Any
) -> Iterator[tuple[Picture, Picture]]:
    """Rendering and original of every ``every``-th frame of a clip that is no reference itself.

    ``settings`` are encode options; ``spent`` counts the times of all frames.

    Raises:
        InputError: the clip cannot be read.
    """
    originals, _, report, out = code_clip(path, seconds, **settings)
    spent.frames += report.frames
    spent.verdicts += report.verdicts
    spent.judging += report.judging
    reader = NfcReader(out, "clip")
    decoder = BlockDecoder(reader.header, DecodeOptions(model=settings.get("model")))
    index = 0
    for item in reader:
        if isinstance(item, Loss):
            continue
        frames = parse_frames(item[0], reader.header)
        began = time.perf_counter()
        shown = list(decoder.pictures(item[0]))
        spent.decoding += time.perf_counter() - began
        for frame, (_, picture) in zip(frames, shown, strict=True):
            if frame.symbols is not None and index % every == 0:
                yield picture, originals[index]
            index += 1


def agreement(
    verdicts: dict[str, NDArray[np.floating]], distances: dict[str, NDArray[np.floating]]
) -> Agreement:
    """Of verdicts and distances by clip, over all frames together and clip by clip.

    Raises:
        InputError: fewer than three frames.
    """
    every, truths = (np.concatenate([d[k] for k in verdicts]) for d in (verdicts, distances))
    if len(every) < 3:
        raise InputError("too few rendered frames to correlate; give longer clips or a smaller --every")
    own = {
        k: float(spearmanr(verdicts[k], -distances[k]).statistic)
        for k in verdicts
        if len(verdicts[k]) > 2 and np.ptp(verdicts[k]) > 0 and np.ptp(distances[k]) > 0
    }
    spearman, pearson = (float(f(every, -truths).statistic) for f in (spearmanr, pearsonr))
    return Agreement(spearman, pearson, len(every), own)


def measure(
    paths: Sequence[Path], feedback: FeedbackNetwork, distance: Distance, *, seconds: float, every: int,
    model: str | None = None, refresh: str | None = None, progress: Callable[[str, int], None] | None = None,
) -> Agreement:  # fmt: skip
    """Encode clips and compare the network's verdicts with ``distance`` (LPIPS).

    Options are the defaults but for ``model``, ``refresh`` (as in
    :class:`~neurocodec.options.EncodeOptions`) and the network, which steers the encodes too.
    ``progress`` is called with each clip's name and how many of its frames got a verdict.

    Raises:
        InputError: a clip that cannot be read, or too few frames.
    """
    settings = {"model": model, "refresh": refresh, "feedback": str(feedback.description.path)}
    verdicts, distances, spent = {}, {}, Spent()
    for name, path in named(paths).items():
        found, truths = [], []
        for rendering, original in rendered_frames(path, seconds, every, spent, **settings):
            found.append(float(feedback(rendering[None], [original])[0]))
            truths.append(distance(rendering, original))
        verdicts[name], distances[name] = np.array(found), np.array(truths)
        if progress:
            progress(name, len(found))
    result = agreement(verdicts, distances)
    result.spent = spent
    return result


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Clips by a name for each, its file's or, where two have the same, its path."""
    stems = [p.stem for p in paths]
    return {p.stem if stems.count(p.stem) == 1 else str(p): p for p in paths}
