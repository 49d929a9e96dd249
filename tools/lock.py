"""Pins with hashes for the development environment: ``python tools/lock.py > requirements-dev.lock``.

Asks pip what ``-e '.[dev]'`` under ``constraints.txt`` would install, and prints every package with the
SHA-256 of the files that may be installed.  Install with

    pip install --require-hashes --no-deps -r requirements-dev.lock

PyTorch's line carries the hash of whichever build pip chose here, and of those that ``--also`` names: its
builds for the processor alone and for CUDA have the same version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

ROOT = Path(__file__).resolve().parents[1]


def report(arguments: list[str], isolated: bool = False) -> list[dict[str, Any]]:
    """pip's account of what it would install."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", "-",
         *(["--isolated"] if isolated else []), *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr.strip().splitlines()[-1])
    items: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return items


def hash_of(item: dict[str, Any]) -> str:
    """The SHA-256 of the file pip would install."""
    found = item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    if found:
        return str(found)
    path = Path(unquote(urlparse(item["download_info"]["url"]).path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--also", nargs="*", default=[], help="SHA-256 of other builds of torch")
    also = parser.parse_args().also
    print(
        "# Made by tools/lock.py from pyproject.toml and constraints.txt; for CPython 3.11 on Linux, x86-64."
    )
    print("# pip install --require-hashes --no-deps -r requirements-dev.lock")
    lines = {}
    for item in report(["-c", "constraints.txt", "-e", ".[dev]"]):
        name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
        if name == "neurocodec":
            continue
        hashes = [hash_of(item), *(also if name == "torch" else [])]
        public = version.partition("+")[0]
        lines[name] = f"{name}=={public} " + " ".join(f"--hash=sha256:{h}" for h in dict.fromkeys(hashes))
    for name in sorted(lines):
        print(lines[name])


if __name__ == "__main__":
    main()
