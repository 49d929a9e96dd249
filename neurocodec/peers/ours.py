"""Our own codec in a comparison, and the frozen reference that ignores motion."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import av
import cv2
import numpy as np

import neurocodec
from neurocodec.api import encode, pictures
from neurocodec.errors import DamagedFileError, NeurocodecError, UsageError
from neurocodec.format.block import StillCodec
from neurocodec.format.header import Rectangle
from neurocodec.format.reader import NfcReader
from neurocodec.measure.clips import Frames, lossless
from neurocodec.media.square import crop, pad, resize
from neurocodec.models.feedback import find_feedback
from neurocodec.models.files import ModelDescription, find
from neurocodec.options import EncodeOptions
from neurocodec.peers.codec import Codec, Point, enlarge
from neurocodec.references.still import decode_still, encode_still

LADDERS = {
    "default": ("quality", (5, 20, 35, 50, 65, 80, 95)),
    "original": ("reference_quality", (20, 40, 60, 80, 95)),
}
"""By profile: the option that is varied, and its values; the default is always added."""
TARGETS = ("target_kbps", "target_lpips", "max_size")


@lru_cache(maxsize=1)
def sources_digest() -> str:
    """Hash of the package's code, so that a changed codec is never taken for the one in the cache."""
    folder = Path(neurocodec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if not {"batch", "bench", "call", "commands", "compare", "measure", "training"} & set(
            path.relative_to(folder).parts
        ):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Ours(Codec):
    """neurocodec over its quality range; the bytes are the whole file without sound."""

    name, title = "ours", "neurocodec"

    def __init__(self, fixed: dict[str, Any] | None = None) -> None:
        """``fixed``: encode options that hold at every point.

        Raises:
            UsageError: a target, which a range of qualities cannot meet, or a value out of range.
        """
        self.fixed = dict(fixed or {})
        targets = [name for name in TARGETS if self.fixed.get(name) is not None]
        if targets:
            raise UsageError(f"{targets[0]} does not go with a comparison, which varies the quality")
        self._options({}).resolved()

    def _options(self, point: Point) -> EncodeOptions:
        return dataclasses.replace(EncodeOptions(), **{**self.fixed, **point, "audio": "none"})

    @property
    def model(self) -> ModelDescription:
        """The motion model it runs."""
        return find(str(self._options({}).resolved().model), "motion")

    def missing(self) -> str | None:
        try:
            self.version()
        except NeurocodecError as error:
            return str(error)
        return None

    def version(self) -> str:
        model, judge = self.model, find_feedback(self._options({}).resolved().feedback)
        return (
            f"neurocodec {neurocodec.__version__} (code {sources_digest()[:12]}), "
            f"model {model.name} {model.hash[:16]}, feedback {judge.name} {judge.hash[:16]}"
        )

    def settings(self) -> dict[str, str]:
        chosen = dataclasses.asdict(self._options({}).resolved())
        for name in ("device", "threads", "audio_bitrate"):
            chosen.pop(name, None)
        text = ", ".join(f"{k}={v}" for k, v in chosen.items())
        return {"options": text, "counted": "every byte of the file; coded without sound"}

    def default(self) -> Point:
        """The point of the default options."""
        options = self._options({}).resolved()
        name = LADDERS[options.profile][0]
        return {name: getattr(options, name)}

    def ladder(self, width: int, height: int) -> list[Point]:
        default = self.default()
        (name,) = default
        return [{name: value} for value in sorted({*LADDERS[self._options({}).profile][1], default[name]})]

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        out = io.BytesIO()
        encode(lossless(frames, fps), out, self._options(point))
        return [out.getvalue()]

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        place = NfcReader(io.BytesIO(packets[0]), "the coded clip").header.content()
        out = [
            resize(crop(square, place), shape[2], shape[1])
            for _, square in pictures(io.BytesIO(packets[0]), model=self.fixed.get("model"))
        ]
        if len(out) != shape[0]:
            raise DamagedFileError(f"our codec gave {len(out)} frames for {shape[0]}")
        return np.stack(out)


class Frozen(Codec):
    """One AV1 still of the first frame at our byte count, held: what a codec that ignores motion scores."""

    name, title = "frozen", "frozen reference"
    _CODEC: ClassVar[StillCodec] = StillCodec.AV1

    def __init__(self, side: int) -> None:
        """``side``: of the square that our references have."""
        self.side = side

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        return f"libsvtav1 of FFmpeg {av.ffmpeg_version_info}"

    def settings(self) -> dict[str, str]:
        return {
            "still": f"first frame as an AV1 still in our {self.side}x{self.side} square, the best of at "
            "most as many bytes as our file has at the same point, shown for the whole clip",
        }  # fmt: skip

    def ladder(self, width: int, height: int) -> list[Point]:
        """Its points follow from our codec's byte counts."""
        return []

    def label(self, point: Point) -> str:
        return f"at most {point['budget']} bytes"

    def _place(self, height: int, width: int) -> Rectangle:
        scale = self.side / max(height, width)
        h, w = round(height * scale), round(width * scale)
        return Rectangle((self.side - w) // 2, (self.side - h) // 2, w, h)

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        place = self._place(*frames.shape[1:3])
        square = pad(resize(frames[0], place.width, place.height), place, self.side)
        best, low, high = encode_still(square, self._CODEC, 0), 1, 100
        while low <= high:
            quality = (low + high) // 2
            coded = encode_still(square, self._CODEC, quality)
            if len(coded) <= point["budget"]:
                best, low = coded, quality + 1
            else:
                high = quality - 1
        return [best]

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        place = self._place(*shape[1:3])
        still = crop(decode_still(packets[0], self._CODEC, self.side), place)
        shown = still if place.width > shape[2] else enlarge(still[None], shape[2], shape[1])[0]
        if shown.shape[:2] != (shape[1], shape[2]):
            shown = cv2.resize(shown, (shape[2], shape[1]), interpolation=cv2.INTER_AREA)
        return np.repeat(shown[None], shape[0], 0)
