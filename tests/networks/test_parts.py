"""Convolutions taken apart and put together give the same sums."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neurocodec.networks.parts import after, convolution, part, side_by_side


def test_the_parts_of_a_convolution_add_up_to_it() -> None:
    torch.manual_seed(3)
    whole, x = nn.Conv2d(7, 5, 3, 2, 1), torch.randn(2, 7, 9, 9)
    some, others = [6, 0, 3], [1, 2, 4, 5]
    with torch.inference_mode():
        sum_of_parts = part(whole, some)(x[:, some]) + part(whole, others, biased=False)(x[:, others])
        torch.testing.assert_close(sum_of_parts, whole(x))
        torch.testing.assert_close(part(whole, range(7), outputs=[4, 1])(x), whole(x)[:, [4, 1]])


@pytest.mark.parametrize("biased", [False, True])
def test_two_convolutions_become_one(biased: bool) -> None:
    torch.manual_seed(4)
    first, second = nn.Conv2d(6, 3, 1), nn.Conv2d(3, 5, 1, bias=biased)
    x = torch.randn(2, 6, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(after(first, second)(x), second(first(x)))


def test_convolutions_side_by_side_give_what_each_gives() -> None:
    torch.manual_seed(5)
    several = [nn.Conv2d(4, n, 3, padding=1, bias=n != 2) for n in (3, 2, 1)]
    x = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(side_by_side(several)(x), torch.cat([c(x) for c in several], 1))


def test_one_convolution_is_found_and_more_are_refused() -> None:
    conv = nn.Conv2d(2, 2, 1)
    assert convolution(nn.Sequential(conv, nn.Identity(), nn.ReLU())) is conv
    with pytest.raises(ValueError):
        convolution(nn.Sequential(conv, nn.Conv2d(2, 2, 1)))
    with pytest.raises(ValueError):
        convolution(nn.ReLU())
