"""A block whose frames use references of earlier blocks, as the encoder's memory of poses has it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from clips import frames_of

import neurocodec
from neurocodec.encoding.lookahead import Lookahead
from neurocodec.encoding.stretches import Stretch
from neurocodec.format.reader import NfcReader
from neurocodec.media.reader import MediaReader
from neurocodec.media.writer import MediaWriter

pytestmark = pytest.mark.slow


def with_the_oldest(look: Lookahead, s: Stretch) -> list[Stretch]:
    """A stretch is rendered from the reference in use and the oldest one that is remembered."""
    oldest = look._gallery.latest(1000)[0]
    after = oldest if oldest.number != s.before.number else None
    return [Stretch(s.start, s.stop, s.before, after, settled=True)]


def test_an_earlier_chain_serves_beside_a_new_one(
    small_model: str, sound_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third block begins with an independent reference, and its frames use the first block's too."""
    slow, out = tmp_path / "slow.mp4", tmp_path / "out.nfc"
    size = {"width": 256, "height": 256}
    with MediaReader(sound_clip) as reader:
        color = reader.video.color
    with MediaWriter(slow, color=color, time_base=Fraction(1, 10), fps=Fraction(10), **size) as writer:  # type: ignore[arg-type]
        for k, (_, picture) in enumerate(frames_of(sound_clip)):
            writer.write_video(picture, k)
    monkeypatch.setattr(Lookahead, "_divide", with_the_oldest)
    neurocodec.encode(slow, out, model=small_model, reference_period=11, region="full")
    with out.open("rb") as file:
        blocks = [item[0] for item in NfcReader(file) if isinstance(item, tuple)]
    last = blocks[2]
    assert not last.references[0].dependent and last.needed[0] == 0
    assert last.runs and {(r.first, r.second) for r in last.runs} == {(last.first_reference, 0)}
    linear = [(t, p) for t, p in neurocodec.pictures(out, model=small_model) if t >= 11]
    part = [*neurocodec.pictures(out, model=small_model, start=11.0)]
    assert [t for t, _ in part] == [t for t, _ in linear] and linear
    assert all((a == b).all() for (_, a), (_, b) in zip(part, linear, strict=True))
