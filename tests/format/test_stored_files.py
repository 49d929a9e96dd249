"""Stored files of both versions of the format decode to the same symbols and references for ever.

They are the first 60 frames of ``samples/astronaut_sound.mp4``, coded with ``gap=10`` (version 1: also with
``refresh="schedule"``, ``landmark_code="golomb"``, ``alpha=0.97``).  No model is needed to read them.
"""

import hashlib
from pathlib import Path

import pytest
import torch
from places import DATA

import neurocodec
from neurocodec.format.reader import NfcReader
from neurocodec.keypoints.packets import SymbolDigest, parse_frames
from neurocodec.references.store import ReferenceStore

EXPECTED = {
    1: {
        "symbols": "4e2ae0605f0e78a114c7dbd1c8af79f498dd320b1ee04c8854fe21e8fce3b971",
        "references": "f691f8f26478bf199a91bb1abaff4b897694afa0f07088c8d3ad8d6d820b5055",
        "sound": "df197e8c03c7d5d7867ed78437f67db35bd78b630069dc40efc15ab1eb4f1c36",
        "uses": [(0,), (1,), (2,), (3,), (4,), (5,)],
    },
    2: {
        "symbols": "3bce94eb9e18aca5d4ba49692273bfa4c414f63a9f87229d72acd890b7a700ff",
        "references": "c45279fb4d7386fc6b04f49405e0333b79035cb5b56397a1cfc0617acae7183f",
        "sound": "df197e8c03c7d5d7867ed78437f67db35bd78b630069dc40efc15ab1eb4f1c36",
        "uses": [(0,), (0, 2), (1,), (2,), (2, 1)],
    },
}


def facts(path: Path) -> dict[str, object]:
    """Digests of the symbols, of the decoded references and of the sound."""
    symbols, pictures, sound = SymbolDigest(), hashlib.sha256(), hashlib.sha256()
    uses = set()
    with path.open("rb") as file:
        reader = NfcReader(file)
        store = ReferenceStore(reader.header.model_size)
        for item in reader:
            assert isinstance(item, tuple)
            block = item[0]
            for k, reference in enumerate(block.references):
                store.add(block.first_reference + k, reference)
            for frame in parse_frames(block, reader.header):
                uses.add(frame.uses)
                if frame.reference:
                    symbols.reference(frame.reference.data)
                    pictures.update(store.picture(frame.uses[0]).tobytes())
                elif frame.symbols is not None:
                    symbols.symbols(frame.symbols)
            for packet in block.audio:
                sound.update(packet.data)
    return {
        "symbols": symbols.hexdigest(),
        "references": pictures.hexdigest(),
        "sound": sound.hexdigest(),
        "uses": sorted(uses),
    }


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("version", [1, 2])
def test_stored_files_decode_to_the_same_symbols_and_references(version: int, threads: int) -> None:
    torch.set_num_threads(threads)
    assert facts(DATA / f"version{version}.nfc") == EXPECTED[version]


@pytest.mark.parametrize("version", [1, 2])
def test_stored_files_are_what_they_are_called(version: int) -> None:
    path = DATA / f"version{version}.nfc"
    info = neurocodec.probe(path, packets=True)
    assert info.format_version == version
    assert info.landmark_code == {1: "golomb", 2: "range"}[version]
    assert (info.frames, info.losses) == (60, [])
    assert path.stat().st_size < 20_000
    assert info.packets is not None and len(info.packets) == 60
