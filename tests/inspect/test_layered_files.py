"""``info``, the check for wholeness and ``repair`` of layered files."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from guarded_files import left_of
from layered_files import BLOCKS, PLACES, WHOLE, H, with_bytes, without
from tiny_files import make

import neurocodec
from neurocodec.commands.main import main
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format.chunks import HEAD_CHUNK, LAYER_CHUNK
from neurocodec.format.layer import LayerPart, LayerPicture
from neurocodec.format.reader import NfcReader
from neurocodec.inspect.check import check_whole
from neurocodec.keypoints.packets import SymbolDigest


def probed(data: bytes = WHOLE) -> neurocodec.FileInfo:
    return neurocodec.probe(io.BytesIO(data), packets=True)


def repaired(data: bytes) -> tuple[bytes, neurocodec.RepairReport]:
    out = io.BytesIO()
    report = neurocodec.repair(io.BytesIO(data), out)
    return out.getvalue(), report


def chunks(kind: int) -> list[range]:
    return [place for found, place in PLACES if found == kind]


def test_info_tells_of_layer_and_heads() -> None:
    found = probed()
    layers = [b.layer for b in BLOCKS if b.layer]
    assert found.layer is not None and found.heads is not None
    assert found.layer["sizes"] == ["64x64"] and found.layer["bytes"] == found.bytes["layer"]
    assert (found.layer["pictures"], found.layer["keys"], found.layer["entries"]) == (5, 2, 2)
    assert found.layer["bytes"] == sum(len(p.data) for layer in layers for p in layer.pictures)
    first, second = found.heads["list"]
    assert (first["head"], first["frames"], first["references"]) == (0, 18, 3)
    assert (second["head"], second["frames"], second["reference_sizes"]) == (5, 8, [64])
    assert first["reference_sizes"] == [64, 96]
    assert found.heads["frames"] == 18  # of 19: the last one has none
    assert first["bytes"] + second["bytes"] == found.bytes["references"] + found.bytes["landmarks"]
    assert found.bytes["total"] == sum(n for kind, n in found.bytes.items() if kind != "total")
    assert found.references == 5 and found.refreshes[1] == {
        "time": 0.2, "frame": 2, "codec": "av1", "bytes": found.refreshes[1]["bytes"], "head": 5,
    }  # fmt: skip
    assert found.packets is not None and len(found.packets) == 26
    assert {p["head"] for p in found.packets} == {0, 5} and found.losses == []


def test_info_of_other_files_does_not_speak_of_layers() -> None:
    data = (make.FOLDER / "v4-guarded-silent.nfc").read_bytes()
    told = probed(data).as_dict()
    assert "layer" not in told and "heads" not in told and "layer" not in told["bytes"]


def test_info_in_words_and_what_is_lost(tmp_path: object) -> None:
    bad = with_bytes(chunks(LAYER_CHUNK)[1].stop - 6, lambda b: b ^ 1)
    path = make.Path(str(tmp_path)) / "in.nfc"
    path.write_bytes(bad)
    done = CliRunner().invoke(main, ["info", str(path)])
    assert done.exit_code == 7
    assert "heads        2, in 18 of 19 frames" in done.stdout
    assert "head 0   18 frames, 3 references of 64x64, 96x96" in done.stdout
    assert "layer lost: 0.80 to 1.40 s" in done.stderr
    assert probed(bad).lost_layer == [[0.8, 1.402]] and probed(bad).lost_heads == []


def test_a_whole_file_is_found_whole_and_copied() -> None:
    digest = SymbolDigest()
    for block in BLOCKS:
        digest.layered(block, H)
    assert check_whole(NfcReader(io.BytesIO(WHOLE))) == digest.hexdigest()
    copy, report = repaired(WHOLE)
    assert copy == WHOLE and report.losses == []


@pytest.mark.parametrize("kind", [LAYER_CHUNK, HEAD_CHUNK])
def test_damage_is_noticed(kind: int) -> None:
    for place in chunks(kind):
        with pytest.raises(DamagedFileError):
            check_whole(NfcReader(io.BytesIO(with_bytes(place.stop - 6, lambda b: b ^ 1))))


def test_pictures_that_are_none_are_noticed() -> None:
    entry = BLOCKS[0]
    assert entry.layer is not None
    noise = LayerPart((LayerPicture(0, bytes(range(1, 99))),), (64, 64))
    still = replace(entry.heads[0].block.references[0], data=b"noise")
    head = replace(entry.heads[0], block=replace(entry.heads[0].block, references=(still,)))
    for block, words in (
        (replace(entry, layer=noise), "layer"),
        (replace(entry, heads=(head,)), "reference"),
    ):
        with pytest.raises(DamagedFileError, match=words):
            check_whole(NfcReader(io.BytesIO(make.file(H, [block]))))


def test_repair_without_a_layer_keeps_heads_and_drops_what_depends_on_it() -> None:
    first, second, third = chunks(LAYER_CHUNK)
    copy, report = repaired(with_bytes(second.stop - 6, lambda b: b ^ 1))
    found, losses = left_of(copy)
    assert losses == [] and found == [BLOCKS[0], replace(BLOCKS[1], layer=None), *BLOCKS[2:]]
    assert report.frames_dropped == 0
    copy, report = repaired(with_bytes(first.stop - 6, lambda b: b ^ 1))
    found, losses = left_of(copy)  # the file begins with the second entry; the sound is kept
    assert losses == [] and report.frames_dropped == 14 and report.frames == 5
    assert [len(b.pts) for b in found] == [0, 0, 5, 0] and found[2].pts == BLOCKS[2].pts
    assert [b.audio for b in found] == [b.audio for b in BLOCKS]
    check_whole(NfcReader(io.BytesIO(copy)))
    copy, report = repaired(with_bytes(third.stop - 6, lambda b: b ^ 1))
    found, _ = left_of(copy)
    assert not found[2].entry and found[2].layer is None and found[2].heads[0].squares


def test_repair_without_a_block_drops_the_heads_that_need_it() -> None:
    copy, report = repaired(without(0, 1, 2, 3, 4))
    assert report.frames == 5
    place = chunks(HEAD_CHUNK)[0]
    copy, report = repaired(with_bytes(place.stop - 6, lambda b: b ^ 1))
    found, losses = left_of(copy)
    assert losses == [] and [[p.head for p in b.heads] for b in found] == [[5, 5], [], [0, 5], []]
    assert any("head 0 of the block at frame 8 is dropped" in loss for loss in report.losses)
    check_whole(NfcReader(io.BytesIO(copy)))


def test_random_damage_never_breaks_repair() -> None:
    rng = np.random.default_rng(5)
    for k in range(150):
        bad = bytearray(WHOLE)
        for _ in range(rng.integers(1, 6)):
            bad[rng.integers(len(bad))] = rng.integers(256)
        if k % 3 == 0:
            del bad[rng.integers(len(bad)) :]
        try:
            copy, _ = repaired(bytes(bad))
        except NeurocodecError:
            continue
        check_whole(NfcReader(io.BytesIO(copy)))
        again, report = repaired(copy)
        assert again == copy and report.losses == []
