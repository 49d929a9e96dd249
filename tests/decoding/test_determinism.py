"""One file, many ways to decode it: the same symbols, and nearly the same pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import cut
from places import SAMPLES

import neurocodec
from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.format.reader import NfcReader
from neurocodec.models import motion_engine
from neurocodec.options import DecodeOptions

FRAMES = 8
FURTHEST = {"talk256": (2, 0.01), "swift256": (20, 0.5)}
"""How far pixels may be from those of the plain network, at most and on the mean, in levels; the renderer of
``swift256`` warps pictures of 8 bits at 32nds of a pixel."""


@pytest.fixture(scope="module", params=["swift256", "talk256"])
def coded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file that has frames of one and of two references, and the digest of what was encoded."""
    folder = tmp_path_factory.mktemp("same")
    clip = cut(SAMPLES / "astronaut.mp4", folder / "clip.mp4", FRAMES)
    report = neurocodec.encode(clip, folder / "clip.nfc", model=request.param, price=0, gap=3)
    assert report.references > 1
    return folder / "clip.nfc", report.symbols_sha256


def decoded(path: Path, **options: Any) -> tuple[str, np.ndarray]:
    """Digest of the symbols, and pictures (n,S,S,3) as integers that can be subtracted."""
    report = DecodeReport()
    with path.open("rb") as file:
        items = decode_pictures(NfcReader(file, "file"), DecodeOptions(**options).resolved(), report)
        pictures = [item[1] for item in items if isinstance(item, tuple)]
    return report.symbols_sha256, np.stack(pictures).astype(int)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Chooses precision, and the renderer or the plain network."""
    renderer = motion_engine.renderer_of

    def set_up(half: bool, plain: bool = False) -> None:
        monkeypatch.setattr(motion_engine, "has_fast_bfloat16", lambda: half)
        monkeypatch.setattr(motion_engine, "renderer_of", (lambda *_: None) if plain else renderer)

    return set_up


@pytest.fixture(scope="module")
def plain(coded: tuple[Path, str]) -> np.ndarray:
    """The pictures of the plain network in float32 on one thread, which the others are held against."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(motion_engine, "has_fast_bfloat16", lambda: False)
        patch.setattr(motion_engine, "renderer_of", lambda *_: None)
        digest, pictures = decoded(coded[0], device="cpu", threads=1)
    assert digest == coded[1]
    assert pictures.shape[0] == FRAMES and pictures.std() > 20
    return pictures


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("as_network", [True, False], ids=["network", "renderer"])
def test_in_float32(
    threads: int, as_network: bool, coded: tuple[Path, str], plain: np.ndarray, choose: Callable[..., None]
) -> None:
    choose(False, as_network)
    digest, pictures = decoded(coded[0], device="cpu", threads=threads)
    assert digest == coded[1]
    off = np.abs(pictures - plain)
    most, mean = FURTHEST[neurocodec.probe(coded[0]).model]
    assert off.max() <= most
    assert off.mean() <= mean


@pytest.mark.slow
@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bfloat16 on this processor")
@pytest.mark.parametrize("threads", [1, 2])
def test_in_bfloat16(
    threads: int, coded: tuple[Path, str], plain: np.ndarray, choose: Callable[..., None]
) -> None:
    choose(True)
    digest, pictures = decoded(coded[0], device="cpu", threads=threads)
    assert digest == coded[1]
    off = np.abs(pictures - plain)
    assert off.max() > 0
    assert off.max() <= 40
    assert off.mean() <= 0.7


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu(coded: tuple[Path, str], plain: np.ndarray) -> None:
    digest, pictures = decoded(coded[0], device="cuda")
    assert digest == coded[1]
    assert np.abs(pictures - plain).mean() <= 0.7
