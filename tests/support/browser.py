"""A headless browser and npm packages, where they are here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
HEADLESS = ("--headless", "--no-sandbox", "--disable-gpu")


def find_browser() -> str | None:
    """The program of a browser that knows ``HEADLESS``."""
    return next((b for b in map(shutil.which, BROWSERS) if b), None)


def npm_package(name: str, variable: str) -> Path | None:
    """What an environment variable names, or else the folder of a package installed for every program."""
    named = os.environ.get(variable)
    if named:
        return Path(named)
    npm = shutil.which("npm")
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True).stdout.strip() if npm else ""
    return Path(root) / name if root and (Path(root) / name).is_dir() else None
