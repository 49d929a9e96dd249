"""Convolutions whose activation (and shortcut) is applied before the result leaves the caches.

PyTorch's own compiler does this on the CPU with oneDNN; here it is done without compiling.  Where oneDNN
cannot (PyTorch built without it, another device, bfloat16 on a processor without instructions for it), the
layers run one after the other.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from neurocodec.networks.talk import Residual

_AVAILABLE = torch.backends.mkldnn.is_available() and hasattr(
    getattr(torch.ops, "mkldnn", None), "_convolution_pointwise"
)


@cache
def has_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 on this processor."""
    return _AVAILABLE and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def can_fuse(x: Tensor) -> bool:
    """Whether oneDNN has the fused operators for inputs like this one."""
    known = x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and has_bfloat16())
    return _AVAILABLE and x.device.type == "cpu" and known


class FusedConvolution(nn.Module):
    """activation(conv(x) + shortcut); for inference, with weights that no longer change.

    Args:
        conv: with numbers as padding.
        activation: ReLU, or LeakyReLU where there is never a shortcut.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.ReLU | nn.LeakyReLU) -> None:
        super().__init__()
        self.conv, self.activation = conv, activation
        self._packed: dict[int, Tensor] = {}

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        c = self.conv
        if not can_fuse(x):
            y = c(x) if shortcut is None else c(x) + shortcut
            return self.activation(y)
        geometry = (self._weight(x), c.bias, c.padding, c.stride, c.dilation, c.groups)
        if shortcut is not None:
            return torch.ops.mkldnn._convolution_pointwise(x, shortcut, *geometry, "add", 1.0, "relu", [], "")
        if isinstance(self.activation, nn.LeakyReLU):
            slope = [self.activation.negative_slope]
            return torch.ops.mkldnn._convolution_pointwise(x, *geometry, "leaky_relu", slope, "")
        return torch.ops.mkldnn._convolution_pointwise(x, *geometry, "relu", [], "")

    def __getstate__(self) -> dict[str, Any]:
        """Without what oneDNN alone can read."""
        return {**super().__getstate__(), "_packed": {}}

    def _weight(self, x: Tensor) -> Tensor:
        """The weights as oneDNN lays them out for about as many pictures; else it would do so in every call.

        One picture and several have layouts of their own: eight small pictures take up to six times as long
        with that of one.
        """
        c, count = self.conv, 1 << (len(x) - 1).bit_length()
        known = self._packed.get(count)
        if known is None or known.dtype != c.weight.dtype:
            plain = c.weight.detach().to_mkldnn()
            known = torch.ops.aten.mkldnn_reorder_conv2d_weight(
                plain, c.padding, c.stride, c.dilation, c.groups, [count, *x.shape[1:]]
            )
            self._packed[count] = known
        return known


class FusedResidual(nn.Module):
    """A :class:`~neurocodec.networks.talk.Residual` of two fused convolutions."""

    def __init__(self, first: nn.Module, second: nn.Conv2d) -> None:
        super().__init__()
        self.first, self.second = first, FusedConvolution(second, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x), x)


def fuse_activations(network: nn.Module) -> None:
    """Replace convolutions (batch norms folded away) and the activations after them, in place."""
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            _fuse_sequence(module)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            second = child.second[0] if isinstance(child, Residual) else None
            if isinstance(child, Residual) and isinstance(second, nn.Conv2d):
                setattr(parent, name, FusedResidual(child.first, second))


def _fuse_sequence(layers: nn.Sequential) -> None:
    there = [k for k, layer in enumerate(layers) if not isinstance(layer, nn.Identity)]
    for a, b in pairwise(there):
        conv, activation = layers[a], layers[b]
        if isinstance(conv, nn.Conv2d) and isinstance(activation, nn.ReLU | nn.LeakyReLU):
            layers[a] = FusedConvolution(conv, activation)
            layers[b] = nn.Identity()
