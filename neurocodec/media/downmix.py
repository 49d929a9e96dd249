"""Fewer channels at the loudness of the source.

FFmpeg adds channels up by fixed shares: a voice that is in both channels of a stereo source comes out of a
mono encoder louder than one that is in one of them, one that is in six is clipped, and one that is upside
down in the other channel is gone.  Here each output is the sum of its channels, those that are upside down
turned, brought to the power of the loudest of these; gains follow the powers of the last second, so that
nothing pumps, and give way at once where a sum would be clipped.
"""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
_MIDDLE = float(np.sqrt(0.5))
"""Share of a middle channel in each of two outputs."""
_SECONDS = 1.0
"""Time in which a power that is over is forgotten by two thirds."""
_TURNED, _UPRIGHT = -0.6, -0.3
"""Correlation with the loudest channel below which one is turned, and above which no longer."""
_SILENCE = 1e-10
"""Power below which there is nothing to be measured."""


def shares(layout: str, outputs: int) -> Samples:
    """How much of each channel of a layout is in each of one or two outputs, (outputs, channels).

    Low-frequency effects are left out; sides go to their side, what is in the middle to both.
    """
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    out = np.zeros((outputs, len(names)), np.float32)
    for k, name in enumerate(names):
        if name.startswith("LFE"):
            continue
        if outputs == 1 or name.endswith("L"):
            out[0, k] = 1
        elif name.endswith("R"):
            out[1, k] = 1
        elif name.endswith("C"):
            out[:, k] = _MIDDLE
        else:
            out[k % 2, k] = 1
    return out


class Downmix:
    """Mixes the channels of a layout down to one or two.

    Args:
        layout: FFmpeg's name of it.
        outputs: channels that come out.
        rate: samples a second.
    """

    def __init__(self, layout: str, outputs: int, rate: int) -> None:
        self._shares = shares(layout, outputs)
        self._rate = rate
        self._products: NDArray[np.float64] | None = None  # (channels,channels): means of the last second
        self._turned = np.zeros(self._shares.shape, bool)
        self._weights = self._shares
        self._gains: NDArray[np.float64] | None = None

    def __call__(self, samples: Samples) -> Samples:
        """Samples (n,channels) -> (n,outputs), none beyond 1 where no channel is."""
        if not len(samples):
            return np.zeros((0, len(self._shares)), np.float32)
        self._follow(samples)
        weights = np.where(self._turned, -self._shares, self._shares)
        before = weights if self._gains is None else self._weights
        self._weights = weights
        ramp = np.linspace(0, 1, len(samples), dtype=np.float32)[:, None]
        mixed = samples @ weights.T
        if before is not weights and (before != weights).any():
            mixed = ramp * mixed + (1 - ramp) * (samples @ before.T)
        wanted = self._wanted()
        peaks = np.abs(mixed).max(0)
        wanted = np.minimum(wanted, 1 / np.maximum(peaks, 1e-6))
        earlier = wanted if self._gains is None else self._gains
        self._gains = wanted
        gains = earlier + ramp * (wanted - earlier)
        return np.asarray(mixed * np.minimum(gains, 1 / np.maximum(peaks, 1e-6)), np.float32)

    def _wanted(self) -> NDArray[np.float64]:
        """The gain of each output."""
        if self._products is None:
            return np.ones(len(self._shares))
        loudest = (np.square(self._shares) * np.diag(self._products)).max(1)
        mixed = np.einsum("oi,ij,oj->o", self._weights, self._products, self._weights)
        return np.where(mixed > _SILENCE, np.sqrt(loudest / np.maximum(mixed, _SILENCE)), 1.0)

    def _follow(self, samples: Samples) -> None:
        """Move what is remembered towards what is heard; silence changes nothing."""
        exact = samples.astype(np.float64)
        products = exact.T @ exact / len(samples)
        if np.diag(products).max() <= _SILENCE:
            return
        if self._products is None:
            self._products = products
        else:
            part = 1 - float(np.exp(-len(samples) / self._rate / _SECONDS))
            self._products += part * (products - self._products)
        powers = np.diag(self._products)
        for turned, share in zip(self._turned, self._shares, strict=True):
            first = int(np.argmax(np.square(share) * powers))
            scale = np.sqrt(np.maximum(powers * powers[first], _SILENCE**2))
            alike = self._products[first] / scale
            turned[:] = alike < np.where(turned, _UPRIGHT, _TURNED)
