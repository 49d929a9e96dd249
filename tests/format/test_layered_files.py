"""Version 5: the layer and the heads of a block come back, and damage to one leaves the others."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise

import pytest
from any_files import HEADER, Pipe
from guarded_files import left_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layered_files import BLOCKS, PLACES, WHOLE, H, with_bytes, without
from tiny_files import make

from neurocodec.entropy.bits import varint
from neurocodec.errors import DamagedFileError, NeurocodecError, UnsupportedError
from neurocodec.format.block import Block, ReferenceFrame, Region, StillCodec
from neurocodec.format.block_writer import write_block
from neurocodec.format.checksums import Part
from neurocodec.format.chunks import BLOCK_CHUNK, HEAD_CHUNK, INDEX_CHUNK, LAYER_CHUNK, chunk, outline_chunk
from neurocodec.format.damage import Loss
from neurocodec.format.header import Fit, read_header, write_header
from neurocodec.format.layer import LayerPart, LayerPicture, read_layer, write_layer
from neurocodec.format.limits import Limits
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packets import parse_head

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
START, MIDDLE, END, WITHOUT, SOUND = BLOCKS


def test_a_layered_file_comes_back_in_order_and_by_index() -> None:
    for file in (io.BytesIO(WHOLE), Pipe(WHOLE, 7)):
        reader = NfcReader(file)  # type: ignore[arg-type]
        assert reader.header == H
        found = [item for item in reader if isinstance(item, tuple)]
        assert [block for block, _ in found] == BLOCKS
    reader = NfcReader(io.BytesIO(WHOLE))
    entries = reader.index()
    assert entries is not None
    sizes = [size for _, size in found]
    assert [b.offset - a.offset for a, b in pairwise(entries)] == sizes[:-1]
    assert [reader.block_at(e) for e in reversed(entries)] == BLOCKS[::-1]


def test_bytes_are_counted_by_kind() -> None:
    out = io.BytesIO()
    writer = NfcWriter(out, H)
    sizes = [writer.write_block(b) for b in BLOCKS]
    kinds = writer.bytes_by_kind
    assert kinds["total"] == len(out.getvalue()) == sum(n for k, n in kinds.items() if k != "total")
    assert kinds["layer"] == sum(len(p.data) for b in BLOCKS if b.layer for p in b.layer.pictures)
    assert kinds["landmarks"] == sum(len(part.landmarks) for b in BLOCKS for part in b.heads)
    assert kinds["references"] == 0
    assert sum(sizes) == kinds["total"] - NfcReader(io.BytesIO(WHOLE)).header_bytes
    assert "layer" not in NfcWriter(io.BytesIO(), HEADER).bytes_by_kind


def test_the_flag_is_of_version_5_and_needs_regions() -> None:
    payload = write_header(H)
    for version in (1, 2, 3, 4):
        with pytest.raises(UnsupportedError, match="header flags"):
            read_header(payload, version)
        with pytest.raises(ValueError, match="rule of the format"):
            NfcWriter(io.BytesIO(), replace(H, version=version))
    with pytest.raises(DamagedFileError, match="fit"):
        read_header(write_header(replace(H, fit=Fit.SQUASH)), 5)


def test_version_5_without_the_flag_is_as_version_4() -> None:
    plain = make.header(version=5)
    still = ReferenceFrame(0, StillCodec.AV1, b"x")
    block = Block(0, make.pts(plain, 0, 1), 0, (), (still,), b"", guarded=True)
    data = make.file(plain, [block])
    older = make.file(replace(plain, version=4), [block])
    assert data[5:] == older[5:] and left_of(data) == ([block], [])
    with pytest.raises(ValueError, match="layered file"):
        write_block(replace(block, entry=True), plain)
    bad = data.replace(chunk(BLOCK_CHUNK, write_block(block, plain)), chunk(LAYER_CHUNK, b"\0\0\0"))
    assert [loss.reason for loss in left_of(bad)[1]] == ["byte 0xf4 is no chunk type"]


@quick
@given(st.data())
def test_layers_come_back(data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, 30), min_size=1, max_size=9)))
    pictures = tuple(LayerPicture(o, data.draw(st.binary(min_size=1, max_size=200))) for o in offsets)
    side = st.integers(4, 36).map(lambda n: 2 * n)
    layer = LayerPart(pictures, data.draw(st.none() | st.tuples(side, side)))
    payload = write_layer(layer, 300)
    assert read_layer(payload, H, 31) == layer
    with pytest.raises(DamagedFileError):
        read_layer(payload, H, offsets[-1])
    with pytest.raises(DamagedFileError):
        read_layer(payload + b"\0", H, 31)


@pytest.mark.parametrize(
    "layer",
    [
        LayerPart((), (64, 64)),
        LayerPart((LayerPicture(0, b"x"),), (63, 64)),
        LayerPart((LayerPicture(0, b"x"),), (6, 64)),
        LayerPart((LayerPicture(0, b"x"),), (98, 64)),
        LayerPart((LayerPicture(0, b"x"),), (64, 74)),
        LayerPart((LayerPicture(0, b""),), (64, 64)),
        LayerPart((LayerPicture(8, b"x"),), (64, 64)),
        LayerPart((LayerPicture(1, b"x"),), (64, 64)),
        LayerPart((LayerPicture(0, b"x"),)),
        None,
    ],
)
def test_impossible_layers_of_an_entry_are_not_written(layer: LayerPart | None) -> None:
    writer = NfcWriter(io.BytesIO(), H)
    with pytest.raises(ValueError, match="rule of the format"):
        writer.write_block(replace(START, layer=layer))
    writer.write_block(START)


def test_blocks_of_layered_files_have_no_place_for_references() -> None:
    stills = (ReferenceFrame(0, StillCodec.AV1, b"x"),)
    for more in ({"references": stills}, {"landmarks": b"x"}, {"region": Region(1, 1, 1)}, {"golomb": True}):
        with pytest.raises(ValueError, match="heads alone"):
            write_block(replace(START, **more), H)  # type: ignore[arg-type]
    for bad in (replace(START, entry=False), replace(SOUND, first_frame=0, entry=True, audio=())):
        with pytest.raises(ValueError, match="entry"):
            NfcWriter(io.BytesIO(), H).write_block(bad)


@pytest.mark.parametrize("flag", [0x04, 0x08, 0x10, 0x20])
def test_flags_that_are_reserved_there_are_refused(flag: int) -> None:
    payload = bytearray(write_block(replace(START, guarded=False), H))
    payload[2] |= flag
    data = WHOLE[: PLACES[0][1].start] + chunk(BLOCK_CHUNK, bytes(payload))
    with pytest.raises(UnsupportedError, match="block flags"):
        left_of(data)


# Damage


@pytest.mark.parametrize("k", range(len(PLACES)))
def test_a_damaged_chunk_loses_itself_alone(k: int) -> None:
    kind, place = PLACES[k]
    owner = sum(t == BLOCK_CHUNK for t, _ in PLACES[: k + 1]) - 1
    begin = outline_chunk(WHOLE[place.start :], layered=True)[1]
    assert isinstance(begin, int)
    for at in range(place.start + begin, place.stop):
        found, losses = left_of(with_bytes(at, lambda b: b ^ 0x20))
        if kind == INDEX_CHUNK:
            assert found == BLOCKS
            continue
        if kind == BLOCK_CHUNK:
            same = [b for b in BLOCKS if b.first_frame != BLOCKS[owner].first_frame]
            assert [b for b in found if b.first_frame != BLOCKS[owner].first_frame] == same
            assert losses[0].offset == place.start
            continue
        whole = BLOCKS[owner]
        (loss,) = losses
        assert loss.offset == place.start and loss.salvaged is found[owner]
        if kind == LAYER_CHUNK:  # without it, nobody can tell which frames of the heads have packets
            lost = frozenset([Part.LAYER, Part.HEADS])
            assert found[owner] == replace(whole, layer=None, heads=(), lost=lost)
        else:
            assert found[owner].lost == {Part.HEADS} and found[owner].layer == whole.layer
            assert len(set(whole.heads) - set(found[owner].heads)) == 1
            assert set(found[owner].heads) < set(whole.heads)
        assert [b for i, b in enumerate(found) if i != owner] == [
            b for i, b in enumerate(BLOCKS) if i != owner
        ]


def test_chunks_that_are_taken_out() -> None:
    first, second = (k for k, (kind, _) in enumerate(PLACES) if kind == LAYER_CHUNK and k < 9)
    found, losses = left_of(without(first))  # an entry has to have one
    assert [loss.reason for loss in losses] == ["the heads and layer of a block"]
    assert found[0].lost == {Part.LAYER, Part.HEADS} and found[1:] == BLOCKS[1:]
    found, losses = left_of(without(second))  # others need none
    assert losses == [] and found[1] == replace(MIDDLE, layer=None)
    with pytest.raises(DamagedFileError):  # but then there are too few packets
        parse_head(found[1].heads[0], found[1], H)
    found, losses = left_of(without(0))
    assert found == BLOCKS[1:]
    assert [loss.reason[-12:] for loss in losses] == ["out of place"] * 4


def test_chunks_that_are_doubled_or_out_of_order() -> None:
    layer, head = (WHOLE[p.start : p.stop] for _, p in PLACES[1:3])
    start = PLACES[1][1].start
    for between, lost in (
        (layer, {Part.LAYER, Part.HEADS}), (head, {Part.HEADS}),
        (layer + head + head, {Part.LAYER, Part.HEADS}),
    ):  # fmt: skip
        found, losses = left_of(WHOLE[:start] + layer + between + WHOLE[start + len(layer) :])
        if between == head:  # the first of the two is taken
            assert found[0].heads == START.heads
        assert found[0].lost == lost and len(losses) == 1 and found[1:] == BLOCKS[1:]


def test_damage_of_framing_is_searched_through() -> None:
    place = PLACES[2][1]
    found, losses = left_of(with_bytes(place.start, lambda _: 0x77))
    assert found[0].lost == {Part.HEADS} and len(losses) == 1
    assert found[0].heads == START.heads[1:]
    found, _ = left_of(with_bytes(PLACES[1][1].start + 1, lambda b: b + 1))
    assert found[0] == replace(START, layer=None, heads=(), lost=frozenset([Part.LAYER, Part.HEADS]))


def test_every_truncation_gives_what_is_there() -> None:
    begins = [p.start for kind, p in PLACES if kind == BLOCK_CHUNK]
    for end in range(PLACES[0][1].start, len(WHOLE)):
        items = list(NfcReader(io.BytesIO(WHOLE[:end])))
        last = items[-1]
        assert isinstance(last, Loss) and last.truncated
        found, _ = left_of(WHOLE[:end])
        complete = sum(p.stop <= end for kind, p in PLACES if kind == BLOCK_CHUNK)
        assert len(found) >= complete
        whole = sum(b <= end for b in begins[1:]) if end < begins[-1] else 4
        assert found[:whole] == BLOCKS[:whole]
        for block, right in zip(found, BLOCKS, strict=False):
            assert set(block.heads) <= set(right.heads)
            assert block.layer in (None, right.layer)


@quick
@given(st.lists(st.tuples(st.integers(86, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=9))
def test_nothing_wrong_is_ever_given_out(changes: list[tuple[int, int]]) -> None:
    bad = bytearray(WHOLE)
    for at, value in changes:
        bad[at] = value
    try:
        found, losses = left_of(bytes(bad))
    except NeurocodecError:
        return
    assert bytes(bad) == WHOLE or losses or bytes(bad[:-3]) == WHOLE[:-3]
    right = {b.first_frame: b for b in BLOCKS}
    for block in found:
        whole = right[block.first_frame]
        assert block.pts == whole.pts and set(block.heads) <= set(whole.heads)
        assert block.layer in (None, whole.layer) and block.audio in ((), whole.audio)


def test_index_reads_what_is_left() -> None:
    bad = with_bytes(PLACES[1][1].stop - 6, lambda b: b ^ 1)
    reader = NfcReader(io.BytesIO(bad))
    entries = reader.index()
    assert entries is not None
    assert [reader.block_at(e).lost for e in entries] == [{Part.LAYER, Part.HEADS}, *[set()] * 4]


def test_optional_chunks_may_stand_between_and_are_told_in_order() -> None:
    at = PLACES[2][1].start
    data = WHOLE[:at] + chunk(0xE1, b"between") + WHOLE[at:]
    told: list[object] = []
    reader = NfcReader(io.BytesIO(data))
    reader.optional = lambda kind, payload: told.append((kind, payload))
    for item in reader:
        assert isinstance(item, tuple)
        told.append(item[0].first_frame)
    assert told == [0, (0xE1, b"between"), 8, 14, 19, 22]


# Limits


def test_layer_and_heads_are_limited_together() -> None:
    most = max(len(p) for _, p in PLACES)
    items = list(NfcReader(io.BytesIO(WHOLE), limits=Limits(chunk=most)))
    losses = [i for i in items if isinstance(i, Loss)]
    assert losses and all(loss.salvaged and Part.HEADS in loss.salvaged.lost for loss in losses)


def test_lies_about_sizes_are_not_believed() -> None:
    start = WHOLE[: PLACES[0][1].stop]
    for payload in (
        b"\0\1" + varint(64) * 2 + varint(1) + varint(0) + varint(1 << 24),
        b"\0\1" + varint(64) * 2 + varint(8) + bytes(3),
    ):
        found, losses = left_of(start + chunk(LAYER_CHUNK, payload))
        assert found[0].lost == {Part.LAYER} and losses
    head = b"\0\0\0\0"
    for payload in (
        head + varint(5000),
        head + b"\5\0\0\1" + varint(4),
        head + b"\5\0\0\1" + varint(1 << 60),
    ):
        found, losses = left_of(start + chunk(HEAD_CHUNK, payload))
        assert Part.HEADS in found[0].lost and losses
