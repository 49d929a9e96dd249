"""The FFmpeg program that the package imageio-ffmpeg carries."""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from pathlib import Path

from neurocodec.errors import UnsupportedError


@lru_cache(maxsize=1)
def program() -> str | None:
    """Path of the FFmpeg program, None where imageio-ffmpeg is not installed."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def run(*arguments: str, data: bytes | None = None, folder: Path | None = None) -> bytes:
    """Run the program on raw input; what it writes to stdout.

    Raises:
        UnsupportedError: it is not installed, or fails.
    """
    path = program()
    if path is None:
        raise UnsupportedError("the package imageio-ffmpeg is not installed")
    command = [path, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
    if data is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=data, capture_output=True, check=False, cwd=folder)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise UnsupportedError(f"FFmpeg failed: {lines[-1]}")
    return done.stdout


@lru_cache(maxsize=16)
def listing(what: str) -> str:
    """What ``-encoders``, ``-filters`` or ``-version`` prints; empty without the program."""
    return run(f"-{what}").decode(errors="replace") if program() else ""


def version() -> str:
    """The program's name and version in a few words; empty without the program."""
    return " ".join(listing("version").split()[:3])


def lacks(kind: str, name: str) -> str | None:
    """Why an encoder or filter is not at hand; None when it is."""
    if program() is None:
        return "needs the FFmpeg of the package imageio-ffmpeg (pip install 'neurocodec[compare-extra]')"
    if not re.search(rf"^\s*\S+\s+{re.escape(name)}\s", listing(kind), re.MULTILINE):
        return f"the FFmpeg of imageio-ffmpeg has no {name}"
    return None
