"""Pictures as networks take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurocodec.types import Pictures


def picture_tensor(pictures: Pictures, device: torch.device | str = "cpu") -> Tensor:
    """Pictures (B,S,S,3) on a device, as RGB (B,3,S,S) in [0,1], float32."""
    batch = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return batch.permute(0, 3, 1, 2).float().div_(255)
