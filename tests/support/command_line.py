"""The command line: as a process of its own, or quicker in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from click.testing import CliRunner

Result = subprocess.CompletedProcess[bytes]


def run(*arguments: object, data: bytes | None = None, **environment: str) -> Result:
    """A process, where that matters: pipes, signals, imports, what the first and the last moments do."""
    return subprocess.run(
        [sys.executable, "-m", "neurocodec", *map(str, arguments)],
        input=data,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


def call(*arguments: object, **environment: str) -> Result:
    """The same without starting Python and loading torch."""
    from neurocodec.commands.main import main

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    handlers = [signal.getsignal(number) for number in numbers]
    try:
        done = CliRunner(env=environment).invoke(main, [*map(str, arguments)], catch_exceptions=False)
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout_bytes, done.stderr_bytes)


def answer(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of :func:`call`."""
    done = call(*arguments)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def refused(result: Result, code: int, *words: str) -> None:
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
