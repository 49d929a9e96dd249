"""Files whose frames are latents of the landmark network."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurocodec
from neurocodec.api import pictures
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.media.frames import read_frames
from neurocodec.models.engines import engine_for
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_LANDMARKS
from neurocodec.types import Picture


@pytest.fixture(scope="module")
def driven(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("driven") / "clip.nfc"
    neurocodec.encode(clip, out, landmarks="68", refresh="schedule", verify=True)
    return out


@pytest.fixture(scope="module")
def shown(driven: Path) -> list[Picture]:
    return [p for _, p in pictures(driven)]


@pytest.mark.slow
def test_a_file_of_latents(driven: Path, shown: list[Picture], clip: Path) -> None:
    info = neurocodec.probe(driven, packets=True)
    description = find(DEFAULT_LANDMARKS, "landmarks")
    assert info.format_version == 4
    assert info.landmark_model == {
        "name": "face68", "hash": description.hash[:16], "values": description.config["latent"],
    }  # fmt: skip
    symbols = [p["symbols"] for p in info.packets or [] if p["kind"] == "landmarks"]
    assert {len(s) for s in symbols} == {description.config["latent"]}
    assert any(any(s) for s in symbols)
    originals = [p for _, p in read_frames(clip)]
    assert len(shown) == len(originals)
    error = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(shown, originals, strict=True)])
    assert error < 20


@pytest.mark.slow
def test_random_access_gives_the_same_pictures(driven: Path, shown: list[Picture]) -> None:
    part = [p for _, p in pictures(driven, start=0.8)]
    assert 10 < len(part) < len(shown)
    assert (part[-1] == shown[-1]).all()


def test_readers_without_the_landmark_model_refuse(driven: Path, tmp_path: Path) -> None:
    reader = NfcReader(io.BytesIO(driven.read_bytes()))
    assert reader.header.latent
    other = replace(reader.header, latent=replace(reader.header.latent, hash=bytes(8)))
    with pytest.raises(UnsupportedError, match="face68"):
        engine_for(other)
    fewer = replace(reader.header, latent=replace(reader.header.latent, values=2))
    with pytest.raises(DamagedFileError, match="number of values"):
        engine_for(fewer)
    out = io.BytesIO()
    writer = NfcWriter(out, other)
    for item in reader:
        assert isinstance(item, tuple)
        writer.write_block(item[0])
    writer.close()
    path = tmp_path / "o.nfc"
    path.write_bytes(out.getvalue())
    assert neurocodec.probe(path).frames == 40  # parsing never needs the model
    with pytest.raises(UnsupportedError, match="not installed"):
        neurocodec.decode(path, tmp_path / "o.mp4")
