"""Memory that is freed is there for what comes next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from neurocodec.models.allocator import keep_all_freed, keep_freed
import numpy as np
if sys.argv[1] != "given back":
    assert {"kept": keep_freed, "all kept": keep_all_freed}[sys.argv[1]]()
size = int(sys.argv[2])

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    parts = [np.ones(size << 17) for _ in range(4)]  # MiB each
    del parts

for _ in range(5):
    work()
before = faults()
for _ in range(10):
    work()
print((faults() - before) / 10)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library can be told")
@pytest.mark.parametrize(("how", "size"), [("kept", 6), ("all kept", 48)])
def test_freed_memory_is_not_fetched_again(how: str, size: int) -> None:
    faults = [
        float(subprocess.check_output([sys.executable, "-c", PROGRAM, way, str(size)], text=True))
        for way in (how, "given back")
    ]
    assert faults[0] < 100
    assert faults[1] > 1000  # 24 MiB are 6,144 pages of 4 KiB
