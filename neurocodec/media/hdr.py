"""Tone mapping of PQ and HLG pictures to SDR BT.709.

The path is: non-linear R'G'B' -> display light in nit (SMPTE ST 2084, or HLG with its 1000 nit system gamma
of 1.2) -> BT.709 primaries, negative components clipped -> tone curve -> BT.1886 inverse (gamma 2.4).

Tone curve: light is expressed relative to the 203 nit reference white (ITU-R BT.2408). Up to half of it
nothing changes, so shadows and skin keep their contrast; from there a shoulder with matching slope
(extended Reinhard) leads to SDR white at 1000 nit. It is applied to the largest component and the others
follow in proportion, which keeps the hue. Mid grey (18 % of reference white) comes out as 125 of 255,
reference white as 227, anything from 1000 nit up as 255.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from neurocodec.errors import UnsupportedError
from neurocodec.media.color import PQ, ColorInfo

REFERENCE_WHITE = 203.0
PEAK = 1000.0
_KNEE = 0.5

# CIE xy chromaticities of red, green and blue; all with white D65.
_CHROMATICITIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)


def _rgb_to_xyz(primaries: int) -> npt.NDArray[np.float64]:
    def xyz(x: float, y: float) -> list[float]:
        return [x / y, 1.0, (1.0 - x - y) / y]

    columns = np.array([xyz(*point) for point in _CHROMATICITIES[primaries]]).T
    scale = np.linalg.solve(columns, np.array(xyz(*_D65)))
    return columns * scale


@cache
def _to_bt709(primaries: int) -> npt.NDArray[np.float32]:
    if primaries not in _CHROMATICITIES:
        raise UnsupportedError(f"HDR with colour primaries {primaries} is not supported")
    return np.linalg.solve(_rgb_to_xyz(1), _rgb_to_xyz(primaries)).astype(np.float32)


@cache
def _pq_light() -> npt.NDArray[np.float32]:
    """Display light relative to reference white of every 16-bit PQ code; shape (65536,)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = (np.arange(65536) / 65535.0) ** (1 / m2)
    light = 10000.0 * (np.maximum(root - c1, 0.0) / (c2 - c3 * root)) ** (1 / m1)
    return (light / REFERENCE_WHITE).astype(np.float32)


@cache
def _hlg_scene() -> npt.NDArray[np.float32]:
    """Scene light 0..1 of every 16-bit HLG code; shape (65536,)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.arange(65536) / 65535.0
    scene = np.where(signal <= 0.5, signal**2 / 3.0, (np.exp((signal - c) / a) + b) / 12.0)
    return scene.astype(np.float32)


def _compress(light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The tone curve: light relative to reference white -> SDR light 0..1."""
    top = (PEAK / REFERENCE_WHITE - _KNEE) / (1 - _KNEE)
    over = np.clip((light - _KNEE) / (1 - _KNEE), 0.0, top)
    shoulder = over * (1.0 + over / (top * top)) / (1.0 + over)
    return np.where(light <= _KNEE, light, _KNEE + (1 - _KNEE) * shoulder).astype(np.float32)


def tone_map(codes: npt.NDArray[Any], color: ColorInfo) -> npt.NDArray[np.uint8]:
    """Tone-map ``H x W x 3`` uint16 R'G'B' (PQ or HLG as ``color`` says) to uint8 R'G'B' of BT.709.

    Raises UnsupportedError for primaries without a known conversion.
    """
    matrix = _to_bt709(color.primaries)
    if color.transfer == PQ:
        light = _pq_light()[codes]
    else:
        scene = _hlg_scene()[codes]
        luma = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        gain = np.maximum(luma, 1e-6) ** np.float32(0.2) * np.float32(PEAK / REFERENCE_WHITE)
        light = scene * gain[..., None]
    light = np.maximum(light @ matrix.T, 0.0)
    largest = light.max(axis=2, keepdims=True)
    light *= _compress(largest) / np.maximum(largest, 1e-9)
    signal = np.clip(light, 0.0, 1.0) ** np.float32(1 / 2.4)
    out: npt.NDArray[np.uint8] = (signal * 255 + 0.5).astype(np.uint8)
    return out
