"""``repair`` gets everything whole back, as a file that is whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_files
from command_line import answer
from places import CONFORMANCE, DATA

import neurocodec
from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.errors import DamagedFileError, InputError
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.check import check_whole
from neurocodec.options import DecodeOptions

WHOLE = tiny_files.long_file()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_files.write_model(tmp_path_factory.mktemp("model")))


def repaired(data: bytes) -> tuple[bytes, Any]:
    out = io.BytesIO()
    report = neurocodec.repair(io.BytesIO(data), out)
    check_whole(NfcReader(io.BytesIO(out.getvalue())))
    assert NfcReader(io.BytesIO(out.getvalue())).index() is not None
    assert report.bytes == len(out.getvalue())
    return out.getvalue(), report


def pictures(data: bytes, model: str) -> dict[int, Any]:
    """Rendered pictures by their timestamps."""
    items: Any = decode_pictures(NfcReader(io.BytesIO(data)), DecodeOptions(model=model), DecodeReport())
    return {i[0]: i[1] for i in items if isinstance(i, tuple)}


def sound(data: bytes) -> list[tuple[int, bytes]]:
    blocks = [i[0] for i in NfcReader(io.BytesIO(data)) if not isinstance(i, Loss)]
    return [(p.pts, p.data) for b in blocks for p in b.audio]


@pytest.mark.parametrize(
    "path",
    [DATA / "version1.nfc", DATA / "version2.nfc", *sorted(CONFORMANCE.glob("v*.nfc"))],
    ids=lambda p: p.stem,
)
def test_a_whole_file_is_copied_bit_by_bit(path: Path) -> None:
    data = path.read_bytes()
    if any(word in path.stem for word in ("cut", "damaged", "elsewhere")):  # the last: means nothing
        return
    copy, report = repaired(data)
    assert (copy, report.losses) == (data, [])


@pytest.mark.parametrize("keep", [0, 1, 7, 40])
def test_the_broken_tail_is_dropped(keep: int, model: str) -> None:
    """Whatever follows the third block, all three come back."""
    cut = WHOLE[: tiny_files.places(WHOLE)[3] + keep]
    again, report = repaired(cut)
    assert (report.blocks, report.frames) == (3, 30)
    assert again[: tiny_files.places(WHOLE)[3]] == cut[: tiny_files.places(WHOLE)[3]]
    assert len(report.losses) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("lost", "frames"), [((2,), 50), ((1,), 40), ((0,), 30), ((0, 4), 10), ((3, 4), 30)])
def test_what_is_whole_is_decoded_to_the_same_pictures(
    lost: tuple[int, ...], frames: int, model: str
) -> None:
    bad = tiny_files.damaged(WHOLE, *lost)
    again, report = repaired(bad)
    before, after = pictures(bad, model), pictures(again, model)
    assert len(after) == frames and report.frames == frames
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[t], after[t]) for t in after)
    assert sound(again) == sound(bad)
    assert neurocodec.decode(io.BytesIO(again), io.BytesIO(), model=model, strict=True).losses == []


def test_frames_that_need_nothing_lost_are_saved_from_a_block_that_is(model: str) -> None:
    """More than a decoder may show: the block is taken apart and its symbols are written again."""
    h = tiny_files.header()
    make, rows = tiny_files.make, tiny_files.make.walk(20, 3)
    links = make.chain(2)
    first = make.Block(0, make.pts(h, 0, 4), 0, (), make.linked([0], links[:1]),
                       make.coded([rows[:3]], h.landmark_code))  # fmt: skip
    stills = (*make.linked([1], links[1:], False), make.still(4, 5), make.still(6, 7))
    runs = (make.Run(1, 0), make.Run(2, 1, 2), make.Run(2, 2, 3), make.Run(1, 3))
    packets = make.coded([rows[3:4], rows[4:6], rows[6:8], rows[8:9]], h.landmark_code)
    middle = make.Block(4, make.pts(h, 4, 9), 1, (0,), stills, packets, runs=runs)
    last = make.Block(13, make.pts(h, 13, 3), 4, (3,), (), make.coded([rows[:3]], h.landmark_code))
    whole = make.file(h, [first, middle, last])
    shown = pictures(whole, model)
    again, report = repaired(tiny_files.without(whole, 0))
    after = pictures(again, model)
    assert report.frames_dropped == 4  # the dependent reference, and the three frames of it and the lost one
    assert len(after) == 5 + 3
    assert all(np.array_equal(shown[t], after[t]) for t in after)


def test_unreadable_packets_cost_their_block_but_not_its_sound() -> None:
    blocks = tiny_files.long_blocks(tiny_files.header())
    blocks[5] = tiny_files.replace(blocks[5], landmarks=b"\xff" * 40)
    data = tiny_files.make.file(tiny_files.header(), blocks)
    again, report = repaired(data)
    assert (report.frames, report.frames_dropped) == (50, 10)
    assert sound(again) == sound(data)


def test_blocks_taken_out_cleanly_are_said() -> None:
    count = len(tiny_files.places(WHOLE))
    assert repaired(WHOLE)[1].losses == []
    for k in range(count):
        losses = repaired(tiny_files.without(WHOLE, k))[1].losses
        assert any("missing" in line for line in losses), k


def test_random_damage_never_breaks_repair() -> None:
    rng = np.random.default_rng(4)
    for k in range(120):
        bad = bytearray(WHOLE)
        for _ in range(rng.integers(1, 6)):
            bad[rng.integers(len(bad))] = rng.integers(256)
        if k % 3 == 0:
            del bad[rng.integers(len(bad)) :]
        try:
            again, report = repaired(bytes(bad))
        except (DamagedFileError, InputError):
            continue
        assert report.frames == sum(e.frames for e in NfcReader(io.BytesIO(again)).index() or [])
        twice = repaired(again)
        assert twice[0] == again and twice[1].losses == []


def test_nothing_whole_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="no whole block"):
        neurocodec.repair(io.BytesIO(WHOLE[:150]), tmp_path / "o.nfc")
    with pytest.raises(InputError):
        neurocodec.repair(io.BytesIO(b"RIFFxxxx"), tmp_path / "o.nfc")
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path) -> None:
    cut = tmp_path / "cut.nfc"
    cut.write_bytes(WHOLE[: len(WHOLE) // 2])
    code, stdout, stderr = answer("repair", cut)
    assert code == 0 and stdout.startswith("3 blocks, 30 frames") and "cut" not in stdout
    assert stderr.startswith("neurocodec: byte ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.nfc", "cut.repaired.nfc"]
    assert answer("info", tmp_path / "cut.repaired.nfc")[0] == 0
    assert answer("repair", cut)[0] == 6
    assert answer("repair", cut, cut, "-f")[0] == 2
    assert cut.read_bytes() == WHOLE[: len(WHOLE) // 2]
