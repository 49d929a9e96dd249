"""A motion model driven by facial landmarks: what is coded are latents of a landmark network.

``encode --landmarks 68``: the latent of every frame is quantized and coded; a decoder turns latents into 68
landmarks and these, by a linear mapping that belongs to the landmark model, into the keypoints of the motion
model.  The keypoints of references come the same way, so that whatever the mapping gets wrong of a person is
wrong alike in both, and cancels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import UsageError
from neurocodec.format.header import HASH_BYTES, LatentModel
from neurocodec.models.landmark_engine import LandmarkEngine
from neurocodec.models.model_files import ModelDescription
from neurocodec.models.motion_engine import MotionEngine, Reference
from neurocodec.types import Picture, Pictures


class LatentEngine(MotionEngine):
    """A motion model whose keypoints come from the latents of a landmark model.

    Raises:
        UsageError: the landmark model has no mapping to keypoints of this motion model.
    """

    def __init__(
        self,
        description: ModelDescription,
        landmarks: ModelDescription,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        super().__init__(description, device, threads)
        self.landmarks = LandmarkEngine(landmarks, device)
        if self.landmarks.num_keypoints != self.num_keypoints:
            raise UsageError(
                f"{landmarks.name} has no mapping to the {self.num_keypoints} keypoints of {description.name}"
            )
        self.basis = None

    @property
    def latent_model(self) -> LatentModel:
        """What a file's header says of the landmark model."""
        model = self.landmarks.description
        return LatentModel(model.name, bytes.fromhex(model.hash)[:HASH_BYTES], self.landmarks.latent_size)

    @property
    def fitted(self) -> bool:
        """Whether the mapping was made for the keypoints of exactly these weights, or of their teacher."""
        keypoints_of = self.description.hash[:16], self.description.config.get("teacher")
        return self.landmarks.description.config.get("motion") in keypoints_of

    @property
    def coordinates(self) -> int:
        return self.landmarks.latent_size

    def coded_values(self, pictures: Pictures) -> NDArray[np.float32]:
        """Latents of pictures (B,S,S,3) in pairs (B,L/2,2)."""
        latents = self.landmarks.latents(pictures)[0]
        return latents.reshape(len(latents), -1, 2)

    def keypoints_from(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Latents (B,L/2,2) -> keypoints (B,N,2)."""
        return self.landmarks.keypoints(np.ascontiguousarray(values.reshape(len(values), -1), np.float32))

    def keypoints(self, pictures: Pictures) -> NDArray[np.float32]:
        return self.keypoints_from(self.coded_values(pictures))

    def reference(self, picture: Picture) -> Reference:
        values = self.coded_values(picture[None])
        return replace(self.prepare(picture, self.keypoints_from(values)[0]), values=values[0])
