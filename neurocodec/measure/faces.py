"""Face metrics: do facial landmarks lie where they were, is it the same person?"""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import InputError
from neurocodec.faces.face import error_of
from neurocodec.faces.tracker import FaceTracker, compared
from neurocodec.faces.yunet import largest_face
from neurocodec.measure.clips import Frames
from neurocodec.measure.metric import Metric, Values, file_digest
from neurocodec.models.landmark_engine import LandmarkEngine, Points
from neurocodec.models.model_files import ModelDescription, installed
from neurocodec.options import DEFAULT_LANDMARKS
from neurocodec.types import Picture

CHIP = 150
CHIP_POINTS = np.array([(47.3, 42.2), (102.7, 42.2), (75, 76.3), (51.1, 99.6), (98.9, 99.6)], np.float32)
"""Where eyes, nose and mouth corners lie in the identity network's chip."""
_LANDMARK_SIDE = 192
_OUTER_EYES = (33, 263)
"""Outer corners of the eyes among the 468 points."""
_BLOCKS, _DOWN = 14, {3, 7, 10, 13}
_MEAN = (122.782, 117.001, 104.298)


class FaceMetric(Metric):
    """A metric of the face; frames in whose source none is found have no value.

    It needs YuNet and a network of its own: the ``file`` of :class:`MetricFiles` that ``option`` names.
    """

    option: ClassVar[str]
    file: ClassVar[str]

    @property
    def network(self) -> str | None:
        """The file of the metric's own network, if a user gave one."""
        found: str | None = getattr(self.files, self.file)
        return found

    def missing(self, width: int, height: int) -> str | None:
        needed = {self.option: self.network, "--face-detector": self.files.face_detector}
        lacking = [f"{option} FILE" for option, file in needed.items() if file is None]
        return f"no network: give {' and '.join(lacking)}" if lacking else None

    def identity(self) -> str:
        return f"{self.name} {file_digest(self.network)} {file_digest(self.files.face_detector)}"

    @abstractmethod
    def pair(self, source: Picture, decoded: Picture, box: NDArray[np.float32], points: Points) -> float:
        """The value of a frame whose source has a face in ``box`` with five ``points``."""

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        assert self.files.face_detector
        out: Values = []
        for k, (a, b) in enumerate(zip(source, decoded, strict=True)):
            face = largest_face(a, self.files.face_detector) if k % every == 0 else None
            out.append(self.pair(a, b, *face) if face else None)
        return out


@lru_cache(maxsize=2)
def _landmark_network(path: str) -> Any:
    try:
        return cv2.dnn.readNetFromTFLite(path)
    except cv2.error:
        raise InputError(f"{path} is not a landmark network") from None


class LandmarkError(FaceMetric):
    """Distance of facial landmarks."""

    name, title, better = "landmarks", "landmark error (%)", "lower"
    explained = (
        "mean distance of the landmarks found in the decoded and in the source's frame (MediaPipe's 468 with "
        "--landmark-net, else neurocodec's own 68), in per cent of the distance of the outer eye corners"
    )
    option, file = "--landmark-net", "landmarks"

    def _own(self) -> ModelDescription | None:
        """Our own landmark network, where no other one is named."""
        if self.network is not None:
            return None
        return next((m for m in installed() if m.name == DEFAULT_LANDMARKS and m.kind == "landmarks"), None)

    def missing(self, width: int, height: int) -> str | None:
        return None if self._own() else super().missing(width, height)

    def identity(self) -> str:
        own = self._own()
        return f"{self.name} {own.hash}" if own else super().identity()

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        own = self._own()
        if own is None:
            return super().measure(source, decoded, every)
        engine = LandmarkEngine(own)
        tracker = FaceTracker(engine)
        out: Values = []
        for k, (a, b) in enumerate(zip(source, decoded, strict=True)):
            face = tracker.update(a) if k % every == 0 else None
            out.append(error_of(*compared(engine, b, a, face)) if face else None)
        return out

    def pair(self, source: Picture, decoded: Picture, box: NDArray[np.float32], points: Points) -> float:
        assert self.network
        a, b = (mediapipe_points(p, box, self.network) for p in (source, decoded))
        eyes = float(np.linalg.norm(a[_OUTER_EYES[0]] - a[_OUTER_EYES[1]]))
        return 100 * float(np.linalg.norm(a - b, axis=1).mean()) / max(eyes, 1.0)


def mediapipe_points(picture: Picture, box: NDArray[np.float32], network: str) -> Points:
    """MediaPipe's landmarks (468,2) of a face in a ``box``, in pixels of the square that is looked at.

    Raises:
        InputError: the file ``network`` is none that gives them.
    """
    x, y, w, h = box
    side, middle, half = _LANDMARK_SIDE, np.array([x + w / 2, y + h / 2]), 0.75 * max(w, h)
    corners = (middle + half * np.array([(-1, -1), (1, -1), (-1, 1)])).astype(np.float32)
    target = np.array([(0, 0), (side, 0), (0, side)], np.float32)
    crop = cv2.warpAffine(
        picture, cv2.getAffineTransform(corners, target), (side, side), borderMode=cv2.BORDER_REPLICATE
    )
    opened = _landmark_network(network)
    opened.setInput(crop[None].transpose(0, 3, 1, 2).astype(np.float32) / 255)
    best = max(opened.forward(opened.getUnconnectedOutLayersNames()), key=np.size)
    if best.size != 3 * 468:
        raise InputError(f"{network} does not give 468 landmarks")
    return np.asarray(best.reshape(468, 3)[:, :2], np.float32)


@lru_cache(maxsize=2)
def _identity_weights(path: str) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = {k: v.float() for k, v in load_file(path).items()}
        _ = weights["fc.weight"], weights["block13.conv2.weight"]
    except (OSError, SafetensorError, KeyError):
        raise InputError(f"{path} does not hold the identity network's weights") from None
    return weights


def embed(chips: Frames, weights: dict[str, Any]) -> NDArray[np.float32]:
    """Aligned chips (B,150,150,3) -> descriptors (B,128): dlib's face recognition ResNet."""
    import torch
    from torch.nn import functional as F

    def scaled(x: Any, key: str) -> Any:
        return x * weights[f"{key}.gamma"].view(1, -1, 1, 1) + weights[f"{key}.beta"].view(1, -1, 1, 1)

    def conv(x: Any, key: str, stride: int, padding: int) -> Any:
        return F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride, padding)

    def grown(x: Any, like: tuple[int, int, int]) -> Any:
        lacking = [n - m for n, m in zip(like, x.shape[1:], strict=True)]
        return F.pad(x, (0, lacking[2], 0, lacking[1], 0, lacking[0]))

    with torch.inference_mode():
        x = torch.from_numpy(chips).permute(0, 3, 1, 2).float()
        x = (x - torch.tensor(_MEAN).view(1, 3, 1, 1)) / 256
        x = F.max_pool2d(F.relu(scaled(conv(x, "stem.conv", 2, 0), "stem.affine")), 3, 2)
        for i in range(_BLOCKS):
            down, key = i in _DOWN, f"block{i}"
            y = F.relu(scaled(conv(x, f"{key}.conv1", 2 if down else 1, 0 if down else 1), f"{key}.affine1"))
            y = scaled(conv(y, f"{key}.conv2", 1, 1), f"{key}.affine2")
            x = F.avg_pool2d(x, 2, 2) if down else x
            a, b, c = (max(m, n) for m, n in zip(x.shape[1:], y.shape[1:], strict=True))
            x = F.relu(grown(x, (a, b, c)) + grown(y, (a, b, c)))
        return np.asarray((x.mean((2, 3)) @ weights["fc.weight"]).numpy())


class Identity(FaceMetric):
    """Distance of face descriptors."""

    name, title, better = "identity", "identity distance", "lower"
    explained = (
        "Euclidean distance of dlib's face descriptors of the decoded and the source's frame, aligned by the "
        "source's five points; below 0.6 dlib calls two faces the same person"
    )
    option, file = "--identity-net", "identity"

    def pair(self, source: Picture, decoded: Picture, box: NDArray[np.float32], points: Points) -> float:
        assert self.network
        from skimage.transform import estimate_transform

        matrix = estimate_transform("similarity", points, CHIP_POINTS).params[:2]
        chips = np.stack([cv2.warpAffine(p, matrix, (CHIP, CHIP)) for p in (source, decoded)])
        a, b = embed(chips, _identity_weights(self.network))
        return float(np.linalg.norm(a - b))
