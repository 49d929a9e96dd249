"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run(
    *arguments: object, data: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "neurocodec", *map(str, arguments)],
        input=data,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


def refused(result: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    """One clear line on stderr, the documented exit code, no traceback."""
    text = result.stderr.decode()
    assert result.returncode == code, text
    assert "Traceback" not in text
    assert not result.stdout
    lines = [line for line in text.splitlines() if line.strip()]
    if code != 2 or not lines[0].startswith("Usage"):
        assert len(lines) == 1, text
        assert lines[0].startswith("neurocodec: error: ")
    for word in words:
        assert word in text
