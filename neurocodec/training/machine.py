"""Where a training runs: one process or many, CPU or GPU, through Lightning Fabric.

Under ``torchrun`` (which starts the processes, on one machine or several) its numbers hold; otherwise Fabric
starts as many processes as there are devices.  Several processes train by data parallelism (DDP).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch

from neurocodec.errors import NeurocodecError, UnsupportedError, UsageError
from neurocodec.models.allocator import keep_all_freed
from neurocodec.threads import use_threads
from neurocodec.training.config import Machine

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

T = TypeVar("T")
PRECISIONS = ("bf16-mixed", "32-true")


def start(machine: Machine, seed: int) -> Fabric:
    """A running Fabric; every process comes back from this, and will make the same untrained networks.

    Raises:
        UnsupportedError: no GPU, or Lightning Fabric is not installed.
        UsageError: an impossible number of devices.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy
    except ImportError:
        raise UnsupportedError("training needs the extra 'train': pip install 'neurocodec[train]'") from None
    if machine.precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, not {machine.precision!r}")
    accelerator, devices, nodes = _accelerator(machine.accelerator), machine.devices, machine.nodes
    if "LOCAL_WORLD_SIZE" in os.environ and "TORCHELASTIC_RUN_ID" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if devices < 1 or nodes < 1:
        raise UsageError("devices and nodes must be at least 1")
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise UnsupportedError(f"{devices} GPUs are wanted, {torch.cuda.device_count()} are here")
    use_threads(machine.threads or None)
    if accelerator != "cuda":  # where cuDNN chooses without trying: trials took 27 s of the first step
        keep_all_freed()
    several = devices * nodes > 1
    try:
        fabric = Fabric(
            accelerator=accelerator, devices=devices, num_nodes=nodes, precision=machine.precision,  # type: ignore[arg-type]
            strategy=_data_parallel(DDPStrategy) if several else "auto",
        )  # fmt: skip
        fabric.launch()
    except (RuntimeError, ValueError, OSError) as error:
        raise NeurocodecError(f"the processes cannot be started: {error}") from None
    torch.manual_seed(seed)
    return fabric


def _data_parallel(strategy: type[DDPStrategy]) -> DDPStrategy:
    """One reference leaves the heads of confidence unused; and all wait while the first decodes clips."""
    return strategy(find_unused_parameters=True, timeout=timedelta(days=1))


def _accelerator(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown accelerator {name!r}; use auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UnsupportedError("no CUDA device is available; train on the CPU with --accelerator cpu")
    return "cuda" if available and name != "cpu" else "cpu"


def is_first(fabric: Fabric) -> bool:
    """Whether this process is the one that writes."""
    return bool(fabric.is_global_zero)


def in_turns(fabric: Fabric, make: Callable[[], T]) -> T:
    """Call ``make`` in the first process, then in the others, which find what the first has made."""
    for turn in (True, False):
        if is_first(fabric) is turn:
            made = make()
        fabric.barrier()
    return made
