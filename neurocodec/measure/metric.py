"""What a metric is: named, explained, better when higher or lower, one value a frame."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

from neurocodec.measure.clips import Frames
from neurocodec.types import Picture

Values = list[float | None]
"""One value a frame; None where a frame has none."""


@dataclass(frozen=True)
class MetricFiles:
    """Networks a user has: LPIPS weights, a face detector, an identity and a landmark network."""

    lpips: str | None = None
    face_detector: str | None = None
    identity: str | None = None
    landmarks: str | None = None


class Metric(ABC):
    """A distance or similarity of decoded frames to the source's."""

    name: ClassVar[str]
    title: ClassVar[str]
    better: ClassVar[Literal["higher", "lower"]]
    explained: ClassVar[str]
    of_clip: ClassVar[bool] = False
    """Whether it is a figure of the whole clip, so that all frames have the same value."""

    def __init__(self, files: MetricFiles) -> None:
        self.files = files

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1: values times this are better when higher."""
        return 1 if self.better == "higher" else -1

    def missing(self, width: int, height: int) -> str | None:
        """Why it cannot be had for frames of this size; None when it can."""
        return None

    def identity(self) -> str:
        """What decides its values, apart from the frames: a key of the cache."""
        return self.name

    @abstractmethod
    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        """One value for each frame; single-picture metrics look at every ``every``-th.

        Raises:
            NeurocodecError: it could not be computed.
        """


class PictureMetric(Metric):
    """A metric of one picture against its original."""

    @abstractmethod
    def one(self, source: Picture, decoded: Picture) -> float:
        """The value of one frame."""

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        return [
            self.one(a, b) if k % every == 0 else None
            for k, (a, b) in enumerate(zip(source, decoded, strict=True))
        ]


@lru_cache(maxsize=8)
def file_digest(path: str | None) -> str:
    """First digits of a file's SHA-256; a dash without a file."""
    if path is None:
        return "-"
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
