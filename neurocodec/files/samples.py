"""The sample clips that come with the package."""

from __future__ import annotations

from pathlib import Path

from neurocodec.errors import InputError


def sample_clips() -> list[Path]:
    """The clips by name: those of the installed package, or of the source tree.

    Raises:
        InputError: there are none.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_data" / "samples", package.parent / "samples"):
        found = sorted(folder.glob("*.mp4"))
        if found:
            return found
    raise InputError("no sample clips are installed; name a video")
