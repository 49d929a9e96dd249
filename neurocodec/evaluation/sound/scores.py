"""Intelligibility of decoded speech beside its source: STOI and extended STOI, and what is above them.

STOI: Taal et al., "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech", IEEE
TASLP 2011; extended: Jensen and Taal, IEEE TASLP 2016.  Both by the package ``pystoi``.  They hear 0.15 to
4.3 kHz, and nothing of stretches 40 dB below the loudest.  Above that lies most of an *s* or an *f*: the
level from 4.3 to 8 kHz says whether it is there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import UnsupportedError

RATE = 16000
_LARGEST_LAG = RATE // 20
_STOI_HEARS = 4300


class Scores(NamedTuple):
    """STOI and extended STOI (1: as intelligible as the source), level above them, and delay in ms.

    ``treble`` is the level from 4.3 to 8 kHz beside the source's, in dB, and at least -60.
    """

    stoi: float
    extended: float
    treble: float
    lag: float


def stoi_function() -> Any:
    """``pystoi.stoi``.

    Raises:
        UnsupportedError: the package is not here.
    """
    try:
        from pystoi import stoi
    except ImportError:
        raise UnsupportedError("STOI needs the package pystoi: pip install 'neurocodec[sound]'") from None
    return stoi


def lag(source: NDArray[np.float32], other: NDArray[np.float32]) -> int:
    """Samples by which ``other`` (N,) comes after ``source`` (N,), at most 50 ms, by cross-correlation."""
    from scipy.signal import correlate, correlation_lags

    lags = correlation_lags(len(other), len(source))
    near = np.abs(lags) <= _LARGEST_LAG
    return int(lags[near][np.argmax(correlate(other, source, method="fft")[near])])


def treble(source: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Level of ``other`` (N,) beside ``source`` (N,), at 16 kHz, from 4.3 to 8 kHz in dB, at least -60."""
    from scipy.fft import next_fast_len, rfft

    size = next_fast_len(len(source), real=True)
    above = round(_STOI_HEARS / RATE * size)
    powers = [float((np.abs(rfft(x, size)[above:]) ** 2).sum()) for x in (source, other)]
    return float(10 * np.log10(max(powers[1] / max(powers[0], 1e-20), 1e-6)))


def scores(source: NDArray[np.float32], other: NDArray[np.float32], rate: int) -> Scores:
    """Of ``other`` (N,) beside ``source`` (N,), both at ``rate`` (a multiple of 16 kHz), lined up first.

    Raises:
        UnsupportedError: the package ``pystoi`` is not here.
    """
    from scipy.signal import resample_poly

    stoi = stoi_function()
    a, b = (resample_poly(x, 1, rate // RATE) for x in (source, other))
    late = lag(a, b)
    a, b = a[max(0, -late) : len(a) - max(0, late)], b[max(0, late) : len(b) - max(0, -late)]
    plain, extended = (float(stoi(a, b, RATE, extended=e)) for e in (False, True))
    return Scores(plain, extended, treble(a, b), 1000 * late / RATE)
