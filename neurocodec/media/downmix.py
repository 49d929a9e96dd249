"""Fewer channels at the loudness of the source.

FFmpeg adds channels up by fixed shares: a voice that is in both channels of a stereo source comes out of a
mono encoder louder than one that is in one of them, and one that is in six is clipped.  Here each output is
the sum of its channels, brought to the power of the loudest of these; gains follow the powers of the last
second, so that nothing pumps, and give way at once where a sum would be clipped.
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
        self._powers = np.zeros(self._shares.shape[1])
        self._mixed = np.zeros(outputs)
        self._gains: NDArray[np.float64] | None = None

    def __call__(self, samples: Samples) -> Samples:
        """Samples (n,channels) -> (n,outputs), none beyond 1 where no channel is."""
        if not len(samples):
            return np.zeros((0, len(self._shares)), np.float32)
        mixed = samples @ self._shares.T
        powers, sums = (np.square(x, dtype=np.float64).mean(0) for x in (samples, mixed))
        self._follow(powers, sums, len(samples) / self._rate)
        loudest = (np.square(self._shares) * self._powers).max(1)
        wanted = np.where(self._mixed > _SILENCE, np.sqrt(loudest / np.maximum(self._mixed, _SILENCE)), 1.0)
        peaks = np.abs(mixed).max(0)
        wanted = np.minimum(wanted, 1 / np.maximum(peaks, 1e-6))
        before = wanted if self._gains is None else self._gains
        self._gains = wanted
        ramp = np.linspace(0, 1, len(samples), dtype=np.float32)[:, None]
        gains = before + ramp * (wanted - before)
        return np.asarray(mixed * np.minimum(gains, 1 / np.maximum(peaks, 1e-6)), np.float32)

    def _follow(self, powers: NDArray[np.float64], mixed: NDArray[np.float64], seconds: float) -> None:
        """Move the remembered powers towards those of the last ``seconds``; silence changes nothing."""
        if mixed.max() <= _SILENCE:
            return
        known = self._mixed.max() > _SILENCE
        part = 1 - float(np.exp(-seconds / _SECONDS)) if known else 1.0
        self._powers += part * (powers - self._powers)
        self._mixed += part * (mixed - self._mixed)
