"""Symbols of keypoints in landmark packets, in any of the codes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.entropy.contexts import RangeCode
from neurocodec.entropy.golomb import MAX_MAGNITUDE
from neurocodec.entropy.range_coder import RangeEncoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.packet_code import PacketDecoder, PacketEncoder

slow = settings(deadline=None, max_examples=15)


def test_zeros_past_the_end_are_packets_without_change() -> None:
    decoder = PacketDecoder(LandmarkCode.RANGE, 60, b"")
    assert not any(decoder.read().any() for _ in range(1000))
    decoder.finish()


@slow
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.3, 3, 300, 1e6]), st.integers(1, 9))
def test_landmarks_come_back(seed: int, points: int, size: float, every: int) -> None:
    rng = np.random.default_rng(seed)
    limit = MAX_MAGNITUDE // 2
    frames = np.clip(np.rint(rng.laplace(0, size, (12, 2 * points))), -limit, limit).astype(np.int32)
    encoder = PacketEncoder(LandmarkCode.RANGE, 2 * points)
    for i, u in enumerate(frames):
        if i % every == 0:
            encoder.refresh()
        encoder.write(u)
    decoder = PacketDecoder(LandmarkCode.RANGE, 2 * points, encoder.getvalue())
    for i, u in enumerate(frames):
        if i % every == 0:
            decoder.refresh()
        assert (decoder.read() == u).all()
    decoder.finish()


def test_the_largest_landmarks_come_back() -> None:
    limit = MAX_MAGNITUDE // 2
    encoder = PacketEncoder(LandmarkCode.RANGE, 2)
    rows = [[limit, -limit], [-limit, limit], [0, 0], [0, 0], [-limit, -limit]]
    for row in rows:
        encoder.write(np.array(row, np.int32))
    decoder = PacketDecoder(LandmarkCode.RANGE, 2, encoder.getvalue())
    assert [decoder.read().tolist() for _ in rows] == rows
    with pytest.raises(ValueError, match="range"):
        encoder.write(np.array([limit + 1, 0], np.int32))


def test_landmarks_that_grow_over_the_limit_are_damage() -> None:
    out, code = RangeEncoder(), RangeCode(2, MAX_MAGNITUDE)
    for _ in range(2):
        code.write(out, [MAX_MAGNITUDE // 2, 0])
    decoder = PacketDecoder(LandmarkCode.RANGE, 2, out.getvalue())
    decoder.read()
    with pytest.raises(DamagedFileError, match="outside"):
        decoder.read()


def test_the_range_code_beats_the_golomb_code_on_a_moving_head() -> None:
    rng = np.random.default_rng(1)
    steps = rng.laplace(0, 1, (100, 60)) * np.exp(-np.arange(60) / 8)
    sizes = []
    for code in (LandmarkCode.RANGE, LandmarkCode.GOLOMB):
        encoder = PacketEncoder(code, 60)
        for u in np.rint(np.cumsum(steps, 0)).astype(np.int32):
            encoder.write(u)
        sizes.append(len(encoder.getvalue()))
    assert sizes[0] < 0.9 * sizes[1]


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(LandmarkCode))
def test_any_bytes_are_values_or_an_error(data: bytes, code: LandmarkCode) -> None:
    decoder = PacketDecoder(code, 12, data)
    try:
        for _ in range(400):
            decoder.read()
    except DamagedFileError:
        pass
    if code is not LandmarkCode.RANGE:  # that one reads zeros past the end
        assert decoder._source.position <= 8 * len(data)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(LandmarkCode), st.integers(1, 30), st.integers(1, 9))
def test_packets_round_trip(seed: int, code: LandmarkCode, points: int, refresh_every: int) -> None:
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.integers(-2, 3, (20, 2 * points)), 0).astype(np.int32)
    encoder = PacketEncoder(code, 2 * points)
    for i, u in enumerate(frames):
        if i % refresh_every == 0:
            encoder.refresh()
        encoder.write(u)
    decoder = PacketDecoder(code, 2 * points, encoder.getvalue())
    for i, u in enumerate(frames):
        if i % refresh_every == 0:
            decoder.refresh()
        assert (decoder.read() == u).all()
    size = 8 * len(encoder.getvalue())
    if code is LandmarkCode.RANGE:
        assert size < encoder.bits + 16
    else:
        assert decoder._source.position == encoder.bits
        assert encoder.bits <= size < encoder.bits + 8
    decoder.finish()


def test_still_frames_cost_next_to_nothing() -> None:
    encoder = PacketEncoder(LandmarkCode.GOLOMB, 60)
    for _ in range(100):
        encoder.write(np.zeros(60, np.int32))
    assert encoder.bits < 160
    original = PacketEncoder(LandmarkCode.ORIGINAL, 60)
    original.write(np.zeros(60, np.int32))
    assert original.bits == 180


def test_garbage_after_the_packets_is_noticed() -> None:
    encoder = PacketEncoder(LandmarkCode.GOLOMB, 6)
    encoder.write(np.arange(6, dtype=np.int32))
    decoder = PacketDecoder(LandmarkCode.GOLOMB, 6, encoder.getvalue() + b"\0")
    decoder.read()
    with pytest.raises(DamagedFileError):
        decoder.finish()
