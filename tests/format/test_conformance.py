"""The files of ``tests/conformance`` decode to what they always did, by two readers."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from places import ROOT
from scripts import script

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.errors import DamagedFileError, NeurocodecError
from neurocodec.format.block import Block
from neurocodec.format.damage import Loss
from neurocodec.format.description import Description
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart
from neurocodec.format.reader import NfcReader
from neurocodec.keypoints.packets import parse_frames, parse_head
from neurocodec.layers.switches import block_switches
from neurocodec.models.model_files import describe, load
from neurocodec.options import DecodeOptions
from neurocodec.references.store import ReferenceStore

FOLDER = ROOT / "tests" / "conformance"
STANDALONE = ROOT / "tools" / "nfc_reader.py"


second = script(STANDALONE)
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())
NAMES = sorted(EXPECTED)


def told_header(h: Header) -> dict[str, Any]:
    a, c = h.audio, h.colour
    layered = {"layered": h.layered} if h.version > 4 else {}
    return {
        "version": h.version, **layered, "fit": int(h.fit), "rotation": h.rotation,
        "full_range": c.full_range,
        "width": h.width, "height": h.height, "sar": str(h.sar), "time_base": str(h.time_base),
        "fps": str(h.fps), "start": h.start, "colour": [c.primaries, c.transfer, c.matrix],
        "model": h.model, "model_hash": h.model_hash.hex(), "model_size": h.model_size,
        "keypoints": h.keypoints, "quantization": h.quantization, "transformed": h.transformed,
        "landmark_code": h.landmark_code.name.lower(),
        "latent": h.latent and {
            "name": h.latent.name, "hash": h.latent.hash.hex(), "values": h.latent.values,
        },
        "audio": a and {
            "codec": a.codec, "sample_rate": a.sample_rate, "channels": a.channels,
            "time_base": str(a.time_base), "initial_padding": a.initial_padding,
            "packet_duration": a.packet_duration, "extradata": a.extradata.hex(),
        },
        "extensions": [[key, value.hex()] for key, value in h.extensions],
    }  # fmt: skip


def told_block(b: Block, header: Header) -> dict[str, Any]:
    frames = None
    with suppress(DamagedFileError):
        frames = parse_frames(b, header)
    r = b.region
    return {
        "first_frame": b.first_frame,
        "pts": list(b.pts),
        "region": [r.x, r.y, r.side] if r else None,
        "first_reference": b.first_reference,
        "needed": list(b.needed),
        "current": b.needed[-1] if b.current is None and b.needed else b.current,
        "references": [
            [x.offset, x.codec.name.lower(), x.dependent, second.sha(x.data)] for x in b.references
        ],
        "symbols": frames
        if not frames
        else [None if f.symbols is None else f.symbols.tolist() for f in frames],
        "uses": frames if not frames else [list(f.uses) for f in frames],
        "audio": told_sound(b),
        **({"lost": sorted(part.value for part in b.lost)} if b.guarded else {}),
    }


def told_sound(b: Block) -> list[list[Any]]:
    return [[p.pts, p.duration, second.sha(p.data)] for p in b.audio]


def told_head(part: HeadPart, b: Block, header: Header) -> dict[str, Any]:
    frames = None
    with suppress(DamagedFileError):
        frames = parse_head(part, b, header)
    return {
        "head": part.head, "start": part.start, "frames": part.frames, "golomb": part.golomb,
        "squares": [[offset, s.x, s.y, s.side] for offset, s in part.squares],
        "symbols": frames and [None if f.symbols is None else f.symbols.tolist() for f in frames],
    }  # fmt: skip


def told_switches(layer: LayerPart, header: Header) -> dict[str, Any]:
    if layer.switches is None:
        return {}
    found = None
    with suppress(DamagedFileError):
        found = [
            s and [s.kept, None if s.places is None else ["".join(str(int(p)) for p in r) for r in s.places]]
            for s in block_switches(layer, header)
        ]
    return {"switches": found}


def told_layered(b: Block, header: Header) -> dict[str, Any]:
    layer = b.layer
    return {
        "first_frame": b.first_frame,
        "pts": list(b.pts),
        "entry": b.entry,
        "layer": layer and {
            "size": layer.size and list(layer.size),
            "pictures": [[p.offset, second.sha(p.data)] for p in layer.pictures],
            **told_switches(layer, header),
        },
        "heads": [told_head(part, b, header) for part in b.heads],
        "audio": told_sound(b),
        "lost": sorted(part.value for part in b.lost),
    }  # fmt: skip


def told(data: bytes) -> dict[str, Any]:
    """What the package reads, in the words of the second reader."""
    reader = NfcReader(io.BytesIO(data))
    entries = reader.index() or []
    blocks, losses, whole = [], [], True
    for item in reader:
        if isinstance(item, Loss):
            whole = whole and not item.truncated
            if not (item.truncated and item.offset == len(data)):
                losses.append(item.offset)
            if item.salvaged is None:
                continue
            b = item.salvaged
        else:
            b = item[0]
        blocks.append((told_layered if reader.header.layered else told_block)(b, reader.header))
    index = [[e.offset, e.first_frame, e.frames, e.first_reference, e.references, e.pts] for e in entries]
    return {
        "header": told_header(reader.header), "blocks": blocks, "index": index, "losses": losses,
        "whole": whole, **({"description": told_words(reader.description)} if reader.description else {}),
    }  # fmt: skip


def told_words(d: Description) -> dict[str, Any]:
    words = {k: v for k, v in vars(d).items() if v not in ("", None, ())}
    return words | ({"chapters": [[c.start, c.end, c.title] for c in d.chapters]} if d.chapters else {})


def test_every_file_is_expected_and_all_versions_are_there() -> None:
    files = {p.stem for p in FOLDER.glob("*.nfc")}
    assert files == set(NAMES)
    assert {name[:2] for name in NAMES} == {"v1", "v2", "v3", "v4", "v5"}
    assert sum(p.stat().st_size for p in FOLDER.iterdir() if p.is_file()) < 400_000


@pytest.mark.parametrize("name", NAMES)
def test_the_package_reads_the_same_integers(name: str) -> None:
    assert told((FOLDER / f"{name}.nfc").read_bytes()) == EXPECTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_second_reader_reads_the_same_integers(name: str) -> None:
    assert json.loads(json.dumps(second.read((FOLDER / f"{name}.nfc").read_bytes()))) == EXPECTED[name]


def test_the_second_reader_needs_nothing_but_python() -> None:
    """No package of this repository and none from elsewhere: it runs isolated (-I) and without site (-S)."""
    assert not re.search(r"^\s*(import|from)\s+(?!__future__|hashlib|json|sys|zlib|fractions)", 
                         STANDALONE.read_text(), re.M)  # fmt: skip
    files = [FOLDER / f"{name}.nfc" for name in NAMES]
    done = subprocess.run(
        [sys.executable, "-I", "-S", STANDALONE, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 7  # some of them are damaged
    assert [json.loads(line) for line in done.stdout.splitlines()] == [EXPECTED[name] for name in NAMES]
    refused = subprocess.run(
        [sys.executable, STANDALONE, __file__], capture_output=True, check=False, timeout=60
    )
    assert refused.returncode == 4


def test_the_second_reader_has_the_documents_states() -> None:
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^```states\n(.*?)^```$", text, re.M | re.S)
    stated = [int(n) for n in re.findall(r"\d+(?!\d*:)", table)]
    assert [n for pair in second.Range(b"", 2).contexts for n in pair] == stated


def changed(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with one chunk's payload changed in a few bytes, under a checksum that fits again."""
    import zlib

    chunks, at = [], 5
    while at < len(data) - 3:
        try:
            kind, payload, end = second.chunk_at(data, at)
        except second.Damage:
            break
        if payload:
            chunks.append((at, kind, payload, end))
        at = end
    at, kind, payload, end = chunks[rng.integers(len(chunks))]
    body = bytearray(data[at : end - 4])
    for _ in range(rng.integers(1, 4)):
        body[rng.integers(len(body) - len(payload), len(body))] = rng.integers(256)
    return data[:at] + bytes(body) + zlib.crc32(body).to_bytes(4, "little") + data[end:]


def test_both_readers_agree_on_damage() -> None:
    """Files of versions 4 and 5, damaged in one to four places: the same blocks and parts."""
    rng = np.random.default_rng(9)
    names = [n for n in NAMES if n.startswith(("v4", "v5"))]
    parts = 0
    for k in range(600):
        bad = bytearray((FOLDER / f"{names[k % len(names)]}.nfc").read_bytes())
        for _ in range(rng.integers(1, 5)):
            at = rng.integers(5, len(bad))
            kind = rng.integers(4)
            if kind < 2:
                bad[at] ^= 1 << rng.integers(8)
            elif kind == 2:
                del bad[at : at + rng.integers(1, 40)]
            else:
                bad[at:at] = rng.bytes(rng.integers(1, 40))
        try:
            theirs = second.read(bytes(bad))
        except (second.Damage, second.Refused):
            continue  # the header; ours may put it right
        assert told(bytes(bad))["blocks"] == json.loads(json.dumps(theirs["blocks"]))
        parts += any(b.get("lost") for b in theirs["blocks"])
    assert parts > 100


def test_both_readers_agree_on_nonsense_too() -> None:
    """Also about what is damage: whatever is changed, they give out the same blocks or both refuse."""
    rng = np.random.default_rng(8)
    refused = accepted = 0
    for k in range(900):
        bad = changed((FOLDER / f"{NAMES[k % len(NAMES)]}.nfc").read_bytes(), rng)
        try:
            theirs = second.read(bad)
        except (second.Damage, second.Refused):
            with pytest.raises(NeurocodecError):
                told(bad)
            refused += 1
            continue
        assert told(bad) == json.loads(json.dumps(theirs))
        accepted += 1
    assert refused > 50 and accepted > 300


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return script(FOLDER / "tiny_model.py").write(tmp_path_factory.mktemp("model"))


def test_the_model_of_the_files_is_what_it_was(model: Path) -> None:
    hashes = {EXPECTED[name]["header"]["model_hash"] for name in NAMES}
    assert hashes == {describe(model).hash[:16]}
    load(model_description := describe(model))
    assert model_description.architecture == "talk"


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if (FOLDER / f"{n}.png").exists()])
def test_pictures_are_within_a_level_of_the_golden_ones(name: str, model: Path) -> None:
    data = (FOLDER / f"{name}.nfc").read_bytes()
    items: Any = decode_pictures(
        NfcReader(io.BytesIO(data)), DecodeOptions(model=str(model), device="cpu"), DecodeReport()
    )
    found = [i[1] for i in items if isinstance(i, tuple)]
    golden = cv2.imread(str(FOLDER / f"{name}.png"))[..., ::-1].astype(int)
    places = sorted({round(k * (len(found) - 1) / 3) for k in range(4)})
    shown = np.concatenate([found[k] for k in places], 1).astype(int)
    assert shown.shape == golden.shape
    for k in range(len(places)):
        part = slice(64 * k, 64 * k + 64)
        assert np.abs(shown[:, part] - golden[:, part]).mean() <= 1
    assert golden.std() > 10


def test_references_decode_to_exact_pictures() -> None:
    """AV1 and HEVC decoding is exact: independent of machine and threads."""
    import hashlib

    digest = hashlib.sha256()
    for name in NAMES:
        if "jpeg" in name or "mixed" in name or name.startswith(("v3", "v4", "v5")):
            continue
        reader = NfcReader(io.BytesIO((FOLDER / f"{name}.nfc").read_bytes()))
        store = ReferenceStore(reader.header.model_size)
        for item in reader:
            if isinstance(item, Loss) or not store.has(item[0].needed):
                continue
            for k, reference in enumerate(item[0].references):
                store.add(item[0].first_reference + k, reference)
            for k in range(len(item[0].references)):
                digest.update(store.picture(item[0].first_reference + k).tobytes())
    assert digest.hexdigest() == "1f69537ed6a31021fb41bea5669aad31339f656f0a1ee468492ddff1963e2efe"
