"""Runs the network that finds faces: a numpy picture in, boxes and scores out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.models.device import choose_device, made_ready
from neurocodec.models.model_files import ModelDescription, find, load
from neurocodec.models.tensors import picture_tensor
from neurocodec.networks.head_finder import STRIDES, boxes
from neurocodec.options import DEFAULT_HEADS
from neurocodec.types import Picture

SIDES = (320, 192)
"""Longer sides of the pictures that the network looks at, at most; a face must be seen in all of them."""
LEAST_SCORE = 0.5
_LEAST_LOOK = 0.1
_SAME = 0.35
"""Boxes that overlap by so much are of one face."""
_WITHIN = 0.7
"""So is a box of which so much lies in a better one."""
_ALIKE = 0.45
"""Overlap from which on the boxes of two looks are of one face."""
_AGREE = 0.6
"""Overlap from which on boxes of one face are averaged."""


class HeadEngine:
    """A head finder ready to run."""

    def __init__(self, description: ModelDescription, device: str = "auto") -> None:
        self.description = description
        self.device = choose_device(device)
        self._network = made_ready(load(description), self.device)

    def find(self, picture: Picture, least: float = LEAST_SCORE) -> NDArray[np.float32]:
        """Faces in a picture (H,W,3): left, top, width, height, score, (n,5), the surest first."""
        found = agreed([self._look(picture, side) for side in SIDES])
        return found[found[:, 4] >= least]

    def _look(self, picture: Picture, side: int) -> NDArray[np.float32]:
        """What is found in the picture made as small as ``side``."""
        height, width = picture.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        right, bottom = (-n % STRIDES[-1] for n in size)
        padded = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(127, 127, 127))
        with torch.inference_mode():
            found, logits = boxes(self._network(picture_tensor(padded[None], self.device)))
            scores = torch.sigmoid(logits[0]).cpu().numpy()
            places = found[0].cpu().numpy()
        likely = scores > _LEAST_LOOK
        faces = suppressed(places[likely], scores[likely])
        faces[:, :4] *= np.tile((width / size[0], height / size[1]), 2)
        return faces


def agreed(looks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One box for each face of several looks at a picture (n,5), its score being the mean of theirs."""
    every = np.concatenate(looks)
    out = suppressed(every[:, :4], every[:, 4])
    for face in out:
        scores = [look[overlaps(face, look)[0] > _ALIKE, 4].max(initial=0.0) for look in looks]
        face[4] = np.mean(scores)
    return out[np.argsort(-out[:, 4])]


def overlaps(
    box: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of a box with others (n,4 or more): intersections over unions (n,), and over the others' areas (n,)."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:4], others[:, :2] + others[:, 2:4])
    common = np.clip(high - low, 0, None).prod(1)
    areas = others[:, 2:4].prod(1)
    union = box[2:4].prod() + areas - common
    return common / np.maximum(union, 1e-6), common / np.maximum(areas, 1e-6)


def suppressed(found: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """One box for each face, (n,5) with its score, of boxes (m,4) and scores (m,), the surest first.

    It is the mean, weighted by the scores, of those that agree with the surest one.
    """
    out = []
    left = np.argsort(-scores)
    while len(left):
        others = found[left]
        overlap, share = overlaps(found[left[0]], others)
        agreeing = overlap > _AGREE
        mean = np.average(others[agreeing], axis=0, weights=scores[left][agreeing])
        out.append([*mean, scores[left[0]]])
        left = left[(overlap <= _SAME) & (share <= _WITHIN)]
    return np.array(out, np.float32).reshape(-1, 5)


def open_head_engine(model: str | None = None, device: str = "auto") -> HeadEngine:
    """The head finder that comes along, or another one by name or file.

    Raises:
        InputError: there is none.
    """
    return HeadEngine(find(model or DEFAULT_HEADS, "heads"), device)
