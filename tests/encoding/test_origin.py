"""What is decoded begins at zero, whatever the source's clock says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from places import SAMPLES

from neurocodec import encode
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader

PICTURES = 20


def late(path: Path, seconds: int, sound_later: Fraction = Fraction(0)) -> Path:
    """A transport stream of the sample whose clock begins at ``seconds``; its sound may begin later."""
    with av.open(str(SAMPLES / "astronaut_sound.mp4")) as source, av.open(str(path), "w") as out:
        tracks: dict[int, Any] = {s.index: out.add_stream_from_template(s) for s in source.streams}
        shown = 0
        for packet in source.demux():
            if packet.dts is None or float(packet.dts * packet.time_base) > 0.9:
                continue
            shift = Fraction(seconds) + (sound_later if packet.stream.type == "audio" else 0)
            shown += packet.stream.type == "video"
            packet.pts += round(shift / packet.time_base)
            packet.dts += round(shift / packet.time_base)
            packet.stream = tracks[packet.stream.index]
            out.mux(packet)
    return path


def starts(path: Path) -> tuple[float, float]:
    """Seconds at which pictures and sound of an .nfc file begin."""
    with path.open("rb") as file:
        reader = NfcReader(file, str(path))
        blocks = [item[0] for item in reader if not isinstance(item, Loss)]
    header = reader.header
    assert header.audio is not None
    sound = min(p.pts for b in blocks for p in b.audio)
    return float(blocks[0].pts[0] * header.time_base), float(sound * header.audio.time_base)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 2, 24549])
def test_a_clock_that_begins_late(tmp_path: Path, seconds: int) -> None:
    encode(late(tmp_path / "late.ts", seconds), tmp_path / "late.nfc")
    pictures, sound = starts(tmp_path / "late.nfc")
    assert pictures == 0
    assert abs(sound) < 0.15


@pytest.mark.slow
def test_pictures_and_sound_keep_their_distance(tmp_path: Path) -> None:
    found = []
    for k, later in enumerate((Fraction(0), Fraction(1, 2))):
        encode(late(tmp_path / f"{k}.ts", 100, later), tmp_path / f"{k}.nfc")
        pictures, sound = starts(tmp_path / f"{k}.nfc")
        assert pictures == 0
        found.append(sound)
    assert found[1] - found[0] == pytest.approx(0.5, abs=0.03)
    encode(late(tmp_path / "early.ts", 100, Fraction(-1, 2)), tmp_path / "early.nfc")
    pictures, sound = starts(tmp_path / "early.nfc")
    assert pictures == pytest.approx(0.5, abs=0.06) and abs(sound) < 0.06
