"""Memory does not grow with the clip."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from clips import cut
from places import SAMPLES
from small_models import small

from neurocodec.bench import process
from neurocodec.bench.hour import write_long

SHORT, LONG = 10, 30
"""Seconds; a picture takes 192 KiB, and the long clip has 500 more of them (94 MiB) than the short one."""
ALLOWED = 60 << 20
"""What the allocator, oneDNN's cache of compiled operators and other bounded things may still grow."""


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], int]:
    """Peak memory in bytes of three commands by the length of the clip in seconds."""
    folder = tmp_path_factory.mktemp("long")
    model = small(folder / "models", 256)
    source = cut(SAMPLES / "astronaut_sound.mp4", folder / "source.mp4", 50)
    found = {}
    for seconds in (SHORT, LONG):
        clip, out = folder / "clip.mp4", folder / "out.mp4"
        frames = write_long(source, clip, seconds, Fraction(25))
        assert frames == 25 * seconds
        stills = ["--reference-codec", "jpeg"]
        commands = {
            "schedule": ["encode", str(clip), str(folder / "s.nfc"), "--refresh", "schedule", *stills],
            "lookahead": ["encode", str(clip), str(folder / "l.nfc"), "--gap", "3"],
            "decode": ["decode", str(folder / "l.nfc"), str(out)],
        }
        for name, command in commands.items():
            done = process.watched([*command, "--model", str(model.path), "-f", "-q", "--json"], folder)
            assert json.loads(done.printed)["frames"] == frames
            found[name, seconds] = done.noted["peak"]
    return found


@pytest.mark.parametrize("name", ["schedule", "lookahead", "decode"])
def test_memory_does_not_grow(name: str, peaks: dict[tuple[str, int], int]) -> None:
    short, long = peaks[name, SHORT], peaks[name, LONG]
    assert short > 100 << 20, "this is not the memory of a process that renders"
    assert long - short < ALLOWED, f"{long - short} bytes more for a longer clip"
    assert long < 1500 << 20
