"""A layer's pictures, coded and decoded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from neurocodec.errors import DamagedFileError
from neurocodec.format.layer import LayerPart
from neurocodec.layers.color import LayerColor
from neurocodec.layers.decoder import LayerDecoder
from neurocodec.layers.encoder import LayerEncoder
from neurocodec.layers.sizes import layer_size
from neurocodec.layers.track import LayerTrack
from neurocodec.types import Picture

SIZE = 128, 80


def picture(k: int) -> Picture:
    """A gradient with a square that moves."""
    across = np.linspace(0, 255, SIZE[0], dtype=np.uint8)
    out = np.repeat(np.broadcast_to(across, SIZE[::-1])[..., None], 3, 2).copy()
    out[20:50, 10 + 4 * k : 40 + 4 * k] = (200, 40, 90)
    return out


@pytest.fixture(scope="module")
def units() -> list[bytes]:
    color, encoder = LayerColor(), LayerEncoder(SIZE, 30, preset=10)
    out = []
    for k in range(10):
        out += encoder.encode(color.frame(picture(k)))
    return out + encoder.finish()


def test_every_unit_shows_its_picture(units: list[bytes]) -> None:
    decoder, color = LayerDecoder(SIZE), LayerColor()
    assert len(units) == 10
    for k, unit in enumerate(units):
        shown = color.picture(decoder.decode(unit), *SIZE)
        assert np.abs(shown.astype(int) - picture(k)).mean() < 4


def test_threads_change_no_byte(units: list[bytes]) -> None:
    color, encoder = LayerColor(), LayerEncoder(SIZE, 30, preset=10, threads=2)
    out = [unit for k in range(10) for unit in encoder.encode(color.frame(picture(k)))]
    assert out + encoder.finish() == units


@pytest.mark.parametrize("unit", [b"", b"\x00" * 30, b"\x12\x00"])
def test_what_is_no_picture_is_damage(unit: bytes) -> None:
    with pytest.raises(DamagedFileError, match="layer"):
        LayerDecoder(SIZE).decode(unit)


def test_another_size_is_damage(units: list[bytes]) -> None:
    with pytest.raises(DamagedFileError, match="layer"):
        LayerDecoder((64, 64)).decode(units[0])


def test_a_track_holds_its_last_picture_until_a_key_picture_comes(units: list[bytes]) -> None:
    track = LayerTrack(256, 160)
    with pytest.raises(DamagedFileError, match="missing"):
        track.decode(units[1], 1)
    track.enter(LayerPart((), SIZE))
    first = track.decode(units[0], 0)
    assert first.picture.shape == (160, 256, 3)
    large = cv2.resize(picture(0), (256, 160), interpolation=cv2.INTER_CUBIC)
    assert np.abs(first.picture.astype(int) - large).mean() < 5
    track.enter(None)  # a block whose layer is lost
    with pytest.raises(DamagedFileError, match="missing"):
        track.decode(units[1], 1)
    assert track.last is first


def test_skipping_ends_where_decoding_does(units: list[bytes]) -> None:
    a, b = LayerTrack(*SIZE), LayerTrack(*SIZE)
    for track in (a, b):
        track.enter(LayerPart((), SIZE))
    for k, unit in enumerate(units):
        last = a.decode(unit, k)
    b.skip(list(zip(units, range(10), strict=True)))
    assert b.last and np.array_equal(b.last.picture, last.picture)
    assert (b.last.number, b.last.pts) == (last.number, last.pts)


@pytest.mark.parametrize(
    ("whole", "scale", "layer"),
    [((1280, 720), 2, (640, 360)), ((361, 203), 1, (360, 202)), ((100, 90), 4, (64, 64))],
)
def test_layers_have_even_sides_that_are_not_too_small(
    whole: tuple[int, int], scale: int, layer: tuple[int, int]
) -> None:
    assert layer_size(*whole, scale) == layer
