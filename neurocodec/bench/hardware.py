"""What this machine is, and how fast it multiplies at best."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from neurocodec import __version__
from neurocodec.models.device import choose_device, has_fast_bfloat16
from neurocodec.models.timing import Spread, measure
from neurocodec.threads import cores

_SIDE = 2048


def processor() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def described(device: str) -> dict[str, Any]:
    """What figures have to be read beside."""
    where = choose_device(device).type
    return {
        "neurocodec": __version__,
        "processor": processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "amx_bfloat16": has_fast_bfloat16(),
        "device": torch.cuda.get_device_name() if where == "cuda" else "cpu",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def measure_on(where: torch.device, call: Callable[[], Any], seconds: float, least: int = 3) -> Spread:
    """As :func:`neurocodec.models.timing.measure`, of a call whose result a device may still be computing."""

    def finished() -> None:
        call()
        if where.type == "cuda":
            torch.cuda.synchronize()

    with torch.inference_mode():
        return measure(finished, seconds, least)


def multiplying(seconds: float, device: str, side: int = _SIDE) -> dict[str, Spread]:
    """GFLOP/s of a product of two matrices of ``side`` x ``side``, by type; an addition counts as one."""
    where = choose_device(device)
    types = {"float32": torch.float32}
    if where.type == "cuda" or has_fast_bfloat16():
        types["bfloat16"] = torch.bfloat16
    out = {}
    for name, dtype in types.items():
        a, b = (torch.rand(side, side, device=where).to(dtype) for _ in range(2))
        spent = measure_on(where, lambda a=a, b=b: torch.mm(a, b), seconds)  # type: ignore[misc]
        out[name] = spent.inverse(2 * side**3 / 1e9)
    return out
