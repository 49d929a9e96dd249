"""Decoding files of chained references: random access, lost blocks, two references (no network runs)."""

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from media_factory import Pipe

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span import Span, plan
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import Block, ReferenceFrame, Run, StillCodec
from neurocodec.format.header import Colour, Fit, Header, LandmarkCode
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.models.motion_engine import Reference
from neurocodec.options import DecodeOptions
from neurocodec.references.chain import ChainEncoder
from neurocodec.references.still import encode_still

SIZE, FRAMES = 64, 4
HEADER = Header(
    SIZE, SIZE, Fraction(1), 0, Fit.SQUASH, Fraction(1, 4), Fraction(4), 0, Colour(), "grey", bytes(8),
    SIZE, 2, 100, LandmarkCode.RANGE, version=2,
)  # fmt: skip
LEVELS = [20, 60, 100, 140, 180, 220]


class GreyEngine:
    """Renders the mean of its references' greys, plus a hundred for every unit the first point moved."""

    size, basis = SIZE, None

    def __init__(self, *_: Any) -> None:
        pass

    def reference(self, picture: np.ndarray) -> Reference:
        return Reference(picture, np.zeros((2, 2), np.float32), float(picture.mean()))

    def keypoints_from(self, values: np.ndarray) -> np.ndarray:
        return values

    def render(self, references: list[Reference], points: np.ndarray) -> np.ndarray:
        level = np.mean([r.features for r in references])
        levels = np.clip(np.rint(level + 100 * points[:, 0, 0]), 0, 255)
        return np.broadcast_to(levels[:, None, None, None], (len(points), SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def grey_model(monkeypatch: pytest.MonkeyPatch) -> None:
    described = SimpleNamespace(size=SIZE, keypoints=2)
    monkeypatch.setattr("neurocodec.models.engines.find_by_hash", lambda *_, **__: described)
    monkeypatch.setattr("neurocodec.models.engines.MotionEngine", GreyEngine)


def grey(level: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), level, np.uint8)


@pytest.fixture(scope="module")
def chain() -> list[bytes]:
    encoder = ChainEncoder(SIZE, 20)
    units = [encoder.encode(grey(level)) for level in LEVELS]
    encoder.close()
    return units


@pytest.fixture(scope="module")
def keys() -> list[bytes]:
    return [encode_still(grey(level), StillCodec.AV1, 80) for level in LEVELS]


def packets(rows: list[list[int]], code: LandmarkCode = LandmarkCode.RANGE) -> bytes:
    encoder = PacketEncoder(code, 4)
    for row in rows:
        encoder.refresh()
        encoder.write(np.array(row, np.int32))
    return encoder.getvalue()


def block(k: int, number: int, units: list[bytes], offsets: list[int], **parts: Any) -> Block:
    """Block k of the file; the first of its references is dependent if the block continues."""
    pts = range(20 * k, 20 * k + FRAMES)
    dependent = [bool(parts.get("needed"))] + [True] * len(units)
    dependent = parts.pop("dependent", dependent)
    stills = tuple(
        ReferenceFrame(o, StillCodec.AV1, u, d) for o, u, d in zip(offsets, units, dependent, strict=False)
    )
    parts = {"needed": (), **parts}
    return Block(FRAMES * k, tuple(pts), number, references=stills, landmarks=b"", **parts)


def file_of(blocks: list[Block], header: Header = HEADER) -> bytes:
    out = io.BytesIO()
    writer = NfcWriter(out, header)
    for b in blocks:
        writer.write_block(b)
    writer.close()
    return out.getvalue()


def decoded(data: Any, **options: Any) -> tuple[list[tuple[int, int]], list[str]]:
    """Times and rounded greys of the pictures of a file (its bytes, or an open one), and the losses."""
    report = DecodeReport()
    reader = NfcReader(io.BytesIO(data) if isinstance(data, bytes) else data)
    chosen = DecodeOptions(**options).resolved()
    items: Iterator[Any] = decode_pictures(reader, chosen, report)
    return [(pts, 20 * round(float(p.mean()) / 20)) for pts, p in items], report.losses


@pytest.fixture
def long(chain: list[bytes]) -> list[Block]:
    """Four blocks: a chain through the first two, one that starts in the third and ends in the last."""
    return [
        block(0, 0, chain[:2], [0, 3], pairs=True),
        block(1, 2, chain[2:3], [2], needed=(0, 1)),
        block(2, 3, chain[:1], [0]),
        block(3, 4, chain[1:2], [3], needed=(3,), pairs=True),
    ]


def levels(data: bytes, **options: Any) -> list[int]:
    return [level for _, level in decoded(data, **options)[0]]


WHOLE = [20, 40, 40, 60, 60, 60, 100, 100, 20, 20, 20, 20, 40, 40, 40, 60]


def test_frames_are_rendered_from_the_references_they_use(long: list[Block]) -> None:
    assert levels(file_of(long)) == WHOLE


def test_references_may_come_in_any_order_of_time(chain: list[bytes]) -> None:
    data = file_of([block(0, 0, chain[:3], [3, 0, 1], runs=(Run(1, 2, 1),))])
    assert levels(data) == [60, 100, 80, 20]


def test_symbols_move_from_the_first_reference(chain: list[bytes]) -> None:
    runs = (Run(1, 0, 1), Run(1, 1, 0))
    b = block(0, 0, chain[:2], [0, 3], runs=runs)
    b = replace(b, landmarks=packets([[40, 0, 0, 0], [-20, 0, 0, 0]]))
    assert levels(file_of([b])) == [20, 80, 20, 60]


def test_a_block_may_be_in_the_golomb_code(chain: list[bytes]) -> None:
    rows = [[40, 0, 0, 0], [0, 0, 0, 0], [-20, 0, 0, 0]]
    b = block(0, 0, chain[:1], [0], runs=(Run(1, 0), Run(1, 0), Run(1, 0)))
    data = [
        file_of([replace(b, landmarks=packets(rows, code), golomb=code is LandmarkCode.GOLOMB)])
        for code in (LandmarkCode.RANGE, LandmarkCode.GOLOMB)
    ]
    assert levels(data[0]) == levels(data[1]) == [20, 60, 20, 0]


def test_a_frame_may_use_the_reference_before_the_last(chain: list[bytes]) -> None:
    data = file_of([block(0, 0, chain[:3], [0, 1, 2]), block(1, 3, [], [], needed=(0, 1, 2), current=1)])
    assert levels(data)[4:] == [60] * 4


def test_version_1_shows_the_still_itself() -> None:
    checks = np.random.default_rng(0).integers(0, 2, (8, 8, 3), np.uint8) * 200
    data = encode_still(checks.repeat(8, 0).repeat(8, 1), StillCodec.AV1, 90)
    older = replace(HEADER, version=1, landmark_code=LandmarkCode.GOLOMB)
    for header in (older, HEADER):
        row = packets([[0] * 4], header.landmark_code)
        b = Block(0, (0, 1), 0, (), (ReferenceFrame(0, StillCodec.AV1, data),), row)
        items: Any = decode_pictures(
            NfcReader(io.BytesIO(file_of([b], header))), DecodeOptions(), DecodeReport()
        )
        first, second = (p for _, p in items)
        assert (first.std() > 10) == (header is older)
        assert second.std() == 0


def test_a_version_1_block_may_have_more_refreshes_than_version_2_allows(keys: list[bytes]) -> None:
    header = replace(
        HEADER, version=1, landmark_code=LandmarkCode.GOLOMB, fps=Fraction(100), time_base=Fraction(1, 100)
    )
    stills = tuple(ReferenceFrame(k, StillCodec.AV1, keys[k % 6]) for k in range(400))
    data = file_of([Block(0, tuple(range(400)), 0, (), stills, b"")], header)
    assert levels(data) == (LEVELS * 67)[:400]


def test_without_its_basis_a_transformed_file_is_refused(long: list[Block]) -> None:
    with pytest.raises(DamagedFileError, match="basis"):
        decoded(file_of(long, replace(HEADER, transformed=True)))


# Random access


@pytest.mark.parametrize("frame", range(16))
def test_random_access_equals_linear_decoding(long: list[Block], frame: int) -> None:
    data = file_of(long)
    pts = [t for b in long for t in b.pts]
    start = pts[frame] / 4
    found, losses = decoded(data, start=start, duration=0.25)
    assert (found, losses) == ([(pts[frame], WHOLE[frame])], [])
    assert levels(data, start=start) == WHOLE[frame:]


def read_blocks(data: bytes, start: int, end: int | None = None) -> list[int]:
    _, found = plan(NfcReader(io.BytesIO(data)), Span(start, end))
    return [item[0].first_frame // FRAMES for item, _ in found if isinstance(item, tuple)]


def test_only_the_blocks_that_lend_references_are_read(long: list[Block]) -> None:
    data = file_of(long)
    assert read_blocks(data, 21, 22) == [0, 1, 2]
    assert read_blocks(data, 41, 42) == [2, 3]
    assert read_blocks(data, 61) == [2, 3]


def test_a_later_block_may_need_references_from_before_the_first_one(chain: list[bytes]) -> None:
    blocks = [
        block(0, 0, chain[:2], [0, 1]),
        block(1, 2, chain[:1], [0]),
        block(2, 3, [], [], needed=(0, 1, 2), current=1),
    ]
    data = file_of(blocks)
    assert read_blocks(data, 20) == [1, 0, 2]
    assert levels(data, start=5.0) == levels(data)[4:] == [20] * 4 + [60] * 4


def test_a_damaged_first_block_does_not_end_random_access(long: list[Block]) -> None:
    data = bytearray(file_of(long))
    entries = NfcReader(io.BytesIO(data)).index()
    assert entries is not None
    data[entries[2].offset + 8] ^= 1
    pictures, losses = decoded(bytes(data), start=5.0, duration=5.25)
    assert [level for _, level in pictures] == WHOLE[4:8]
    assert len(losses) == 1


@pytest.mark.parametrize("wrap", [io.BytesIO, Pipe])
def test_a_frame_before_a_pause_is_on_screen_until_the_next_block(long: list[Block], wrap: Any) -> None:
    """Frame 3 is shown at 0.75 s, the next one at 5 s."""
    found, losses = decoded(wrap(file_of(long)), start=2.5, duration=1.0)
    assert (found, losses) == ([(10, WHOLE[3])], [])


@pytest.mark.parametrize("wrap", [io.BytesIO, Pipe])
def test_a_block_that_comes_early_ends_the_one_before(chain: list[bytes], wrap: Any) -> None:
    header = replace(HEADER, time_base=Fraction(1, 8))
    blocks = [
        replace(block(0, 0, chain[:1], [0]), pts=(0, 2, 4, 6)),
        replace(block(1, 1, chain[1:2], [0], needed=(0,)), pts=(7, 9, 11, 13)),
    ]
    found, losses = decoded(wrap(file_of(blocks, header)), start=7 / 8, duration=0.5)
    assert (found, losses) == ([(7, 60), (9, 60)], [])


@pytest.mark.parametrize("wrap", [io.BytesIO, Pipe])
def test_damage_after_the_chosen_part_is_no_loss_of_it(long: list[Block], wrap: Any) -> None:
    data = without(file_of(long), 1)
    found, losses = decoded(wrap(data), duration=1.0)
    assert ([level for _, level in found], losses) == (WHOLE[:4], [])
    found, losses = decoded(wrap(data), start=0.25, duration=0.75)
    assert ([level for _, level in found], losses) == (WHOLE[1:4], [])


def test_a_file_object_is_read_from_where_it_is(long: list[Block]) -> None:
    data = file_of(long)
    file = io.BytesIO(file_of(long[:1]) + data)
    file.seek(-len(data), 2)
    reader = NfcReader(file)
    entries = reader.index()
    assert entries is not None
    assert [e.frames for e in entries] == [FRAMES] * 4
    assert reader.block_at(entries[3]).first_frame == 3 * FRAMES
    file.seek(-len(data), 2)
    assert decoded(file, start=10.25)[0] == [(pts, x) for pts, x in decoded(io.BytesIO(data))[0] if pts > 40]


# Losses


def without(data: bytes, k: int) -> bytes:
    entries = NfcReader(io.BytesIO(data)).index()
    assert entries is not None
    bad = bytearray(data)
    bad[entries[k].offset + 8] ^= 1
    return bytes(bad)


def test_a_lost_block_loses_what_depends_on_it_until_the_next_independent_one(long: list[Block]) -> None:
    pictures, losses = decoded(without(file_of(long), 0))
    assert [level for _, level in pictures] == WHOLE[8:]
    assert losses[1:] == ["4 frames from 5.00 s on are lost: their reference is"]


def test_a_lost_block_in_the_middle_loses_no_other_chain(long: list[Block]) -> None:
    pictures, losses = decoded(without(file_of(long), 1))
    assert [level for _, level in pictures] == WHOLE[:4] + WHOLE[8:]
    assert len(losses) == 1


def test_an_independent_reference_of_a_block_that_is_lost_serves_later_ones(chain: list[bytes]) -> None:
    middle = block(1, 1, [chain[1], chain[0]], [1, 3], needed=(0,), dependent=[True, False])
    blocks = [block(0, 0, chain[:1], [0]), middle, block(2, 3, chain[1:2], [2], needed=(2,))]
    data = file_of(blocks)
    assert levels(data) == [20] * 5 + [60, 60, 20, 20, 20, 60, 60]
    pictures, losses = decoded(without(data, 0))
    assert [level for _, level in pictures] == [20, 20, 60, 60]
    assert len(losses) == 2


def test_a_block_that_names_half_a_chain_is_refused_in_any_order_of_reading(chain: list[bytes]) -> None:
    blocks = [block(0, 0, chain[:2], [0, 1]), block(1, 2, chain[2:3], [1], needed=(1,))]
    data = file_of(blocks)
    pictures, losses = decoded(data)
    assert [level for _, level in pictures] == [20, 60, 60, 60]
    assert losses == ["4 frames from 5.00 s on are lost: their reference is"]
    with pytest.raises(DamagedFileError, match="lost"):
        decoded(data, start=5.0)


def test_a_picture_that_cannot_be_decoded_is_said_to_be_lost(long: list[Block]) -> None:
    stills = (*long[0].references[:1], replace(long[0].references[1], data=b"junk"))
    pictures, losses = decoded(file_of([replace(long[0], references=stills), *long[1:]]))
    assert [level for _, level in pictures] == [20, *WHOLE[8:]]
    assert [text.split(":")[0] for text in losses] == [
        "frames from 0.00 s on are lost",
        "frames from 5.00 s on are lost",
    ]
