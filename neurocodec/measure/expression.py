"""Do eyes and mouth do what the person does?  Figures of a whole clip.

Openness is the height of an eye (a mouth) in shares of its width, frame by frame, in the source and in the
decoded clip; their correlation says whether blinks and speech are there.  A frame has closed eyes where their
openness is below 0.6 of the source's 90th percentile; it is kept where the decoded eyes are below 0.7 of it.

Points are MediaPipe's where a user has that network, else the keypoints of our motion model, of which four
lie on each eye and on the mouth.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.faces.region import FaceRegion
from neurocodec.faces.tracker import FaceTracker
from neurocodec.faces.yunet import largest_face
from neurocodec.format.block import Region
from neurocodec.measure.clips import Frames
from neurocodec.measure.faces import mediapipe_points
from neurocodec.measure.metric import Metric, Values, file_digest
from neurocodec.media.square import resize
from neurocodec.models.device import BATCH, fold_batch_norms
from neurocodec.models.landmark_engine import open_landmark_engine
from neurocodec.models.model_files import ModelDescription, find, installed, load
from neurocodec.options import DEFAULT_LANDMARKS, DEFAULT_MOTION
from neurocodec.types import Picture

CLOSED, KEPT = 0.6, 0.7
"""Of the 90th percentile of the source's openness."""
LEAST_FRAMES = 5
"""Frames with a face that a figure needs."""
LEAST_CLOSED = 2
LEAST_SQUARE = 96
"""Pixels of the square around a head (twice as wide as the face) below which eyes cannot be judged."""
_OWN = {"eyes": ((5, 6, 7, 8), (10, 11, 12, 13)), "mouth": ((0, 1, 2, 3),)}
_MEDIAPIPE = {"eyes": ((33, 133, 159, 145), (263, 362, 386, 374)), "mouth": ((61, 291, 13, 14),)}
"""Points at both corners, above and below."""
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Expression:
    """Openness by part (``eyes``, ``mouth``) of the source's and of the decoded frames, (n,) each.

    NaN where the source shows no face.
    """

    source: dict[str, NDArray[np.float64]]
    decoded: dict[str, NDArray[np.float64]]


def openness(points: Points, parts: tuple[tuple[int, int, int, int], ...]) -> float:
    """Mean height of parts of the face in shares of their width."""
    found = []
    for left, right, above, below in parts:
        width = float(np.linalg.norm(points[left] - points[right]))
        found.append(float(np.linalg.norm(points[above] - points[below])) / max(width, 1e-3))
    return float(np.mean(found))


@lru_cache(maxsize=1)
def _keypoint_network(name: str) -> Any:
    network = cast(Any, load(find(name, "motion")))
    fold_batch_norms(network)
    return network


@dataclass(frozen=True)
class _Followed:
    """The square around the face in each of a clip's frames (None: there was none), and its keypoints."""

    frames: Frames
    squares: list[Region | None]
    points: Points


_followed: list[_Followed] = []


def _points(network: Any, pictures: list[Picture]) -> Points:
    """Keypoints (n,N,2) of square pictures (S,S,3)."""
    out = [np.empty((0, network.num_keypoints, 2), np.float32)]
    for k in range(0, len(pictures), BATCH):
        some = torch.from_numpy(np.stack(pictures[k : k + BATCH])).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            out.append(network.keypoints(some).numpy())
    return np.concatenate(out)


def _cut(picture: Picture, place: Region, size: int) -> Picture:
    part = picture[place.y : place.y + place.side, place.x : place.x + place.side]
    return resize(part, size, size)


def _source_side(source: Frames, network: Any) -> _Followed:
    """The face of the clip that was looked at last: many decoded versions are compared with one source."""
    if not (_followed and _followed[0].frames is source):
        place = FaceRegion(None, FaceTracker(open_landmark_engine(device="cpu")))
        squares: list[Region | None] = []
        for picture in source:
            without = place.blocks_without_face
            region = place.update(picture)
            clear = place.blocks_without_face == without and region.side >= LEAST_SQUARE
            squares.append(region if clear else None)
        seen = [(p, s) for p, s in zip(source, squares, strict=True) if s]
        found = _points(network, [_cut(p, s, network.size) for p, s in seen])
        _followed[:] = [_Followed(source, squares, found)]
    return _followed[0]


def _own_points(source: Frames, decoded: Frames) -> Iterator[tuple[Points, Points] | None]:
    """Keypoints of the motion model in the square around the source's face, of both frames."""
    network = _keypoint_network(DEFAULT_MOTION)
    known = _source_side(source, network)
    seen = [(p, s) for p, s in zip(decoded, known.squares, strict=True) if s]
    if not seen:
        yield from [None] * len(source)
        return
    pairs = zip(known.points, _points(network, [_cut(p, s, network.size) for p, s in seen]), strict=True)
    for square in known.squares:
        yield next(pairs) if square else None


def _mediapipe(
    source: Frames, decoded: Frames, detector: str, network: str
) -> Iterator[tuple[Points, Points] | None]:
    """MediaPipe's points in the box of the source's face, of both frames."""
    for a, b in zip(source, decoded, strict=True):
        face = largest_face(a, detector)
        if face is None:
            yield None
        else:
            first, second = (mediapipe_points(p, face[0], network) for p in (a, b))
            yield first, second


def expression(
    source: Frames, decoded: Frames, detector: str | None = None, network: str | None = None
) -> Expression:
    """Openness of eyes and mouth in a clip and in its decoded version, both (n,H,W,3)."""
    theirs = detector is not None and network is not None
    found = (
        _mediapipe(source, decoded, str(detector), str(network)) if theirs else _own_points(source, decoded)
    )
    parts = _MEDIAPIPE if theirs else _OWN
    nothing = (np.nan, np.nan)
    out = {name: [] for name in parts}  # type: dict[str, list[tuple[float, float]]]
    for pair in found:
        for name, places in parts.items():
            out[name].append(
                nothing if pair is None else (openness(pair[0], places), openness(pair[1], places))
            )
    series = {name: np.array(values, np.float64).reshape(-1, 2) for name, values in out.items()}
    return Expression({n: s[:, 0] for n, s in series.items()}, {n: s[:, 1] for n, s in series.items()})


def correlation(source: NDArray[np.float64], decoded: NDArray[np.float64]) -> float | None:
    """Pearson's correlation of two series where both are known; 0 where the decoded one never changes."""
    known = np.isfinite(source) & np.isfinite(decoded)
    a, b = source[known], decoded[known]
    if len(a) < LEAST_FRAMES or a.std() < 1e-6:
        return None
    return float(np.corrcoef(a, b)[0, 1]) if b.std() > 1e-6 else 0.0


def closed_kept(source: NDArray[np.float64], decoded: NDArray[np.float64]) -> float | None:
    """Per cent of the frames whose eyes are closed in the source and also in the decoded clip."""
    known = np.isfinite(source) & np.isfinite(decoded)
    a, b = source[known], decoded[known]
    if len(a) < LEAST_FRAMES:
        return None
    usual = float(np.percentile(a, 90))
    closed = a < CLOSED * usual
    if closed.sum() < LEAST_CLOSED:
        return None
    return 100 * float((b[closed] < KEPT * usual).mean())


class ExpressionMetric(Metric):
    """A figure of what eyes or mouth do in a whole clip; every frame has the same value."""

    better = "higher"
    of_clip = True

    @abstractmethod
    def figure(self, found: Expression) -> float | None:
        """The figure, None where there is none."""

    def _own(self) -> list[ModelDescription]:
        """Our networks, where no other ones are named."""
        if self.files.landmarks and self.files.face_detector:
            return []
        names = (DEFAULT_MOTION, DEFAULT_LANDMARKS)
        return [m for m in installed() if m.shipped and m.name in names]

    def missing(self, width: int, height: int) -> str | None:
        if self.files.landmarks and self.files.face_detector:
            return None
        return None if len(self._own()) == 2 else f"it needs {DEFAULT_MOTION} and {DEFAULT_LANDMARKS}"

    def identity(self) -> str:
        own = self._own()
        if own:
            return f"{self.name} {' '.join(sorted(m.hash for m in own))}"
        return f"{self.name} {file_digest(self.files.landmarks)} {file_digest(self.files.face_detector)}"

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        theirs = None if self._own() else (self.files.face_detector, self.files.landmarks)
        value = self.figure(_remembered(source, decoded, theirs))
        return [value] * len(source)


_last: list[tuple[Frames, Frames, Any, Expression]] = []


def _remembered(source: Frames, decoded: Frames, theirs: tuple[str | None, str | None] | None) -> Expression:
    """The expression of the clip that was looked at last, which several metrics ask for."""
    if not (_last and _last[0][0] is source and _last[0][1] is decoded and _last[0][2] == theirs):
        _last[:] = [(source, decoded, theirs, expression(source, decoded, *(theirs or (None, None))))]
    return _last[0][3]


class EyesFollow(ExpressionMetric):
    """Correlation of the openness of the eyes."""

    name, title = "eyes", "eyes (correlation)"
    explained = "correlation over the frames of how far the eyes are open, decoded and in the source"

    def figure(self, found: Expression) -> float | None:
        return correlation(found.source["eyes"], found.decoded["eyes"])


class MouthFollows(ExpressionMetric):
    """Correlation of the openness of the mouth."""

    name, title = "mouth", "mouth (correlation)"
    explained = "correlation over the frames of how far the mouth is open, decoded and in the source"

    def figure(self, found: Expression) -> float | None:
        return correlation(found.source["mouth"], found.decoded["mouth"])


class BlinksKept(ExpressionMetric):
    """Closed eyes that stay closed."""

    name, title = "blinks", "closed eyes kept (%)"
    explained = (
        "per cent of the frames with closed eyes in the source whose eyes are closed when decoded, too"
    )

    def figure(self, found: Expression) -> float | None:
        return closed_kept(found.source["eyes"], found.decoded["eyes"])
