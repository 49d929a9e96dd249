"""Version 4: damage to one part of a block leaves the others."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_files
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_files import make

import neurocodec
from neurocodec.commands.main import main
from neurocodec.decoding.concealment import between
from neurocodec.decoding.pictures import decode_pictures
from neurocodec.decoding.report import DecodeReport
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format.block import Block, ReferenceFrame, SoundPacket, StillCodec
from neurocodec.format.block_reader import read_block
from neurocodec.format.block_writer import write_block
from neurocodec.format.checksums import Part, crc16
from neurocodec.format.chunks import BLOCK_CHUNK
from neurocodec.format.losses import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.check import check_whole
from neurocodec.keypoints.packets import parse_frames
from neurocodec.options import DecodeOptions

H = tiny_files.header(version=4)
BLOCKS = [replace(block, guarded=True) for block in tiny_files.long_blocks(H)]
WHOLE = make.file(H, BLOCKS)
SILENT_HEADER = make.header(version=4)
SILENT = make.file(SILENT_HEADER, [replace(block, audio=()) for block in BLOCKS])
START = tiny_files.places(WHOLE)[0]
quick = settings(max_examples=50, deadline=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_files.write_model(tmp_path_factory.mktemp("model")))


def parts_of(data: bytes, k: int, blocks: list[Block] = BLOCKS) -> dict[str, range]:
    """Where the parts of block ``k`` lie in a file; the checksum of a part is of it."""
    start = tiny_files.places(data)[k]
    block = blocks[k]
    sound = sum(len(p.data) for p in block.audio)
    at = data.index(block.landmarks, start)
    head = range(data.index(write_block(block, H)[:8], start), at)
    landmarks = range(at, at + len(block.landmarks) + (2 if sound else 0))
    end = (
        tiny_files.places(data)[k + 1]
        if k + 1 < len(blocks)
        else len(data) - 3 - int.from_bytes(data[-3:], "little")
    )
    return {"head": head, "landmarks": landmarks, "sound": range(landmarks.stop, end - 4)}


def flipped(data: bytes, bit: int) -> bytes:
    bad = bytearray(data)
    bad[bit >> 3] ^= 1 << (bit & 7)
    return bytes(bad)


def left_of(data: bytes) -> tuple[list[Block], list[Loss]]:
    """All blocks that are there, whole or not, and the losses."""
    found = list(NfcReader(io.BytesIO(data)))
    blocks = [i.left if isinstance(i, Loss) else i[0] for i in found]
    return [b for b in blocks if b is not None], [i for i in found if isinstance(i, Loss)]


def items(data: bytes, model: str, **options: Any) -> tuple[list[Any], DecodeReport]:
    report = DecodeReport()
    reader = NfcReader(io.BytesIO(data))
    return list(decode_pictures(reader, DecodeOptions(model=model, **options), report)), report


def test_the_checksum() -> None:
    assert crc16(b"123456789") == bytes.fromhex("b129")


def test_a_guarded_block_costs_nothing_without_sound_and_six_bytes_with() -> None:
    for k in range(6):
        plain, silent = replace(BLOCKS[k], guarded=False), replace(BLOCKS[k], audio=())
        assert len(write_block(BLOCKS[k], H)) == len(write_block(plain, H)) + 6
        old = write_block(replace(silent, guarded=False), H)
        assert len(write_block(silent, H)) - len(old) in (0, 1)
        assert read_block(write_block(silent, H), H) == silent


def test_older_versions_have_no_guarded_blocks() -> None:
    with pytest.raises(ValueError, match="version 4"):
        write_block(BLOCKS[0], tiny_files.header(version=2))
    with pytest.raises(ValueError, match="lost a part"):
        write_block(replace(BLOCKS[0], lost=frozenset([Part.SOUND])), H)
    with pytest.raises(NeurocodecError, match="block flags"):
        read_block(write_block(BLOCKS[0], H), tiny_files.header(version=3))


@pytest.mark.parametrize("part", ["head", "landmarks", "sound"])
def test_a_wrong_checksum_of_a_part_is_damage_of_the_block_even_if_that_of_the_chunk_is_right(
    part: str,
) -> None:
    payload = bytearray(write_block(BLOCKS[1], H))
    place = parts_of(WHOLE, 1)[part].stop - 1 - parts_of(WHOLE, 1)["head"].start
    payload[place] ^= 1
    with pytest.raises(DamagedFileError, match=f"checksum of a block's {part}"):
        read_block(bytes(payload), H)


@quick
@given(st.integers(0, 5), st.data())
def test_a_flipped_bit_in_landmarks_leaves_references_and_sound(k: int, data: st.DataObject) -> None:
    for whole, sounds in ((WHOLE, True), (SILENT, False)):
        blocks = [b if sounds else replace(b, audio=()) for b in BLOCKS]
        place = parts_of(whole, k, blocks)["landmarks"]
        bad = flipped(whole, data.draw(st.integers(8 * place.start, 8 * place.stop - 1)))
        found, losses = left_of(bad)
        assert found == [
            replace(b, landmarks=b"", lost=frozenset([Part.LANDMARKS])) if i == k else b
            for i, b in enumerate(blocks)
        ]
        assert [loss.reason for loss in losses] == ["the landmarks of a block"]
        with pytest.raises(DamagedFileError):
            parse_frames(found[k], H)
        with pytest.raises(DamagedFileError):
            check_whole(NfcReader(io.BytesIO(bad)))


@quick
@given(st.integers(0, 5), st.data())
def test_a_flipped_bit_in_sound_leaves_pictures(k: int, data: st.DataObject) -> None:
    place = parts_of(WHOLE, k)["sound"]
    found, losses = left_of(flipped(WHOLE, data.draw(st.integers(8 * place.start, 8 * place.stop - 1))))
    lost = frozenset([Part.SOUND])
    assert found == [replace(b, audio=(), lost=lost) if i == k else b for i, b in enumerate(BLOCKS)]
    assert [loss.reason for loss in losses] == ["the sound of a block"]


@quick
@given(st.integers(0, 5), st.data())
def test_a_flipped_bit_in_the_head_costs_the_block(k: int, data: st.DataObject) -> None:
    place = parts_of(WHOLE, k)["head"]
    found, losses = left_of(flipped(WHOLE, data.draw(st.integers(8 * place.start, 8 * place.stop - 1))))
    assert found == BLOCKS[:k] + BLOCKS[k + 1 :]
    assert [loss.left for loss in losses] == [None]


@pytest.mark.parametrize("k", range(5))
def test_a_damaged_block_may_end_like_one_that_begins(k: int) -> None:
    """With the byte before it for its type, the next block would have the same head at the same place."""
    bad = bytearray(flipped(WHOLE, 8 * parts_of(WHOLE, k)["head"].start))
    bad[tiny_files.places(WHOLE)[k + 1] - 1] = BLOCK_CHUNK
    found, losses = left_of(bytes(bad))
    assert found == BLOCKS[:k] + BLOCKS[k + 1 :]
    assert [loss.left for loss in losses] == [None]


@quick
@given(st.integers(0, 5), st.integers(0, 31))
def test_a_flipped_bit_in_the_checksum_of_the_chunk(k: int, bit: int) -> None:
    """With sound, all parts are known to be right."""
    place = 8 * parts_of(WHOLE, k)["sound"].stop + bit
    found, losses = left_of(flipped(WHOLE, place))
    assert (found, [loss.reason for loss in losses]) == (BLOCKS, ["the checksum of a block"])
    with pytest.raises(DamagedFileError):
        check_whole(NfcReader(io.BytesIO(flipped(WHOLE, place))))


@quick
@given(st.lists(st.integers(8 * START, 8 * len(WHOLE) - 1), min_size=1, max_size=12))
def test_what_is_given_out_is_never_wrong(bits: list[int]) -> None:
    """Any damage: the parts that are given out are those that were written."""
    bad = WHOLE
    for bit in bits:
        bad = flipped(bad, bit)
    for block in left_of(bad)[0]:
        (good,) = [b for b in BLOCKS if b.first_frame == block.first_frame]
        expected = replace(
            good, lost=block.lost,
            landmarks=b"" if Part.LANDMARKS in block.lost else good.landmarks,
            audio=() if Part.SOUND in block.lost else good.audio,
        )  # fmt: skip
        assert block == expected


@pytest.mark.parametrize("change", ["cut", "insert", "zero"])
def test_longer_damage_within_a_part(change: str) -> None:
    """Bytes that are missing or too many move what follows; the next block is found all the same."""
    parts = parts_of(WHOLE, 2)
    at = parts["sound"].start + 30
    bad = bytearray(WHOLE)
    if change == "cut":
        del bad[at : at + 200]
    elif change == "insert":
        bad[at:at] = bytes(range(200))
    else:
        bad[at : at + 200] = bytes(200)
    found, losses = left_of(bytes(bad))
    lost = replace(BLOCKS[2], audio=(), lost=frozenset([Part.SOUND]))
    assert found == [*BLOCKS[:2], lost, *BLOCKS[3:]]
    assert len(losses) == 1


def test_a_file_that_is_cut_off_within_a_block_gives_what_has_come() -> None:
    parts = parts_of(WHOLE, 3)
    for end, lost in (
        (parts["sound"].start + 1, {Part.SOUND}),
        (parts["landmarks"].start + 1, {Part.LANDMARKS, Part.SOUND}),
        (parts["head"].stop - 1, None),
    ):
        found, losses = left_of(WHOLE[:end])
        assert found[:3] == BLOCKS[:3] and losses[-1].truncated
        assert [b.lost for b in found[3:]] == ([] if lost is None else [lost])


def test_damage_in_two_neighbours() -> None:
    """The second block is found by its head where the first one's says nothing any more."""
    bad = bytearray(WHOLE)
    bad[tiny_files.places(WHOLE)[1]] = 0
    bad[parts_of(WHOLE, 2)["landmarks"].start] ^= 1
    found, losses = left_of(bytes(bad))
    assert [b.first_frame for b in found] == [0, 20, 30, 40, 50]
    assert [bool(loss.left) for loss in losses] == [False, True]


# Decoding


def test_lost_landmarks_are_concealed_and_nothing_else_changes(model: str) -> None:
    whole, _ = items(WHOLE, model)
    found, report = items(flipped(WHOLE, 8 * parts_of(WHOLE, 1)["landmarks"].start + 3), model)
    assert len(found) == len(whole)
    assert (report.frames, report.concealed, report.held) == (60, 9, 0)
    assert (report.lost, report.lost_landmarks, report.lost_sound) == ([], [[1.0, 2.0]], [])
    assert len(report.losses) == 1 and "the landmarks of a block" in report.losses[0]
    different = set()
    for a, b in zip(whole, found, strict=True):
        if isinstance(a, SoundPacket):
            assert a == b
            continue
        assert a[0] == b[0]
        if not np.array_equal(a[1], b[1]):
            different.add(a[0] // 100)
    assert different and different <= set(range(11, 20))


def test_lost_sound_leaves_all_pictures_and_becomes_silence(model: str) -> None:
    bad = flipped(WHOLE, 8 * parts_of(WHOLE, 2)["sound"].start + 40)
    whole, (found, report) = items(WHOLE, model)[0], items(bad, model)
    before, after = ([i[1] for i in x if isinstance(i, tuple)] for x in (whole, found))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert (report.lost, report.lost_landmarks, report.lost_sound) == ([], [], [[2.0, 3.0]])
    out = io.BytesIO()
    neurocodec.decode(io.BytesIO(bad), out, model=model, crf=30, threads=1)
    import av

    with av.open(io.BytesIO(out.getvalue())) as file:
        assert sum(1 for p in file.demux(audio=0) if p.pts is not None) == 300


def test_random_access_conceals_alike(model: str) -> None:
    bad = flipped(WHOLE, 8 * parts_of(WHOLE, 4)["landmarks"].start + 3)
    linear = {i[0]: i[1] for i in items(bad, model)[0] if isinstance(i, tuple)}
    found, report = items(bad, model, start=4.2, duration=0.5)
    pictures = {i[0]: i[1] for i in found if isinstance(i, tuple)}
    assert len(pictures) == 5 and report.lost_landmarks == [[4.2, 4.7]]
    assert all(np.array_equal(linear[t], p) for t, p in pictures.items())


def test_guessed_landmarks_lie_between_the_references() -> None:
    values = {0: np.zeros((2, 2), np.float32), 1: np.ones((2, 2), np.float32)}
    anchors = [(100, 0), (300, 1)]
    expected = {0: 0, 100: 0, 150: 0.25, 200: 0.5, 300: 1, 999: 1}
    assert {t: float(between(t, anchors, values.__getitem__)[0, 0]) for t in expected} == expected


def test_a_damaged_checksum_costs_nothing_but_strict_refuses(model: str) -> None:
    bad = flipped(WHOLE, 8 * parts_of(WHOLE, 2)["sound"].stop + 7)
    report = items(bad, model)[1]
    assert (report.frames, report.losses, report.lost) == (60, [], [])
    assert len(report.notes) == 1 and "checksum" in report.notes[0]
    with pytest.raises(DamagedFileError, match="checksum"):
        items(bad, model, strict=True)


def test_exit_code_and_words(model: str, tmp_path: Path) -> None:
    bad = flipped(WHOLE, 8 * parts_of(WHOLE, 1)["landmarks"].start + 3)
    bad = flipped(bad, 8 * parts_of(WHOLE, 3)["sound"].start + 80)
    path, out = tmp_path / "bad.nfc", tmp_path / "out.mp4"
    path.write_bytes(bad)

    def run(*arguments: object) -> tuple[int, str, str]:
        done = CliRunner().invoke(main, [str(a) for a in arguments])
        return done.exit_code, done.stdout, done.stderr

    words = "landmarks lost and concealed: 1.00 to 2.00 s; sound lost: 3.00 to 4.00 s"
    code, stdout, stderr = run("decode", path, out, "--model", model, "--json", "-q")
    assert code == 7 and json.loads(stdout)["concealed"] == 9
    assert stderr.count("\n") == 1 and words in stderr
    code, stdout, stderr = run("info", path, "--json")
    assert code == 7 and json.loads(stdout)["frames"] == 60
    assert words in stderr
    assert run("decode", path, tmp_path / "no.mp4", "--model", model, "--strict", "-q")[0] == 4
    assert run("repair", path, tmp_path / "again.nfc")[0] == 0
    assert (
        run("decode", tmp_path / "again.nfc", tmp_path / "2.mp4", "--model", model, "--strict", "-q")[0] == 0
    )


# Repair


def test_repair_keeps_references_shown_and_sound(model: str) -> None:
    bad = flipped(WHOLE, 8 * parts_of(WHOLE, 1)["landmarks"].start + 3)
    out = io.BytesIO()
    report = neurocodec.repair(io.BytesIO(bad), out)
    assert (report.frames, report.frames_dropped, report.blocks) == (51, 9, 6)
    check_whole(NfcReader(io.BytesIO(out.getvalue())))
    before, after = (
        {i[0]: i[1] for i in items(d, model)[0] if isinstance(i, tuple)} for d in (WHOLE, out.getvalue())
    )
    assert after.keys() == before.keys() - set(range(1100, 2000, 100))
    assert all(np.array_equal(before[t], p) for t, p in after.items())
    packets = [[p for b in left_of(d)[0] for p in b.audio] for d in (WHOLE, out.getvalue())]
    assert packets[0] == packets[1]
    again = io.BytesIO()
    assert neurocodec.repair(io.BytesIO(WHOLE), again).losses == [] and again.getvalue() == WHOLE


def test_random_damage_never_breaks_repair() -> None:
    rng = np.random.default_rng(4)
    for k in range(120):
        bad = bytearray(WHOLE if k % 2 else SILENT)
        for _ in range(rng.integers(1, 8)):
            bad[rng.integers(len(bad))] = rng.integers(256)
        if k % 3 == 0:
            del bad[rng.integers(len(bad)) :]
        out, again = io.BytesIO(), io.BytesIO()
        try:
            neurocodec.repair(io.BytesIO(bytes(bad)), out)
        except NeurocodecError:
            continue
        assert neurocodec.repair(io.BytesIO(out.getvalue()), again).losses == []
        assert again.getvalue() == out.getvalue()


def test_a_search_among_false_heads_is_bounded() -> None:
    """Beginnings of guarded blocks, each of which has to be read to its checksum: a thousand at most."""
    import time

    key = (ReferenceFrame(0, StillCodec.AV1, b"k"),)
    body = write_block(
        Block(0, make.pts(SILENT_HEADER, 0, 5000), 0, (), key, b"", guarded=True), SILENT_HEADER
    )
    false = b"\xf2\x40" + body[:-2]
    data = SILENT[: tiny_files.places(SILENT)[0]] + 20_000 * false
    began = time.process_time()
    list(NfcReader(io.BytesIO(data)))
    assert time.process_time() - began < 20
