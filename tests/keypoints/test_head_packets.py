"""Packets of heads: which frames have one, where prediction starts again, and in which code."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from layered_files import BLOCKS, H
from tiny_files import make

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block, Region
from neurocodec.format.head import HeadPart
from neurocodec.format.header import LandmarkCode
from neurocodec.format.layer import LayerPart, LayerPicture
from neurocodec.keypoints.packets import SymbolDigest, outline_head, pack_head, parse_head

MOVED = Region(0, 0, 31)


def fresh_of(part: HeadPart, shown: set[int]) -> str:
    return "".join("-" if f.offset in shown else "f" if f.fresh else "." for f in outline_head(part, shown))


@pytest.mark.parametrize(
    ("shown", "moves", "expected"),
    [
        (set(), (), "f....."),
        ({2}, (), "-f...."),
        ({3, 4}, (), "f--f.."),
        ({1, 7, 8}, (), "f....-"),
        (set(), (5,), "f..f.."),
        ({5}, (5,), "f..-f."),
        ({4}, (5,), "f.-f.."),
        ({2, 3, 4, 5, 6, 7}, (), "------"),
    ],
)
def test_where_prediction_starts_again(shown: set[int], moves: tuple[int, ...], expected: str) -> None:
    squares = ((2, Region(0, 0, 30)), *((m, MOVED) for m in moves))
    part = HeadPart(0, 2, 6, squares, b"")
    assert fresh_of(part, shown) == expected
    frames = outline_head(part, shown)
    assert [f.offset for f in frames] == list(range(2, 8))
    assert [f.square for f in frames] == [part.square_at(f.offset) for f in frames]
    assert not any(f.fresh for f in frames if f.offset in shown)


@pytest.mark.parametrize("code", list(LandmarkCode))
@pytest.mark.parametrize("size", [0.2, 3, 2000])
def test_symbols_come_back(code: LandmarkCode, size: float) -> None:
    header = replace(H, landmark_code=code)
    rng = np.random.default_rng(3)
    rows = np.rint(rng.laplace(0, size, (9, header.coordinates))).astype(np.int32)
    shown = LayerPart(tuple(LayerPicture(offset, b"k") for offset in (0, 4, 5)))
    part = HeadPart(0, 0, 12, ((0, Region(0, 0, 30)), (8, MOVED)), b"")
    fresh = [f.fresh for f in outline_head(part, {0, 4, 5}) if f.offset not in (0, 4, 5)]
    assert fresh == [True, False, False, True, False, True, False, False, False]
    landmarks, golomb = pack_head(list(zip(fresh, rows, strict=True)), header)
    part = replace(part, landmarks=landmarks, golomb=golomb)
    block = Block(0, tuple(range(12)), 0, (), (), b"", layer=shown, heads=(part,))
    frames = parse_head(part, block, header)
    assert [f.symbols is None for f in frames] == [k in (0, 4, 5) for k in range(12)]
    assert (np.array([f.symbols for f in frames if f.symbols is not None]) == rows).all()


def test_the_smaller_code_is_chosen_only_where_there_is_a_choice() -> None:
    """A few large packets are smaller in golomb's code, many calm ones in that of the range coder."""
    rng = np.random.default_rng(4)
    large = [(True, rng.integers(-100, 100, H.coordinates).astype(np.int32))]
    calm = [(k == 0, np.zeros(H.coordinates, np.int32)) for k in range(200)]
    assert pack_head(large, H)[1]
    assert not pack_head(calm, H)[1]
    for code in (LandmarkCode.GOLOMB, LandmarkCode.ORIGINAL):
        assert not pack_head(large, replace(H, landmark_code=code))[1]
    plain = replace(H, landmark_code=LandmarkCode.GOLOMB)
    assert len(pack_head(large, H)[0]) == len(pack_head(large, plain)[0])
    assert pack_head([], H) == (b"", False)


def test_packets_fill_the_chunk_exactly() -> None:
    block = BLOCKS[0]
    part = block.heads[1]
    assert part.golomb
    for bad in (part.landmarks + b"\1", part.landmarks[:-1]):
        with pytest.raises(DamagedFileError):
            parse_head(replace(part, landmarks=bad), block, H)
    only_layer = make.head_part(1, 3, 2, block.layer, MOVED)
    assert only_layer.landmarks == b""
    assert [f.symbols for f in parse_head(only_layer, block, H)] == [None, None]
    with pytest.raises(DamagedFileError):
        parse_head(replace(only_layer, landmarks=b"\1", golomb=True), block, H)


def test_the_digest_knows_pictures_squares_and_symbols() -> None:
    def digest_of(block: Block) -> str:
        digest = SymbolDigest()
        digest.layered(block, H)
        return digest.hexdigest()

    block = BLOCKS[0]
    part, layer_of_it = block.heads[0], block.layer
    assert layer_of_it
    picture = replace(layer_of_it.pictures[0], data=b"another")
    squares = (*part.squares[:-1], (part.squares[-1][0], MOVED))
    more = [(f.fresh, f.symbols + 1) for f in parse_head(part, block, H) if f.symbols is not None]
    landmarks, golomb = pack_head(more, H)
    others = [
        replace(block, layer=replace(layer_of_it, pictures=(picture, *layer_of_it.pictures[1:]))),
        replace(block, heads=(replace(part, squares=squares), *block.heads[1:])),
        replace(block, heads=(replace(part, landmarks=landmarks, golomb=golomb), *block.heads[1:])),
        replace(block, heads=(replace(part, head=1), *block.heads[1:])),
        replace(block, heads=block.heads[1:]),
    ]
    digests = {digest_of(b) for b in (block, block, *others)}
    assert len(digests) == 6 and hashlib.sha256().hexdigest() not in digests
