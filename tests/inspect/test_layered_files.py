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
from neurocodec.format.block import Block
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
    first, second, third = found.heads["list"]
    assert first == {
        "head": 0, "frames": 18, "packets": 13, "bytes": first["bytes"], "sides": [40, 44],
    }  # fmt: skip
    assert (second["head"], second["frames"], second["sides"]) == (5, 7, [30, 33])
    assert (third["head"], third["packets"], third["sides"]) == (9, 2, [70, 70])
    assert found.heads["frames"] == 20  # of 22: one at the end of each of two blocks has none
    assert sum(head["bytes"] for head in (first, second, third)) == found.bytes["landmarks"] > 0
    assert found.bytes["total"] == sum(n for kind, n in found.bytes.items() if kind != "total")
    assert found.references == 0 and found.refreshes == [] and found.bytes["references"] == 0
    packets = sum(head["packets"] for head in (first, second, third))
    assert found.landmark_bits_per_frame == 8 * found.bytes["landmarks"] / packets
    assert found.packets is not None and len(found.packets) == packets + 5
    pictures = [p for p in found.packets if p["kind"] == "layer"]
    assert [p["frame"] for p in pictures] == [0, 3, 4, 10, 14]
    assert sum(p["bits"] for p in pictures) == 8 * found.bytes["layer"]
    heads = [p for p in found.packets if p["kind"] == "landmarks"]
    assert {p["head"] for p in heads} == {0, 5, 9} and found.losses == []
    assert [p["frame"] for p in heads if p["head"] == 0][:6] == [1, 2, 5, 6, 7, 8]


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
    assert "heads        3, in 14 of 22 frames" in done.stdout
    assert "head 5   7 frames, 5 packets, " in done.stdout and "; side 30 to 33 pixels" in done.stdout
    assert "layer lost: 0.80 to 1.40 s" in done.stderr
    assert probed(bad).lost_layer == probed(bad).lost_heads == [[0.8, 1.402]]


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
    noise = LayerPart(tuple(replace(p, data=bytes(range(1, 99))) for p in entry.layer.pictures), (64, 64))
    with pytest.raises(DamagedFileError, match="layer"):
        check_whole(NfcReader(io.BytesIO(make.file(H, [replace(entry, layer=noise)]))))


def test_packets_that_are_too_few_are_noticed_and_not_kept() -> None:
    entry = BLOCKS[0]
    short = replace(entry.heads[0], landmarks=b"\1", golomb=True)
    data = make.file(H, [replace(entry, heads=(short, entry.heads[1]))])
    with pytest.raises(DamagedFileError):
        check_whole(NfcReader(io.BytesIO(data)))
    copy, report = repaired(data)
    found, losses = left_of(copy)
    assert losses == [] and found == [replace(entry, heads=entry.heads[1:2])]
    assert [line.split(":")[0] for line in report.losses] == ["head 0 of the block at frame 0 is dropped"]


def test_repair_drops_what_depends_on_a_lost_layer() -> None:
    first, second, third = chunks(LAYER_CHUNK)
    copy, report = repaired(with_bytes(second.stop - 6, lambda b: b ^ 1))
    found, losses = left_of(copy)
    assert losses == [] and found == [BLOCKS[0], replace(BLOCKS[1], layer=None, heads=()), *BLOCKS[2:]]
    assert report.frames_dropped == 0
    copy, report = repaired(with_bytes(first.stop - 6, lambda b: b ^ 1))
    found, losses = left_of(copy)  # the file begins with the second entry; the sound is kept
    assert losses == [] and report.frames_dropped == 14 and report.frames == 8
    assert [len(b.pts) for b in found] == [0, 0, 5, 3, 0] and found[2].pts == BLOCKS[2].pts
    assert [b.audio for b in found] == [b.audio for b in BLOCKS]
    check_whole(NfcReader(io.BytesIO(copy)))
    copy, report = repaired(with_bytes(third.stop - 6, lambda b: b ^ 1))
    found, _ = left_of(copy)  # the block after it has no picture of its own
    assert found == [*BLOCKS[:2], replace(BLOCKS[2], entry=False, layer=None, heads=()),
                     replace(BLOCKS[3], heads=()), BLOCKS[4]]  # fmt: skip
    assert any("head 9 of the block at frame 19 is dropped" in line for line in report.losses)


def test_repair_keeps_heads_from_the_key_on_that_begins_the_layer_anew() -> None:
    start, middle, end = BLOCKS[:3]
    assert end.layer is not None
    key = LayerPart((replace(end.layer.pictures[0], offset=2),), end.layer.size)
    before = make.head_part(1, 1, 3, key, make.Region(0, 0, 30), (), H)
    after = make.head_part(2, 3, 3, key, make.Region(0, 0, 30), (), H)
    lost = Block(8, make.pts(H, 8, 3), 0, (), (), b"", guarded=True,
                 layer=LayerPart((LayerPicture(0, b"a picture"),)))  # fmt: skip
    anew = replace(middle, first_frame=11, pts=make.pts(H, 11, 6), layer=key, heads=(before, after))
    whole = make.file(H, [start, lost, anew])
    assert left_of(repaired(whole)[0])[0] == [start, lost, anew]
    bad = bytearray(whole)
    bad[bad.index(b"a picture")] ^= 1
    found, _ = left_of(repaired(bytes(bad))[0])
    assert found == [start, replace(lost, layer=None), replace(anew, heads=(after,))]


def test_repair_without_a_block_keeps_the_rest() -> None:
    copy, report = repaired(without(0, 1, 2, 3, 4))
    assert report.frames == 8
    place = chunks(HEAD_CHUNK)[0]
    copy, report = repaired(with_bytes(place.stop - 6, lambda b: b ^ 1))
    found, losses = left_of(copy)
    assert losses == [] and [[p.head for p in b.heads] for b in found] == [[5, 5], [0], [0, 5], [9], []]
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
