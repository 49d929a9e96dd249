"""Convolutions taken apart and put together: the same sums, grouped otherwise.  For inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn


def convolution(layers: nn.Module) -> nn.Conv2d:
    """The one convolution of layers whose batch norms are folded.

    Raises:
        ValueError: there is none, or there are more.
    """
    (found,) = (m for m in layers.modules() if isinstance(m, nn.Conv2d))
    return found


def _made(like: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    outputs, inputs, side, _ = weight.shape
    stride, padding = cast(Any, like.stride), cast(Any, like.padding)
    made = nn.Conv2d(inputs, outputs, side, stride, padding, bias=bias is not None)
    made.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return made


def part(
    conv: nn.Conv2d, inputs: Sequence[int], *, outputs: Sequence[int] | None = None, biased: bool = True
) -> nn.Conv2d:
    """What a convolution makes of these inputs, in this order; all its outputs, or these."""
    weight, bias = conv.weight[:, list(inputs)], conv.bias if biased else None
    if outputs is not None:
        weight, bias = weight[list(outputs)], None if bias is None else bias[list(outputs)]
    return _made(conv, weight, bias)


def after(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One convolution for two, one after the other, over one pixel at a time."""
    a, b = first.weight[..., 0, 0].double(), second.weight[..., 0, 0].double()
    zero = a.new_zeros(())
    bias = b @ (a.new_zeros(len(a)) if first.bias is None else first.bias.double())
    bias = bias + (zero if second.bias is None else second.bias.double())
    return _made(first, (b @ a)[..., None, None].to(first.weight.dtype), bias.to(first.weight.dtype))


def side_by_side(convolutions: Sequence[nn.Conv2d]) -> nn.Conv2d:
    """One convolution for several of the same geometry and inputs; outputs one after the other."""
    weight = torch.cat([c.weight for c in convolutions])
    bias = torch.cat([c.weight.new_zeros(len(c.weight)) if c.bias is None else c.bias for c in convolutions])
    return _made(convolutions[0], weight, bias)
