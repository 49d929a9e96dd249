import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec.entropy.bits import BitReader, BitWriter, ByteReader, svarint, unzigzag, varint, zigzag
from neurocodec.entropy.golomb import MAX_MAGNITUDE, AdaptiveGolomb, read_original, write_original
from neurocodec.errors import DamagedFileError
from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.packet_code import LandmarkDecoder, LandmarkEncoder
from neurocodec.keypoints.quantization import dequantize, quantize

PUBLISHED = {0: "110", 1: "111", -1: "010", 2: "0110", -2: "0111", 3: "0010", -3: "00110"}


def bits_of(out: BitWriter) -> str:
    return "".join(f"{b:08b}" for b in out.getvalue())[: len(out)]


@pytest.mark.parametrize(("value", "word"), PUBLISHED.items())
def test_published_examples(value: int, word: str) -> None:
    out = BitWriter()
    write_original(out, value)
    assert bits_of(out) == word


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0)).map(lambda t: (t[1] % (1 << t[0]), t[0]))))
def test_bits_come_back(fields: list[tuple[int, int]]) -> None:
    out = BitWriter()
    for value, width in fields:
        out.write(value, width)
    source = BitReader(out.getvalue())
    assert [source.read(width) for _, width in fields] == [value for value, _ in fields]
    assert source.remaining < 8


@given(st.integers(0, (1 << 63) - 1), st.integers(-(1 << 61), 1 << 61))
def test_varints_come_back(unsigned: int, signed: int) -> None:
    source = ByteReader(varint(unsigned) + svarint(signed))
    assert source.varint() == unsigned
    assert source.svarint() == signed
    assert source.remaining == 0
    assert unzigzag(zigzag(signed)) == signed


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        BitWriter().write(4, 2)
    with pytest.raises(ValueError, match="varint"):
        varint(-1)
    with pytest.raises(DamagedFileError):
        ByteReader(b"\xff" * 20).varint()
    with pytest.raises(DamagedFileError):
        BitReader(b"").read(1)


small = st.one_of(st.just(0), st.integers(-3, 3), st.integers(-300, 300))
any_value = st.one_of(small, st.integers(-MAX_MAGNITUDE, MAX_MAGNITUDE))


@given(st.lists(st.one_of(small, st.integers(-5000, 5000)), max_size=60))
def test_original_code_round_trip(values: list[int]) -> None:
    out = BitWriter()
    for v in values:
        write_original(out, v)
    source = BitReader(out.getvalue())
    assert [read_original(source) for _ in values] == values


@given(st.lists(st.lists(any_value, min_size=1, max_size=80), max_size=12))
def test_adaptive_code_round_trip(frames: list[list[int]]) -> None:
    out, coder = BitWriter(), AdaptiveGolomb()
    for frame in frames:
        coder.write(out, frame)
    source, reader = BitReader(out.getvalue()), AdaptiveGolomb()
    assert [reader.read(source, len(frame)) for frame in frames] == frames
    assert source.position == len(out)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(LandmarkCode))
def test_any_bytes_are_values_or_an_error(data: bytes, code: LandmarkCode) -> None:
    decoder = LandmarkDecoder(code, 12, data)
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
    encoder = LandmarkEncoder(code, 2 * points)
    for i, u in enumerate(frames):
        if i % refresh_every == 0:
            encoder.refresh()
        encoder.write(u)
    decoder = LandmarkDecoder(code, 2 * points, encoder.getvalue())
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
    encoder = LandmarkEncoder(LandmarkCode.GOLOMB, 60)
    for _ in range(100):
        encoder.write(np.zeros(60, np.int32))
    assert encoder.bits < 160
    original = LandmarkEncoder(LandmarkCode.ORIGINAL, 60)
    original.write(np.zeros(60, np.int32))
    assert original.bits == 180


def test_quantization_is_round_half_even() -> None:
    reference = np.zeros((2, 2))
    u = quantize(np.array([[0.005, 0.015], [0.025, -0.005]]), reference, 100)
    assert u.tolist() == [0, 2, 2, 0]
    back = dequantize(u, reference, 100)
    assert back.shape == (2, 2)
    assert np.allclose(back, [[0, 0.02], [0.02, 0]])


def test_garbage_after_the_packets_is_noticed() -> None:
    encoder = LandmarkEncoder(LandmarkCode.GOLOMB, 6)
    encoder.write(np.arange(6, dtype=np.int32))
    decoder = LandmarkDecoder(LandmarkCode.GOLOMB, 6, encoder.getvalue() + b"\0")
    decoder.read()
    with pytest.raises(DamagedFileError):
        decoder.finish()
