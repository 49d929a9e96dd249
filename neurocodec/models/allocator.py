"""Freed memory is kept for what is allocated next.

Networks allocate and free the same few dozen megabytes for every frame.  The GNU C library gives the end of
its heap back to the system whenever much of it is free, and fetches it again, zeroed page by page, a moment
later: a tenth of the time of a rendering.  (mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD.)
"""

from __future__ import annotations

import ctypes
import functools
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_KEPT = 256 << 20
"""Bytes of free memory at the end of the heap above which some of it is given back."""
_LARGEST = 32 << 20
"""Bytes from which on an allocation is mapped by itself; the most that the library accepts."""


@functools.cache
def keep_freed() -> bool:
    """Set the C library's allocator up so; whether it could be (only the GNU one can)."""
    return _set((_M_MMAP_THRESHOLD, _LARGEST), (_M_TRIM_THRESHOLD, _KEPT))


@functools.cache
def keep_all_freed() -> bool:
    """Give nothing back until the process ends, as :func:`keep_freed`.

    For trainings on a CPU, which take gigabytes in pieces of fifty megabytes for every step: a fifth faster.
    """
    return _set((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1))


def _set(*options: tuple[int, int]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all([bool(mallopt(*option)) for option in options])
