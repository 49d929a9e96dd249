"""The range coder, the landmark code on top of it, the transform and the encoder's trajectories."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.entropy.contexts import CONTEXTS, PREFIX, RangeCode
from neurocodec.entropy.golomb import MAX_MAGNITUDE
from neurocodec.entropy.initial_states import INITIAL
from neurocodec.entropy.range_coder import ONE, SLOWEST, Context, RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.packet_code import LandmarkDecoder, LandmarkEncoder
from neurocodec.keypoints.quantization import dequantize, quantize
from neurocodec.keypoints.smoothing import _bits, smooth
from neurocodec.keypoints.transform import BASIS_ONE, forward, inverse, train_basis

some = settings(deadline=None, max_examples=40)
slow = settings(deadline=None, max_examples=15)
decisions = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=300)
changes = st.one_of(
    st.just(0), st.integers(-3, 3), st.integers(-40, 40), st.integers(-(2**24) + 1, 2**24 - 1)
)


def contexts() -> list[Context]:
    return [Context(p) for p in (64, ONE // 2, ONE - 64, 1000)]


# The coder


@some
@given(decisions)
def test_decisions_come_back(bits: list[tuple[int, int]]) -> None:
    out, seen = RangeEncoder(), contexts()
    for k, bit in bits:
        out.encode(seen[k], bit)
    source, again = RangeDecoder(out.getvalue()), contexts()
    assert [source.decode(again[k]) for k, _ in bits] == [bit for _, bit in bits]
    source.finish("decisions")
    assert [(c.p, c.seen) for c in seen] == [(c.p, c.seen) for c in again]


@some
@given(st.lists(st.integers(0, 24).flatmap(lambda n: st.tuples(st.integers(0, (1 << n) - 1), st.just(n)))))
def test_even_bits_come_back(fields: list[tuple[int, int]]) -> None:
    out = RangeEncoder()
    for value, bits in fields:
        out.encode_even(value, bits)
    source = RangeDecoder(out.getvalue())
    assert [source.decode_even(bits) for _, bits in fields] == [value for value, _ in fields]
    assert len(out.getvalue()) <= sum(bits for _, bits in fields) // 8 + 1


@pytest.mark.parametrize("bit", [0, 1])
def test_carries_run_through(bit: int) -> None:
    """Improbable decisions after many probable ones; then the other way round."""
    out, context = RangeEncoder(), Context()
    bits = ([bit] * 3000 + [1 - bit]) * 2 + [bit] * 500
    for b in bits:
        out.encode(context, b)
    source, again = RangeDecoder(out.getvalue()), Context()
    assert [source.decode(again) for _ in bits] == bits
    assert len(out.getvalue()) < 30


def test_probabilities_stay_inside_their_bounds() -> None:
    for bit in (0, 1):
        for p in (64, ONE // 2, ONE - 64):
            context = Context(p)
            for _ in range(2000):
                context.update(bit)
                assert 64 <= context.p <= ONE - 64


def test_initial_states_are_possible() -> None:
    assert len(INITIAL) == CONTEXTS
    assert all(64 <= p <= ONE - 64 and 0 <= seen <= SLOWEST for p, seen in INITIAL)


def test_nothing_takes_no_byte() -> None:
    assert RangeEncoder().getvalue() == b""
    RangeDecoder(b"").finish("nothing")


def test_asking_for_the_bytes_changes_nothing() -> None:
    out, context = RangeEncoder(), Context()
    for k in range(100):
        out.encode(context, k % 3 == 0)
        out.getvalue()
    plain, again = RangeEncoder(), Context()
    for k in range(100):
        plain.encode(again, k % 3 == 0)
    assert out.getvalue() == plain.getvalue()


@pytest.mark.parametrize("tail", [b"\0", bytes(6) + b"\1", bytes(100)])
def test_more_bytes_than_were_written_are_noticed(tail: bytes) -> None:
    out = RangeEncoder()
    out.encode_even(0x123457, 24)
    source = RangeDecoder(out.getvalue() + tail)
    source.decode_even(24)
    with pytest.raises(DamagedFileError, match="bits do not end"):
        source.finish("bits")


# The code


@slow
@given(st.integers(1, 50), st.data())
def test_any_changes_come_back(count: int, data: st.DataObject) -> None:
    packets = data.draw(st.lists(st.lists(changes, min_size=count, max_size=count), max_size=6))
    out, code = RangeEncoder(), RangeCode(count, MAX_MAGNITUDE)
    for packet in packets:
        code.write(out, packet)
    source, again = RangeDecoder(out.getvalue()), RangeCode(count, MAX_MAGNITUDE)
    assert [again.read(source) for _ in packets] == packets
    source.finish("changes")


@pytest.mark.parametrize("value", [1, 13, 14, 15, 16, 17, 2**16, MAX_MAGNITUDE - 1, MAX_MAGNITUDE])
def test_extreme_changes_come_back(value: int) -> None:
    packet = [0, value, 0, -value]
    out = RangeEncoder()
    RangeCode(4, MAX_MAGNITUDE).write(out, packet)
    assert RangeCode(4, MAX_MAGNITUDE).read(RangeDecoder(out.getvalue())) == packet


def test_a_change_over_the_limit_is_refused_and_writes_nothing() -> None:
    out = RangeEncoder()
    with pytest.raises(ValueError, match="limit"):
        RangeCode(2, MAX_MAGNITUDE).write(out, [0, MAX_MAGNITUDE + 1])
    assert out.getvalue() == b""


def test_a_change_over_the_limit_is_damage() -> None:
    """All prefix decisions a one: 24 of them, which no writer makes."""
    code, out = RangeCode(2, MAX_MAGNITUDE), RangeEncoder()
    table = [Context(p, seen) for p, seen in INITIAL]
    out.encode(table[0], 0)
    out.encode(table[3], 1)
    for m in range(13):
        out.encode(table[87 + min(m, 3)], 1)
    for k in range(24):
        out.encode(table[PREFIX + k], 1)
    out.encode_even(0, 24)
    with pytest.raises(DamagedFileError, match="limit"):
        code.read(RangeDecoder(out.getvalue()))


def test_zeros_past_the_end_are_packets_without_change() -> None:
    decoder = LandmarkDecoder(LandmarkCode.RANGE, 60, b"")
    assert not any(decoder.read().any() for _ in range(1000))
    decoder.finish()


# Landmark packets


@slow
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.3, 3, 300, 1e6]), st.integers(1, 9))
def test_landmarks_come_back(seed: int, points: int, size: float, every: int) -> None:
    rng = np.random.default_rng(seed)
    limit = MAX_MAGNITUDE // 2
    frames = np.clip(np.rint(rng.laplace(0, size, (12, 2 * points))), -limit, limit).astype(np.int32)
    encoder = LandmarkEncoder(LandmarkCode.RANGE, 2 * points)
    for i, u in enumerate(frames):
        if i % every == 0:
            encoder.refresh()
        encoder.write(u)
    decoder = LandmarkDecoder(LandmarkCode.RANGE, 2 * points, encoder.getvalue())
    for i, u in enumerate(frames):
        if i % every == 0:
            decoder.refresh()
        assert (decoder.read() == u).all()
    decoder.finish()


def test_the_largest_landmarks_come_back() -> None:
    limit = MAX_MAGNITUDE // 2
    encoder = LandmarkEncoder(LandmarkCode.RANGE, 2)
    rows = [[limit, -limit], [-limit, limit], [0, 0], [0, 0], [-limit, -limit]]
    for row in rows:
        encoder.write(np.array(row, np.int32))
    decoder = LandmarkDecoder(LandmarkCode.RANGE, 2, encoder.getvalue())
    assert [decoder.read().tolist() for _ in rows] == rows
    with pytest.raises(ValueError, match="range"):
        encoder.write(np.array([limit + 1, 0], np.int32))


def test_landmarks_that_grow_over_the_limit_are_damage() -> None:
    out, code = RangeEncoder(), RangeCode(2, MAX_MAGNITUDE)
    for _ in range(2):
        code.write(out, [MAX_MAGNITUDE // 2, 0])
    decoder = LandmarkDecoder(LandmarkCode.RANGE, 2, out.getvalue())
    decoder.read()
    with pytest.raises(DamagedFileError, match="outside"):
        decoder.read()


def test_the_range_code_beats_the_golomb_code_on_a_moving_head() -> None:
    rng = np.random.default_rng(1)
    steps = rng.laplace(0, 1, (100, 60)) * np.exp(-np.arange(60) / 8)
    sizes = []
    for code in (LandmarkCode.RANGE, LandmarkCode.GOLOMB):
        encoder = LandmarkEncoder(code, 60)
        for u in np.rint(np.cumsum(steps, 0)).astype(np.int32):
            encoder.write(u)
        sizes.append(len(encoder.getvalue()))
    assert sizes[0] < 0.9 * sizes[1]


# The transform


def orthonormal(size: int, seed: int = 0) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return np.rint(q * BASIS_ONE * 0.9999).astype(np.int16)


@some
@given(st.integers(2, 60), st.integers(0, 99))
def test_there_and_back_through_an_orthonormal_basis(size: int, seed: int) -> None:
    basis = orthonormal(size, seed)
    values = np.random.default_rng(seed).uniform(-200, 200, (5, size))
    assert np.abs(inverse(forward(values, basis), basis) - values).max() < 0.5


def test_one_coefficient_is_one_row_of_the_basis() -> None:
    basis = orthonormal(4)
    u = np.array([0, 3, 0, 0])
    row = basis[1].astype(float) / BASIS_ONE
    assert np.allclose(inverse(u, basis), 3 * row)
    points = dequantize(u.astype(np.int32), np.zeros((2, 2)), 10, basis)
    assert np.allclose(points.reshape(-1), 0.3 * row, atol=1e-6)


def test_quantized_coefficients_are_close() -> None:
    basis, rng = orthonormal(8), np.random.default_rng(3)
    reference, points = rng.uniform(-1, 1, (4, 2)), rng.uniform(-1, 1, (5, 4, 2))
    u = quantize(points, reference, 100, basis)
    assert np.abs(dequantize(u, reference, 100, basis) - points).max() < 0.5 * np.sqrt(8) / 100 + 1e-3


def test_a_trained_basis_orders_variance_and_is_orthonormal() -> None:
    rng = np.random.default_rng(5)
    mixed = orthonormal(10, 9) / BASIS_ONE
    tracks = [np.cumsum(rng.normal(size=(80, 10)) * 0.7 ** np.arange(10), 0) @ mixed for _ in range(4)]
    basis = train_basis(tracks)
    steps = np.concatenate([forward(t[5:] - t[:-5], basis) for t in tracks])
    power = (steps**2).sum(0)
    assert basis.dtype == np.int16
    assert (np.diff(power) <= 1e-6 * power[0]).all()
    assert np.allclose((basis / BASIS_ONE) @ (basis / BASIS_ONE).T, np.eye(10), atol=2e-3)
    assert (train_basis(tracks) == basis).all()


# Trajectories


def cost(u: np.ndarray, exact: np.ndarray, strength: float) -> np.ndarray:
    """What :func:`smooth` minimizes, for each coefficient."""
    moves = np.diff(u.astype(np.int64), axis=0, prepend=0)
    return ((u - exact) ** 2).sum(0) + strength * _bits(moves).sum(0)


trajectories = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([0.3, 1.0, 20.0]))


def exact_of(which: tuple[int, int, float]) -> np.ndarray:
    seed, frames, size = which
    return np.cumsum(np.random.default_rng(seed).normal(0, size, (frames, 6)), 0)


@some
@given(trajectories, st.sampled_from([0.05, 0.15, 1.0, 5.0]))
def test_smoothing_never_costs_more_than_rounding(which: tuple[int, int, float], strength: float) -> None:
    exact = exact_of(which)
    u = smooth(exact, strength)
    assert (cost(u, exact, strength) <= cost(np.rint(exact), exact, strength) + 1e-6).all()


@some
@given(trajectories, st.sampled_from([0.05, 0.15, 5.0]))
def test_smoothing_stays_within_two_steps(which: tuple[int, int, float], strength: float) -> None:
    exact = exact_of(which)
    assert np.abs(smooth(exact, strength) - exact).max() <= 2


@some
@given(trajectories)
def test_no_smoothing_is_rounding(which: tuple[int, int, float]) -> None:
    exact = exact_of(which)
    assert (smooth(exact, 0) == np.rint(exact)).all()


def test_jitter_of_less_than_a_step_is_smoothed_away() -> None:
    exact = 3 + 0.6 * np.sin(np.arange(40))[:, None]
    assert len(np.unique(np.rint(exact))) > 1
    assert len(np.unique(smooth(exact, 1.0))) == 1


def test_a_trajectory_of_no_frames() -> None:
    assert smooth(np.zeros((0, 4)), 0.15).shape == (0, 4)
