"""The contact sheet: what the motion model makes of a few samples, to be looked at often."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from neurocodec.networks.talk import Talk
from neurocodec.training.augment import Prepared
from neurocodec.training.keypoint_ties import TIED

COLUMNS = (
    "reference", "other reference", "target", "rendering", "from one", "painted", "warp", "blend",
    "occlusion", "share",
)  # fmt: skip


def contact_sheet(model: Talk, data: Prepared, rows: int = 8) -> NDArray[np.uint8]:
    """(rows*S, len(COLUMNS)*S, 3) RGB.

    Columns: both references, target, rendering from both and from the first alone, what the generator
    painted, the warped reference, how much of it is blended in, how much of the first reference the motion
    network shows (occlusion), and the first reference's share.  Keypoints tied to landmarks are red.
    """
    was = model.training
    model.eval()
    with torch.no_grad():
        first, second, target = data.reference[:rows], data.other[:rows], data.target[:rows]
        kp = model.keypoints(target)
        features = [model.encode_restored(x, model.keypoints(x)) for x in (first, second)]
        out, single = (model.render_details(f, kp) for f in (features, features[:1]))
        b = len(target)
        share = out["confidence64"].unflatten(0, (2, b)).softmax(0)[0]
    model.train(was)
    shown = (
        first, second, target, out["prediction"], single["prediction"], out["painted"], out["deformed"],
        out["mask"], out["occlusion64"][:b], share,
    )  # fmt: skip
    columns = [_pictures(x, target.shape[-1]) for x in shown]
    for column, points in ((0, features[0][-1]), (1, features[1][-1]), (2, kp)):
        for row in range(b):
            _draw(columns[column][row], points[row])
    return np.concatenate([np.concatenate(list(c), 0) for c in columns], 1)


def _pictures(x: Tensor, size: int) -> NDArray[np.uint8]:
    """(B,1 or 3,h,w) in [0,1] -> (B,size,size,3)."""
    x = F.interpolate(x.float().expand(-1, 3, -1, -1), size=(size, size))
    return (x.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).cpu().numpy().copy()


def _draw(picture: NDArray[np.uint8], points: Tensor) -> None:
    size = len(picture)
    for i, (x, y) in enumerate(((points.float() + 1) / 2 * (size - 1)).tolist()):
        colour = (255, 60, 60) if i < TIED else (60, 255, 60)
        cv2.circle(picture, (round(x), round(y)), max(1, size // 128), colour, -1)
