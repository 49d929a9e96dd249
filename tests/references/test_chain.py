"""References predicted from each other: the AV1 chain, and what a decoder remembers of it."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import MAX_CHAIN, MAX_FRAMES, ReferenceFrame, StillCodec
from neurocodec.measure.pictures import psnr
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.references.chain import ChainDecoder, ChainEncoder
from neurocodec.references.coder import ReferenceCoder
from neurocodec.references.still import av1_crf, decode_still, encode_still
from neurocodec.references.store import ReferenceStore

SIZE = 128
AV1 = StillCodec.AV1


def decode_chain(units: list[bytes], size: int) -> list[np.ndarray]:
    """All pictures of a chain."""
    decoder = ChainDecoder(size)
    return [decoder.decode(unit) for unit in units]


@pytest.fixture(scope="module")
def people(real_clip: Path) -> list[np.ndarray]:
    """Four pictures of a talking person, eight frames apart."""
    with MediaReader(real_clip, audio=False) as reader:
        frames = (i.to_rgb() for i in reader if isinstance(i, VideoPicture))
        return [np.ascontiguousarray(p[8:136, 24:152]) for k, p in zip(range(25), frames, strict=False)][::8]


def coded(pictures: list[np.ndarray], quality: int = 40) -> list[bytes]:
    encoder = ChainEncoder(pictures[0].shape[0], av1_crf(quality))
    units = [encoder.encode(p) for p in pictures]
    encoder.close()
    return units


@pytest.fixture(scope="module")
def units(people: list[np.ndarray]) -> list[bytes]:
    return coded(people)


# The chain


def test_an_inter_picture_is_smaller_than_a_key_picture(people: list[np.ndarray], units: list[bytes]) -> None:
    for picture, unit in zip(people[1:], units[1:], strict=True):
        assert len(unit) < 0.8 * len(encode_still(picture, AV1, 40))


def test_quality_buys_fidelity(people: list[np.ndarray]) -> None:
    fidelity, sizes = [], []
    for quality in (10, 40, 80):
        some = coded(people, quality)
        decoded = decode_chain(some, SIZE)
        fidelity.append(np.mean([psnr(a, b) for a, b in zip(people, decoded, strict=True)]))
        sizes.append(sum(map(len, some)))
    assert fidelity[0] + 2 < fidelity[1] < fidelity[2] - 2
    assert sizes == sorted(sizes)


def test_the_same_pictures_give_the_same_bytes(people: list[np.ndarray], units: list[bytes]) -> None:
    assert coded(people) == units


def test_the_key_picture_of_a_chain_is_a_still(units: list[bytes]) -> None:
    still = decode_still(units[0], AV1, SIZE)
    assert (still == decode_chain(units, SIZE)[0]).all()


@pytest.mark.parametrize("size", [64, 136, 256])
def test_another_size_is_refused(units: list[bytes], size: int) -> None:
    with pytest.raises(DamagedFileError):
        ChainDecoder(size).decode(units[0])


def test_an_inter_picture_without_its_key_is_refused(units: list[bytes]) -> None:
    with pytest.raises(DamagedFileError):
        ChainDecoder(SIZE).decode(units[1])


def test_two_pictures_in_one_unit_are_noticed_with_the_next_one(units: list[bytes]) -> None:
    decoder = ChainDecoder(SIZE)
    decoder.decode(units[0] + units[1])
    with pytest.raises(DamagedFileError):
        decoder.decode(units[2])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_junk_is_damage(units: list[bytes], data: st.DataObject) -> None:
    decoder = ChainDecoder(SIZE)
    if data.draw(st.booleans()):
        junk = data.draw(st.binary(max_size=60))
    else:
        bad = bytearray(units[1])
        bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
        junk = bytes(bad)
        decoder.decode(units[0])
    with suppress(DamagedFileError):
        assert decoder.decode(junk).shape == (SIZE, SIZE, 3)


# The encoder's side


def test_a_coder_starts_with_a_key_and_goes_on_with_dependents(people: list[np.ndarray]) -> None:
    coder = ReferenceCoder(AV1, 40, SIZE, chain=True)
    first = [coder.code(p) for p in people[:2]]
    coder.restart()
    again = [coder.code(p) for p in people[:2]]
    coder.restart()
    assert [c.dependent for c in first] == [False, True]
    assert [c.data for c in first] == [c.data for c in again]
    for c, picture in zip(first, decode_chain([c.data for c in first], SIZE), strict=True):
        assert (c.picture == picture).all()


@pytest.mark.parametrize("codec", list(StillCodec))
def test_a_coder_without_a_chain_gives_stills(people: list[np.ndarray], codec: StillCodec) -> None:
    coder = ReferenceCoder(codec, 40, SIZE, chain=codec is not AV1)
    for picture in people[:2]:
        c = coder.code(picture)
        assert not c.dependent and not coder.chained
        assert (decode_still(c.data, codec, SIZE) == c.picture).all()


# The decoder's side


def store_of(units: list[bytes], skip: tuple[int, ...] = (), keys: tuple[int, ...] = (0,)) -> ReferenceStore:
    store = ReferenceStore(SIZE)
    for n, unit in enumerate(units):
        if n not in skip:
            store.add(n, ReferenceFrame(n, AV1, unit, n not in keys))
    return store


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 0, 2, 1], [2, 3, 0, 1]])
def test_pictures_do_not_depend_on_the_order_they_are_wanted_in(units: list[bytes], order: list[int]) -> None:
    expected, store = decode_chain(units, SIZE), store_of(units)
    assert all((store.picture(n) == expected[n]).all() for n in order)


def test_a_lost_link_loses_what_depends_on_it(units: list[bytes]) -> None:
    store = store_of([*units, *units], skip=(1,), keys=(0, 4))
    store.picture(0)
    for lost in (1, 2, 3):
        with pytest.raises(DamagedFileError, match="missing"):
            store.picture(lost)
    assert (store.picture(6) == decode_chain(units, SIZE)[2]).all()


def test_a_broken_link_leaves_what_comes_before_it(units: list[bytes]) -> None:
    store = store_of([*units[:2], b"junk", units[3]])
    assert (store.picture(1) == decode_chain(units, SIZE)[1]).all()
    for lost in (2, 3):
        with pytest.raises(DamagedFileError):
            store.picture(lost)
    assert (store.picture(0) == decode_chain(units, SIZE)[0]).all()


def test_what_a_block_needs_has_to_be_decodable_by_itself(units: list[bytes]) -> None:
    store = store_of(units, skip=(2,))
    assert store.has(()) and store.has((0,)) and store.has((0, 1))
    assert not store.has((1,))
    assert not store.has((0, 1, 2))
    assert not store.has((3,))


def test_nothing_depends_on_another_codec(units: list[bytes]) -> None:
    store = ReferenceStore(SIZE)
    store.add(0, ReferenceFrame(0, StillCodec.JPEG, units[0]))
    store.add(1, ReferenceFrame(1, AV1, units[1], True))
    with pytest.raises(DamagedFileError, match="depends"):
        store.picture(1)


def test_references_of_a_whole_block_and_all_it_may_need_are_kept() -> None:
    store = ReferenceStore(SIZE)
    for n in range(3 * MAX_FRAMES):
        store.add(n, ReferenceFrame(0, AV1, b"x"))
    last = 3 * MAX_FRAMES
    assert store.has(tuple(range(last - MAX_FRAMES - MAX_CHAIN, last)))
    assert len(store._coded) == MAX_FRAMES + MAX_CHAIN


def test_memory_of_coded_references_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurocodec.references.store.MAX_KEPT_BYTES", 1000)
    store = ReferenceStore(SIZE)
    for n in range(50):
        store.add(n, ReferenceFrame(0, AV1, bytes(100)))
    assert sorted(store._coded) == list(range(40, 50))


def test_going_to_and_fro_between_chains_decodes_each_once(
    units: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    real = ChainDecoder.decode

    def counted(self: ChainDecoder, data: bytes) -> np.ndarray:
        nonlocal count
        count += 1
        return real(self, data)

    monkeypatch.setattr(ChainDecoder, "decode", counted)
    store = store_of([*units, *units], keys=(0, 4))
    for n in (0, 4, 1, 5, 2, 6, 3, 7):
        store.picture(n)
    assert count == 8
