"""Runs the network that finds faces: a numpy picture in, boxes and scores out."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.models.device import choose_device, fold_batch_norms
from neurocodec.models.model_files import ModelDescription, find, load
from neurocodec.models.tensors import picture_tensor
from neurocodec.networks.head_finder import STRIDES, boxes
from neurocodec.options import DEFAULT_HEADS
from neurocodec.types import Picture

SIDE = 320
"""Longer side of the picture that the network looks at, at most."""
LEAST_SCORE = 0.4
_SAME = 0.35
"""Boxes that overlap by so much are of one face."""
_WITHIN = 0.7
"""So is a box of which so much lies in a better one."""
_AGREE = 0.6
"""Overlap from which on boxes of one face are averaged."""


class HeadEngine:
    """A head finder ready to run."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.device = choose_device(device)
        network = load(description)
        fold_batch_norms(network)
        self._network = cast(Any, network)
        self._network.to(self.device, memory_format=torch.channels_last)

    def find(self, picture: Picture) -> NDArray[np.float32]:
        """Faces in a picture (H,W,3): left, top, width, height, score, (n,5), the surest first."""
        height, width = picture.shape[:2]
        scale = min(1.0, SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        right, bottom = (-n % STRIDES[-1] for n in size)
        padded = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(127, 127, 127))
        with torch.inference_mode():
            found, logits = boxes(self._network(picture_tensor(padded[None], self.device)))
            scores = torch.sigmoid(logits[0]).cpu().numpy()
            sure = scores > LEAST_SCORE
            places = found[0].cpu().numpy()[sure]
        faces = suppressed(places, scores[sure])
        faces[:, :4] *= np.tile((width / size[0], height / size[1]), 2)
        return faces


def suppressed(found: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """One box for each face, (n,5) with its score, of boxes (m,4) and scores (m,), the surest first.

    It is the mean, weighted by the scores, of those that agree with the surest one.
    """
    out = []
    left = np.argsort(-scores)
    while len(left):
        best, others = found[left[0]], found[left]
        low = np.maximum(best[:2], others[:, :2])
        high = np.minimum(best[:2] + best[2:], others[:, :2] + others[:, 2:])
        common = np.clip(high - low, 0, None).prod(1)
        areas = others[:, 2:].prod(1)
        overlap = common / (best[2:].prod() + areas - common)
        agreeing = overlap > _AGREE
        mean = np.average(others[agreeing], axis=0, weights=scores[left][agreeing])
        out.append([*mean, scores[left[0]]])
        left = left[(overlap <= _SAME) & (common <= _WITHIN * areas)]
    return np.array(out, np.float32).reshape(-1, 5)


def open_head_engine(model: str | None = None, device: str = "auto") -> HeadEngine:
    """The head finder that comes along, or another one by name or file.

    Raises:
        InputError: there is none.
    """
    return HeadEngine(find(model or DEFAULT_HEADS, "heads"), device)
