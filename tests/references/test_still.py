import contextlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import StillCodec
from neurocodec.references.still import decode_still, encode_still
from neurocodec.references.ycbcr import planes_to_rgb, rgb_to_planes


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[0:256, 96:352])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("codec", StillCodec)
def test_quality_buys_fidelity(codec: StillCodec, face: np.ndarray) -> None:
    sizes, fidelity = [], []
    for quality in (20, 50, 90):
        coded = encode_still(face, codec, quality)
        picture = decode_still(coded, codec, 256)
        assert picture.shape == face.shape
        assert picture.dtype == np.uint8
        sizes.append(len(coded))
        fidelity.append(psnr(face, picture))
    assert sizes == sorted(sizes)
    assert fidelity == sorted(fidelity)
    assert fidelity[-1] > 32


def test_av1_is_small(face: np.ndarray) -> None:
    assert len(encode_still(face, StillCodec.AV1, 40)) < len(encode_still(face, StillCodec.JPEG, 40)) / 2


@pytest.mark.parametrize("codec", StillCodec)
def test_same_bytes_twice(codec: StillCodec, face: np.ndarray) -> None:
    assert encode_still(face, codec, 50) == encode_still(face, codec, 50)


@pytest.mark.parametrize("codec", StillCodec)
def test_another_size_is_refused(codec: StillCodec, face: np.ndarray) -> None:
    coded = encode_still(face, codec, 50)
    with pytest.raises(DamagedFileError):
        decode_still(coded, codec, 128)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(StillCodec))
def test_any_bytes(junk: bytes, codec: StillCodec) -> None:
    with pytest.raises(DamagedFileError):
        decode_still(junk, codec, 64)


@pytest.mark.parametrize("codec", StillCodec)
def test_damage_is_a_picture_or_an_error(codec: StillCodec, face: np.ndarray) -> None:
    coded = bytearray(encode_still(face, codec, 30))
    rng = np.random.default_rng(1)
    for _ in range(20):
        broken = coded.copy()
        broken[rng.integers(len(coded))] ^= 1 << rng.integers(8)
        with contextlib.suppress(DamagedFileError):
            assert decode_still(bytes(broken), codec, 256).shape == (256, 256, 3)


@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 140, 33)]
)
def test_flat_colours_survive_the_conversion(colour: tuple[int, int, int]) -> None:
    rgb = np.full((16, 16, 3), colour, np.uint8)
    back = planes_to_rgb(*rgb_to_planes(rgb))
    assert np.abs(back.astype(int) - rgb).max() <= 2


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no scheduling policies here")
@pytest.mark.parametrize("codec", StillCodec)
def test_scheduling_is_left_alone(codec: StillCodec, face: np.ndarray) -> None:
    """SVT-AV1 makes the calling thread a real-time one when run by root."""
    before = os.sched_getscheduler(0)
    encode_still(face, codec, 40)
    assert os.sched_getscheduler(0) == before
