"""Memory does not grow with the clip."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from clips import cut
from places import SAMPLES
from small_models import small

from neurocodec.bench import process
from neurocodec.bench.long_clips import write_long

SECONDS, FPS = 80, 10
"""A picture takes 192 KiB, and the second half of the clip has 400 of them (75 MiB)."""
ALLOWED = 60 << 20
"""What the allocator, oneDNN's cache of compiled operators and other bounded things may still grow: of 2000
frames, the last 400 took none more, but some 25 MiB were fetched as late as that."""


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """Bytes of memory of three commands: the most in the first half of the clip, and the most of all.

    The halves of one clip, not a short clip and a long one: with the first 300 frames or so memory grows to
    what it nearly stays.  What is bounded is filled in the first half: references start anew every ten
    seconds, and the schedule has a verdict every fifth frame, so that two blocks at once, the references that
    a decoder keeps ready and the originals that the distance remembers are all there.
    """
    folder = tmp_path_factory.mktemp("long")
    model = small(folder / "models", 256)
    source = cut(SAMPLES / "astronaut_sound.mp4", folder / "source.mp4", 50)
    clip, out = folder / "clip.mp4", folder / "out.mp4"
    assert write_long(source, clip, SECONDS, Fraction(FPS)) == SECONDS * FPS
    commands = {
        "schedule": [
            "encode", str(clip), str(folder / "s.nfc"), "--refresh", "schedule", "--gap", "5",
            "--alpha", "1", "--reference-codec", "jpeg",
        ],
        "lookahead": ["encode", str(clip), str(folder / "l.nfc"), "--gap", "12", "--reference-period", "10"],
        "decode": ["decode", str(folder / "l.nfc"), str(out)],
    }  # fmt: skip
    found = {}
    for name, command in commands.items():
        done = process.watched([*command, "--model", str(model.path), "-f", "-q", "--json"], folder)
        assert json.loads(done.printed)["frames"] == SECONDS * FPS
        found[name] = done.noted["peaks"][5], done.noted["peak"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["schedule", "lookahead", "decode"])
def test_memory_does_not_grow(name: str, memory: dict[str, tuple[int, int]]) -> None:
    half, whole = memory[name]
    assert half > 100 << 20, "this is not the memory of a process that renders"
    assert whole - half < ALLOWED, f"{whole - half} bytes more in the second half"
    assert whole < 1500 << 20
