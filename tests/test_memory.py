"""Memory that is freed is there for what comes next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from neurocodec.memory import keep_freed
import numpy as np
if sys.argv[1] == "kept":
    assert keep_freed()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    parts = [np.ones(6 << 17) for _ in range(4)]  # 6 MiB each
    del parts

for _ in range(5):
    work()
before = faults()
for _ in range(10):
    work()
print((faults() - before) / 10)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library can be told")
def test_freed_memory_is_not_fetched_again() -> None:
    faults = [
        float(subprocess.check_output([sys.executable, "-c", PROGRAM, how], text=True))
        for how in ("kept", "given back")
    ]
    assert faults[0] < 100
    assert faults[1] > 1000  # 24 MiB are 6,144 pages of 4 KiB
