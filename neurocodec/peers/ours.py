"""Our own codec in a comparison."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import neurocodec
from neurocodec.api import encode, pictures
from neurocodec.errors import DamagedFileError, NeurocodecError, UsageError
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.measure.clips import Frames, lossless
from neurocodec.media.square import crop, resize
from neurocodec.models.feedback import find_feedback
from neurocodec.models.model_files import ModelDescription, find
from neurocodec.options import TARGETS, EncodeOptions
from neurocodec.peers.codec import Codec, Point, unpack

LADDERS = {
    "default": ("quality", (5, 20, 35, 50, 65, 80, 95)),
    "original": ("reference_quality", (20, 40, 60, 80, 95)),
}
"""By profile: the option that is varied, and its values; the default is always added."""
PARTS = ("start", "duration")
_OTHER_ROOMS = {
    "batch", "bench", "call", "commands", "compare", "datasets", "evaluation", "measure", "peers", "training",
}  # fmt: skip
"""Rooms that do not decide what an encode writes."""


@lru_cache(maxsize=1)
def sources_digest() -> str:
    """Hash of the package's code, so that a changed codec is never taken for the one in the cache."""
    folder = Path(neurocodec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if not _OTHER_ROOMS & set(path.relative_to(folder).parts):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Ours(Codec):
    """neurocodec over its quality range; the bytes are the whole file without sound."""

    name, title = "ours", "neurocodec"

    def __init__(self, fixed: dict[str, Any] | None = None) -> None:
        """``fixed``: encode options that hold at every point.

        Raises:
            UsageError: a target, which a range of qualities cannot meet, a part, or a value out of range.
        """
        fixed = fixed or {}
        for name in TARGETS:
            if fixed.get(name) is not None:
                raise UsageError(f"{name} does not go with a comparison, which varies the quality")
        for name in PARTS:
            if fixed.get(name) is not None:
                raise UsageError(f"{name} does not go with a comparison, whose codecs get the same pictures")
        self._options = EncodeOptions(**{**fixed, "audio": "none"})
        self._resolved = self._options.resolved()

    @property
    def model(self) -> ModelDescription:
        """The motion model that it runs."""
        return find(self._options.settings().model, "motion")

    def missing(self) -> str | None:
        try:
            self.version()
        except NeurocodecError as error:
            return str(error)
        return None

    def version(self) -> str:
        settings = self._options.settings()
        model, feedback = self.model, find_feedback(settings.feedback)
        return (
            f"neurocodec {neurocodec.__version__} (code {sources_digest()[:12]}), "
            f"model {model.name} {model.hash[:16]}, feedback {feedback.name} {feedback.hash[:16]}"
        )

    def settings(self) -> dict[str, str]:
        unused = ("device", "threads", "audio_bitrate", "metadata")
        chosen = {k: v for k, v in dataclasses.asdict(self._resolved).items() if k not in unused}
        text = ", ".join(f"{k}={v}" for k, v in chosen.items())
        return {"options": text, "counted": "every byte of the file; coded without sound"}

    def default(self) -> Point:
        """The point of the default options."""
        varied = LADDERS[self._resolved.profile][0]
        return {varied: getattr(self._resolved, varied)}

    def ladder(self, width: int, height: int) -> list[Point]:
        ((varied, default),) = self.default().items()
        return [{varied: value} for value in sorted({*LADDERS[self._resolved.profile][1], default})]

    def quick_ladder(self, width: int, height: int) -> list[Point]:
        """The default alone; others follow."""
        return [self.default()]

    def following(self, stream: bytes) -> list[Point]:
        """A lower and a higher quality, in the way (:attr:`EncodeOptions.region`) that the default took.

        Raises:
            NeurocodecError: the default's file is damaged.
        """
        ((varied, default),) = self.default().items()
        values = LADDERS[self._resolved.profile][1]
        point: Point = {}
        if self._resolved.region == "auto":
            header = NfcReader(io.BytesIO(unpack(stream)[0]), "the coded clip").header
            point = {"region": "frames" if header.layered else "full"}
        few = {values[len(values) // 4], values[3 * len(values) // 4]} - {default}
        return [{varied: value, **point} for value in sorted(few)]

    def label(self, point: Point) -> str:
        return super().label({key: value for key, value in point.items() if key != "region"})

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        out = io.BytesIO()
        encode(lossless(frames, fps), out, dataclasses.replace(self._options, **point))
        return [out.getvalue()]

    def blocks(self, packets: list[bytes]) -> list[tuple[int, int]]:
        """Frames and bytes of the file's blocks; what belongs to none of them counts to the first.

        Raises:
            NeurocodecError: the file is damaged.
        """
        reader = NfcReader(io.BytesIO(packets[0]), "the coded clip")
        found: list[tuple[int, int]] = []
        for item in reader:
            if isinstance(item, Loss):
                raise DamagedFileError(f"the coded clip is damaged at byte {item.offset}: {item.reason}")
            block, size = item
            found.append((len(block.pts), size))
        if found:
            frames, size = found[0]
            found[0] = frames, size + len(packets[0]) - sum(s for _, s in found)
        return found

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        header = NfcReader(io.BytesIO(packets[0]), "the coded clip").header
        place = None if header.layered else header.content()
        out = [
            resize(picture if place is None else crop(picture, place), shape[2], shape[1])
            for _, picture in pictures(io.BytesIO(packets[0]), model=self._options.model)
        ]
        self.check_count(len(out), shape[0])
        return np.stack(out)
