"""One command of the command line, run in a process of its own and watched from inside.

``python -m neurocodec.bench.watched_command OUT.json STARTED encode|decode ...``: STARTED is ``time.time()``
before the process was started.  What is written to OUT.json: ``first`` (seconds until the first frame was
done), ``seconds`` (until the end), ``peak`` (largest resident memory in bytes), and lists by tenths of the
frames: ``resident`` (bytes in use) and ``peaks`` (the most until then).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_EVERY = 20
"""Frames between looks at the memory."""


def _field(name: str) -> int | None:
    """Bytes of a field of Linux's account of this process."""
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])
    return None


def peak() -> int:
    """The most bytes of memory this process has had at once.

    Not from ``getrusage`` where there is another way: what it says begins with the parent's.
    """
    known = _field("VmHWM")
    if known is not None:
        return known
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else 1024 * used


class Watch:
    """Notes when the first frame was done, and the memory while frames are done."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.first: float | None = None
        self.looks: list[tuple[int, int, int]] = []
        """Frames done, bytes in use, and the most until then."""
        self._next = 0

    def __call__(self, done: int, total: int | None) -> None:
        if self.first is None:
            self.first = time.time() - self.started
        if done >= self._next:
            self._next = done + _EVERY
            now = _field("VmRSS")
            if now is not None:
                self.looks.append((done, now, peak()))

    def tenths(self) -> list[tuple[int, int, int]]:
        """The looks at about each tenth of the frames."""
        n = len(self.looks)
        return [self.looks[k * n // 10] for k in range(10)] if n else []


def watched(call: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    """An encode or decode of the API that also tells ``watch`` of its progress."""

    def run(*args: Any, progress: Any = None, **settings: Any) -> Any:
        def both(done: int, total: int | None) -> None:
            watch(done, total)
            if progress:
                progress(done, total)

        return call(*args, progress=both, **settings)

    return run


def main() -> None:
    """Run the command; exits as it does."""
    out, started, *command = sys.argv[1:]
    from neurocodec import api
    from neurocodec.commands.main import main as run_command

    watch = Watch(float(started))
    for name in ("encode", "decode"):
        setattr(api, name, watched(getattr(api, name), watch))
    sys.argv = ["neurocodec", *command]
    try:
        run_command()
    finally:
        seconds = time.time() - watch.started
        tenths = watch.tenths()
        found = {
            "first": watch.first,
            "seconds": seconds,
            "peak": peak(),
            "resident": [now for _, now, _ in tenths],
            "peaks": [most for _, _, most in tenths],
        }
        Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
