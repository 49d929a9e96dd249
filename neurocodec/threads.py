"""How a number of threads is shared out.

The networks take most of the time and all the threads.  What runs beside them (reading, writing, scaling)
gets half as many, which mostly wait.  With one thread nothing runs beside anything: stages take turns.
"""

from __future__ import annotations

import os

from neurocodec.errors import UsageError

MOST = 256
_SPINS = "5000"
"""Turns of a thread of OpenMP that looks for work, before it sleeps: about 50 us."""


def spin_briefly() -> None:
    """Have OpenMP's threads (GNU's library) sleep after looking out for work for some 50 us, not some 3 ms.

    A frame takes hundreds of operators, and waking a thread takes longer than most of them; but where other
    work wants the cores, looking out takes them from it, and from the codec's own writer.  What the
    environment says wins; without effect once torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_threads(threads: int | None) -> None:
    """None stands for every core.

    Raises:
        UsageError: a number that is none of threads.
    """
    if threads is not None and not 1 <= threads <= MOST:
        raise UsageError(
            f"threads must be 1 to {MOST}, not {threads}; leave them out to use every core ({cores()} here)"
        )


def threads_beside(threads: int | None) -> int:
    """Threads of a codec, or of scaling, that runs beside the networks."""
    return max(1, (threads or cores()) // 2)


def depth_ahead(depth: int, threads: int | None) -> int:
    """How far a stage may work ahead in a thread of its own, if ``depth`` is what pays; 0: not at all."""
    return 0 if threads == 1 else depth


def use_threads(threads: int | None) -> None:
    """Limit PyTorch and OpenCV, in the whole process; None leaves them as they are.

    Raises:
        UsageError: as :func:`check_threads`.
    """
    check_threads(threads)
    if threads is None:
        return
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads_beside(threads))
