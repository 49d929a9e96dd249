"""Colour: normalisation, conversion accuracy, tone mapping."""

from __future__ import annotations

import numpy as np
import pytest
from media_factory import COEFFICIENTS, flat_frame, yuv_of

from neurocodec.errors import UnsupportedError
from neurocodec.media.color import BT709, ColorInfo, frame_to_rgb, normalize_color, rgb_to_frame
from neurocodec.media.hdr import tone_map

COLORS = [
    (220, 30, 40),
    (20, 180, 60),
    (30, 40, 200),
    (128, 128, 128),
    (250, 250, 250),
    (224, 172, 140),
    (5, 5, 5),
]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_conversion_is_exact_within_a_level(matrix: int, full: bool) -> None:
    color = ColorInfo(1, 1, matrix, full)
    for rgb in COLORS:
        codes = yuv_of(rgb, color)
        for size in ((32, 32), (16, 16), (12, 20), (48, 48)):
            got = frame_to_rgb(flat_frame(codes, 32, 32), color, *size)
            assert got.shape == (size[1], size[0], 3)
            assert got.dtype == np.uint8
            # 1 for the rounding of the three codes, 1 for that of the result
            assert np.abs(got.astype(int) - rgb).max() <= 2, (rgb, size)
        frame = rgb_to_frame(np.full((16, 16, 3), rgb, np.uint8), color)
        for plane, code in zip(frame.planes, codes, strict=True):
            samples = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            assert np.abs(samples.astype(int) - code).max() <= 1


def test_matrix_matters() -> None:
    """The coefficients used are really those of the tag."""
    codes = yuv_of((200, 60, 50), ColorInfo(matrix=6))
    as_601 = frame_to_rgb(flat_frame(codes, 16, 16), ColorInfo(matrix=6), 16, 16)[0, 0].astype(int)
    as_709 = frame_to_rgb(flat_frame(codes, 16, 16), ColorInfo(matrix=1), 16, 16)[0, 0].astype(int)
    assert np.abs(as_601 - as_709).max() > 8
    assert set(COEFFICIENTS) >= {1, 6, 9}


def test_shrinking_averages() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (256, 256, 1), dtype=np.uint8).repeat(3, axis=2)
    small = frame_to_rgb(rgb_to_frame(noise, BT709), BT709, 32, 32).astype(float)
    means = noise.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() < 4


@pytest.mark.parametrize(
    ("given", "size", "expected"),
    [
        (ColorInfo(2, 2, 2), (640, 480), (6, 6, 6)),
        (ColorInfo(2, 2, 2), (720, 576), (6, 6, 6)),
        (ColorInfo(2, 2, 2), (1280, 536), (1, 1, 1)),
        (ColorInfo(2, 2, 2), (608, 1080), (1, 1, 1)),
        (ColorInfo(0, 3, 3), (320, 240), (6, 6, 6)),
        (ColorInfo(2, 2, 5), (640, 480), (5, 6, 5)),
        (ColorInfo(5, 2, 2), (640, 480), (5, 6, 5)),
        (ColorInfo(1, 13, 1), (320, 240), (1, 13, 1)),
        (ColorInfo(2, 16, 2), (320, 240), (9, 16, 9)),
        (ColorInfo(9, 2, 2), (320, 240), (9, 14, 9)),
    ],
)
def test_normalize(given: ColorInfo, size: tuple[int, int], expected: tuple[int, int, int]) -> None:
    color = normalize_color(given, *size)
    assert (color.primaries, color.transfer, color.matrix) == expected


def test_normalize_rgb_and_range() -> None:
    assert normalize_color(ColorInfo(2, 2, 2, True), 64, 64, rgb=True) == BT709
    assert normalize_color(ColorInfo(2, 2, 2, True), 64, 64).full_range


@pytest.mark.parametrize("matrix", [8, 10, 14, 15])
def test_unsupported_matrix(matrix: int) -> None:
    with pytest.raises(UnsupportedError, match=f"matrix {matrix}"):
        normalize_color(ColorInfo(9, 16, matrix), 640, 480)


def _pq_code(nits: float) -> int:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (nits / 10000) ** m1
    return round(((c1 + c2 * power) / (1 + c3 * power)) ** m2 * 65535)


def test_tone_map_pq() -> None:
    nits = np.array([0, 1, 0.18 * 203, 100, 203, 400, 1000, 4000, 10000])
    codes = np.array([_pq_code(n) for n in nits], np.uint16)
    out = tone_map(np.repeat(codes[None, :, None], 3, axis=2), ColorInfo(9, 16, 9))[0]
    assert np.ptp(out.astype(int), axis=1).max() <= 1  # greys stay grey
    levels = out[:, 1].astype(int)
    assert levels[0] == 0
    assert abs(levels[2] - 125) <= 2
    assert abs(levels[4] - 227) <= 2
    assert levels[6] >= 254
    assert levels[8] == 255
    assert np.all(np.diff(levels) >= 0)


def test_tone_map_hlg() -> None:
    # BT.2408: HLG reference white (75 %) is 203 nit, like PQ's; mid grey at 38 % is 26 nit
    codes = np.array([0, 0.38, 0.75, 1.0]) * 65535
    out = tone_map(np.repeat(codes.astype(np.uint16)[None, :, None], 3, axis=2), ColorInfo(9, 18, 9))[0, :, 1]
    assert out[0] == 0
    assert abs(int(out[1]) - 255 * (26 / 203) ** (1 / 2.4)) <= 4
    assert abs(int(out[2]) - 227) <= 3
    assert out[3] >= 254


def test_tone_map_colours() -> None:
    """A BT.709 red carried in BT.2020 comes back as a pure red; unknown primaries are refused."""
    red = np.array([0.6274, 0.0691, 0.0164]) * 100
    codes = np.array([_pq_code(n) for n in red], np.uint16).reshape(1, 1, 3)
    out = tone_map(codes, ColorInfo(9, 16, 9))[0, 0]
    assert out[0] > 180
    assert out[1:].max() < 25
    with pytest.raises(UnsupportedError):
        tone_map(codes, ColorInfo(10, 16, 9))
