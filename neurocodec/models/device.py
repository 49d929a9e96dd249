"""Where networks run, and what makes them run fast there."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from neurocodec.errors import UnsupportedError, UsageError
from neurocodec.networks.fused import has_bfloat16
from neurocodec.options import DEVICES

BATCH = 8
"""Pictures handed to a network in one call."""


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda``.

    Raises:
        UsageError: it is none of these.
        UnsupportedError: CUDA was asked for and there is none.
    """
    if name not in DEVICES:
        raise UsageError(f"unknown device {name!r}; use auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UnsupportedError("no CUDA device is available; use --device cpu or --device auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def fold_batch_norms(network: nn.Module) -> None:
    """Merge every batch norm that directly follows a convolution in a Sequential into it."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            first, second = module[i], module[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i] = fuse_conv_bn_eval(first, second)
                module[i + 1] = nn.Identity()


def made_ready(network: nn.Module, device: torch.device) -> Any:
    """A network that is not trained any more, on a device, with batch norms folded and channels last."""
    fold_batch_norms(network)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def has_fast_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware (AMX), where it pays.

    oneDNN must agree: ``ONEDNN_MAX_CPU_ISA`` may keep it from using what the processor has.
    """
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe()) and has_bfloat16()
