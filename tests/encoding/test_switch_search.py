"""Where a layer switches: where captions change and at cuts, not where things move."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from neurocodec.encoding.layer_trial import LayerChoice, LayerTrial
from neurocodec.encoding.section import Section
from neurocodec.encoding.spool import Spool
from neurocodec.encoding.switch_search import find_switches
from neurocodec.faces.head_tracks import HeadTracker
from neurocodec.layers.color import LayerColor
from neurocodec.layers.encoder import LayerEncoder
from neurocodec.layers.switches import Switch
from neurocodec.types import Picture

SIZE = 320, 192
SHOWN = [0, 6, 12]


def room(shift: int, seed: int = 0) -> Picture:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 48, 3)).astype(np.uint8)
    wide = cv2.resize(noise, (384, 192), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[:, shift : shift + 320])


def caption(picture: Picture, text: str) -> Picture:
    cv2.rectangle(picture, (40, 140), (280, 180), (20, 20, 20), -1)
    cv2.putText(picture, text, (50, 172), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
    return picture


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool(*SIZE) as kept:
        yield kept


def found(spool: Spool, frames: list[Picture]) -> list[Switch | None]:
    section = Section(spool, HeadTracker(*SIZE, rate=25.0))
    for k, frame in enumerate(frames):
        spool.append(frame)
        section.pts.append(k)
    encoder, color = LayerEncoder(SIZE, 30), LayerColor()
    units = [u for k in SHOWN for u in encoder.encode(color.frame(frames[k]))] + encoder.finish()
    trial = LayerTrial(LayerChoice(1, 30, 6.0), SIZE, SHOWN, units, 0.0)
    return find_switches(section, trial, SIZE)


def test_a_caption_switches_where_and_when_it_changes(spool: Spool) -> None:
    texts = ["HELLO YOU"] * 4 + ["GOOD DAY"] * 9
    switches = found(spool, [caption(room(2 * k), text) for k, text in enumerate(texts)])
    assert switches[0] is None
    assert switches[1] is not None
    assert switches[1].kept == 3  # of the frames 1 to 5
    places = switches[1].places
    assert places is not None and places.shape == (14, 24)
    assert places[11:13, 5:18].mean() > 0.6
    assert places[:9].mean() < 0.05


def test_what_moves_does_not_switch(spool: Spool) -> None:
    assert found(spool, [room(2 * k) for k in range(13)]) == [None] * 3


def test_a_cut_switches_everywhere(spool: Spool) -> None:
    switches = found(spool, [room(k) if k < 3 else room(k, seed=9) for k in range(13)])
    assert switches == [None, Switch(2), None]
