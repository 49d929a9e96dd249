"""The feedback network of the original codec: does a rendered picture look real or distorted?

One 3x3 convolution, batch norm, ReLU and 2x2 max-pooling, then a single linear layer over everything.
State-dict keys and shapes are those of the original's published weights, which were trained with OpenCV's
channel order (blue, green, red); :meth:`ClassicFeedback.verdict` takes the red, green, blue pictures used
everywhere else in this package.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

IMAGE_SIZE = 256
_CHANNELS = 12


class ClassicFeedback(nn.Module):
    """Scores pictures between 0 (distorted) and 1 (looks real)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _CHANNELS, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(_CHANNELS)
        self.fc = nn.Linear(_CHANNELS * (IMAGE_SIZE // 2) ** 2, 1)

    def forward(self, bgr: Tensor) -> Tensor:
        """Score pictures (B,3,256,256) in [0,1] in blue, green, red order: (B,) in [0,1].

        Raises:
            ValueError: another shape.
        """
        if bgr.ndim != 4 or bgr.shape[1:] != (3, IMAGE_SIZE, IMAGE_SIZE):
            raise ValueError(f"pictures must be (B,3,{IMAGE_SIZE},{IMAGE_SIZE}), not {tuple(bgr.shape)}")
        features = F.max_pool2d(F.relu(self.bn1(self.conv1(bgr))), kernel_size=2)
        return self.fc(features.flatten(1)).squeeze(1).sigmoid()

    def verdict(self, rgb: Tensor) -> Tensor:
        """Score pictures as :meth:`forward`, but in red, green, blue order."""
        return self(rgb.flip(1))
