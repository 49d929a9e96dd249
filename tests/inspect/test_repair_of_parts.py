"""``repair`` of files whose blocks lost parts."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tiny_files
from guarded_files import SILENT, WHOLE, flipped, items, left_of, parts_of

import neurocodec
from neurocodec.errors import NeurocodecError
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.check import check_whole


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_files.write_model(tmp_path_factory.mktemp("model")))


@pytest.mark.slow
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
