"""A block that lost its landmarks or its sound: what is concealed, and what is said."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_files
from command_line import answer
from guarded_files import WHOLE, flipped, items, parts_of

import neurocodec
from neurocodec.decoding.concealment import between
from neurocodec.errors import DamagedFileError
from neurocodec.format.block import SoundPacket


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_files.write_model(tmp_path_factory.mktemp("model")))


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


@pytest.mark.slow
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

    words = "landmarks lost and concealed: 1.00 to 2.00 s; sound lost: 3.00 to 4.00 s"
    code, stdout, stderr = answer("decode", path, out, "--model", model, "--json", "-q")
    assert code == 7 and json.loads(stdout)["concealed"] == 9
    assert stderr.count("\n") == 1 and words in stderr
    code, stdout, stderr = answer("info", path, "--json")
    assert code == 7 and json.loads(stdout)["frames"] == 60
    assert words in stderr
    assert answer("decode", path, tmp_path / "no.mp4", "--model", model, "--strict", "-q")[0] == 4
    assert answer("repair", path, tmp_path / "again.nfc")[0] == 0
    assert (
        answer("decode", tmp_path / "again.nfc", tmp_path / "2.mp4", "--model", model, "--strict", "-q")[0]
        == 0
    )
