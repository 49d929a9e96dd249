"""Interruptions: a command ends cleanly on Ctrl-C, ``kill`` and ``timeout``."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

_CLEANING = 5.0
"""Seconds that an interrupted command has before a further signal breaks it off."""


class Signals:
    """Ends a command cleanly on Ctrl-C, ``kill`` and ``timeout``: no temporary file is left.

    An exception raised in a callback that FFmpeg made into Python would be printed and dropped.  So the
    signal is remembered until :meth:`check`, which runs with every frame; and where it arrives just as such
    a callback begins, it is delivered again a moment later.  Further ones are ignored for some seconds, for
    they would break off the cleaning up.
    """

    def __init__(self) -> None:
        self.number = 0
        self._deaf_until = 0.0

    def install(self) -> None:
        """Take over SIGINT and SIGTERM (in the main thread), of which none has come yet."""
        self.number, self._deaf_until = 0, 0.0
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._arrived)
            signal.signal(signal.SIGTERM, self._arrived)
            if hasattr(signal, "SIGALRM"):
                signal.signal(signal.SIGALRM, self._arrived)

    def rest(self) -> None:
        """At the end of Python, after an interruption: a further signal must not break that off."""
        if self.number:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if number in (signal.SIGINT, signal.SIGTERM):
            now = time.monotonic()
            if now < self._deaf_until:
                return
            self.number, self._deaf_until = number, now + _CLEANING
        if frame is not None and hasattr(signal, "setitimer"):
            in_callback = Path(frame.f_code.co_filename).name == "guard.py"
            if in_callback and frame.f_lineno == frame.f_code.co_firstlineno:
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                return
        self.check()

    def check(self) -> None:
        """End the command if a signal has come."""
        if self.number == signal.SIGTERM:
            sys.exit(128 + self.number)
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt


signals = Signals()
atexit.register(signals.rest)
