"""Faces in pictures: 68 landmarks by the landmark network, followed from frame to frame.

A face is first looked for with the detector of :mod:`neurocodec.region`; after that, the square in which the
network looks follows its own landmarks.  The square only moves when the face has, so that landmarks of a
still face do not tremble with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec import models
from neurocodec.engine import choose_device, fold_batch_norms
from neurocodec.errors import InputError
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.models import ModelDescription
from neurocodec.networks.face68 import SIDE

Picture = NDArray[np.uint8]
Points = NDArray[np.float32]
ROOM = 1.4
"""Side of the square that the network looks at, in sides of the square around the landmarks."""
_MOVED, _GROWN = 0.1, 0.15
"""The square stays while the face's centre moved less than this part of it, and its size changed less."""
PRESENT = 0.5
"""Least probability of a face at which landmarks count."""
MIRROR = np.array(
    [
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
    ]
)  # fmt: skip
"""Landmark that a mirrored picture shows at landmark i's place."""


class LandmarkEngine:
    """A landmark network ready to run."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.device = choose_device(device)
        network = models.load(description)
        fold_batch_norms(network)
        self._network = cast(Any, network)
        self._network.to(self.device, memory_format=torch.channels_last)
        self.latent_size: int = self._network.latent_size
        self.num_keypoints: int = self._network.num_keypoints

    def latents(self, pictures: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pictures (B,S,S,3) -> latents (B,L) and probabilities (B,) of a face."""
        small = np.stack([shrunk(p) for p in pictures])
        with torch.inference_mode():
            batch = torch.from_numpy(small).to(self.device).permute(0, 3, 1, 2).float().div_(255)
            latents, presence = self._network.encode(batch)
            return latents.cpu().numpy(), torch.sigmoid(presence).cpu().numpy()

    def decode(self, latents: NDArray[np.float32]) -> Points:
        """Latents (B,L) -> landmarks (B,68,2), fractions of the square."""
        with torch.inference_mode():
            return self._network.decode(torch.from_numpy(latents).to(self.device)).cpu().numpy()

    def keypoints(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Latents (B,L) -> keypoints (B,N,2) of the motion model that the mapping was fitted to."""
        with torch.inference_mode():
            landmarks = self._network.decode(torch.from_numpy(latents).to(self.device))
            return self._network.to_keypoints(landmarks).cpu().numpy()

    def landmarks(self, pictures: Picture, mirrored: bool = False) -> tuple[Points, NDArray[np.float32]]:
        """Pictures (B,S,S,3) -> landmarks (B,68,2), fractions of the square, and probabilities (B,).

        ``mirrored``: the mean of what is found in the pictures and in their mirror images, a little better.
        """
        if not mirrored:
            latents, presence = self.latents(pictures)
            return self.decode(latents), presence
        count = len(pictures)
        latents, presence = self.latents(np.concatenate([pictures, pictures[:, :, ::-1]]))
        found = self.decode(latents)
        turned = found[count:, MIRROR]
        turned[..., 0] = 1 - turned[..., 0]
        points: Points = 0.5 * (found[:count] + turned)
        probability: NDArray[np.float32] = 0.5 * (presence[:count] + presence[count:])
        return points, probability


def compared(engine: LandmarkEngine, first: Picture, second: Picture, face: Face) -> tuple[Face, Face]:
    """What is in the place of a ``face`` in two pictures (H,W,3), looked at alike.

    Whether either still is a face does not matter: one that is no more is a large error, not a missing one.
    """
    square = Square.around(face.points)
    pictures = np.stack([square.cut(p) for p in (first, second)])
    fractions, presence = engine.landmarks(pictures, mirrored=True)
    a, b = (Face(square.place(f), float(p), face.seen) for f, p in zip(fractions, presence, strict=True))
    return a, b


def shrunk(picture: Picture) -> Picture:
    """A square picture at the network's 128x128."""
    if picture.shape[0] == SIDE:
        return picture
    method = cv2.INTER_AREA if picture.shape[0] > SIDE else cv2.INTER_LINEAR
    return cv2.resize(picture, (SIDE, SIDE), interpolation=method)


@dataclass(frozen=True)
class Square:
    """Centre and side in pixels of a picture."""

    x: float
    y: float
    side: float

    def cut(self, picture: Picture) -> Picture:
        """The square as a picture (128,128,3); outside, the edge is repeated."""
        scale = SIDE / self.side
        if scale < 0.7:
            height, width = picture.shape[:2]
            size = max(1, round(width * scale)), max(1, round(height * scale))
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            return Square(self.x * size[0] / width, self.y * size[1] / height, float(SIDE)).cut(small)
        shift = [SIDE / 2 - 0.5 - scale * (v - 0.5) for v in (self.x, self.y)]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        return cv2.warpAffine(
            picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def place(self, fractions: Points) -> Points:
        """Landmarks as fractions of the square -> pixels of the picture."""
        return (np.array([self.x, self.y]) + (fractions - 0.5) * self.side).astype(np.float32)

    @staticmethod
    def around(points: Points) -> Square:
        """The square to look at for a face with these landmarks in pixels."""
        low, high = points.min(0), points.max(0)
        x, y = (low + high) / 2
        return Square(float(x), float(y), ROOM * float((high - low).max()))

    def differs(self, other: Square) -> bool:
        """Whether a face has moved or grown so much that the square should follow."""
        moved = max(abs(self.x - other.x), abs(self.y - other.y)) > _MOVED * self.side
        return moved or abs(other.side / self.side - 1) > _GROWN


@dataclass(frozen=True)
class Face:
    """Landmarks (68,2) in pixels, the probability that there is a face, and how many faces were seen."""

    points: Points
    probability: float
    seen: int = 1

    @property
    def eye_distance(self) -> float:
        """Between the outer corners of the eyes, in pixels."""
        return float(np.linalg.norm(self.points[36] - self.points[45]))


class FaceTracker:
    """Follows the largest face through the pictures of a video."""

    def __init__(self, engine: LandmarkEngine, detect: Any = None) -> None:
        from neurocodec.region import find_faces

        self._engine = engine
        self._detect = detect or find_faces
        self._square: Square | None = None
        self._seen = 1

    def update(self, picture: Picture) -> Face | None:
        """The face in the next picture (H,W,3), or None."""
        if self._square is not None:
            face = self._look(picture, self._square)
            if face is not None:
                return face
            self._square = None
        for square in self._candidates(picture):
            face = self._look(picture, square)
            if face is not None:
                return face
        return None

    def _candidates(self, picture: Picture) -> Iterator[Square]:
        """Squares around the detected faces, the largest first; without any, the middle of the picture."""
        boxes = sorted(self._detect(picture), key=lambda b: -b[2] * b[3])
        self._seen = max(1, len(boxes))
        for x, y, w, h in boxes:
            yield Square(x + w / 2, y + 0.55 * h, 1.55 * h)
        if not boxes:
            height, width = picture.shape[:2]
            for share in (1.0, 0.6):
                yield Square(width / 2, height / 2, share * min(height, width))

    def _look(self, picture: Picture, square: Square) -> Face | None:
        """Landmarks from a square; once more from where they are, if that is elsewhere."""
        for _ in range(2):
            fractions, probability = self._engine.landmarks(square.cut(picture)[None], mirrored=True)
            if probability[0] < PRESENT:
                return None
            points = square.place(fractions[0])
            proposed = Square.around(points)
            if proposed.side < 8:
                return None
            if not square.differs(proposed):
                break
            square = proposed
        self._square = square
        return Face(points, float(probability[0]), self._seen)


def default_engine(model: str | None = None, device: str = "auto") -> LandmarkEngine:
    """The landmark network that comes along, or another one by name or file.

    Raises:
        InputError: there is none.
    """
    return LandmarkEngine(models.find(model or models.DEFAULT_LANDMARKS, "landmarks"), device)


def read_frames(source: Any, seconds: float | None = None) -> Iterator[tuple[float, Picture]]:
    """Times in seconds since the first, and upright pictures (H,W,3), of a video.

    Raises:
        InputError: it cannot be read or has no picture.
    """
    first: int | None = None
    with MediaReader(source, audio=False) as reader:
        for item in reader:
            if isinstance(item, AudioPacket):
                continue
            first = item.pts if first is None else first
            time = float((item.pts - first) * reader.video.time_base)
            if seconds is not None and time >= seconds:
                break
            yield time, item.to_rgb()
    if first is None:
        raise InputError(f"{Path(str(source)).name} has no picture that can be decoded")
