"""Runs the network that finds 68 facial landmarks: numpy pictures in, points out."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.models.device import choose_device, made_ready
from neurocodec.models.model_files import ModelDescription, find, load
from neurocodec.models.tensors import picture_tensor
from neurocodec.networks.face68 import SIDE
from neurocodec.options import DEFAULT_LANDMARKS
from neurocodec.types import Picture, Pictures

Points = NDArray[np.float32]
"""68 landmarks of one face or of several, (...,68,2)."""
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
        self._network = made_ready(load(description), self.device)
        self.latent_size: int = self._network.latent_size
        self.num_keypoints: int = self._network.num_keypoints

    def latents(self, pictures: Pictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pictures (B,S,S,3) -> latents (B,L) and probabilities (B,) of a face."""
        small = np.stack([shrunk(p) for p in pictures])
        with torch.inference_mode():
            latents, presence = self._network.encode(picture_tensor(small, self.device))
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

    def landmarks(self, pictures: Pictures, mirrored: bool = False) -> tuple[Points, NDArray[np.float32]]:
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


def shrunk(picture: Picture) -> Picture:
    """A square picture at the network's 128x128."""
    if picture.shape[0] == SIDE:
        return picture
    method = cv2.INTER_AREA if picture.shape[0] > SIDE else cv2.INTER_LINEAR
    return cv2.resize(picture, (SIDE, SIDE), interpolation=method)


def open_landmark_engine(model: str | None = None, device: str = "auto") -> LandmarkEngine:
    """The landmark network that comes along, or another one by name or file.

    Raises:
        InputError: there is none.
    """
    return LandmarkEngine(find(model or DEFAULT_LANDMARKS, "landmarks"), device)
