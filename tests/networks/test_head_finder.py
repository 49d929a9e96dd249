"""The head finder: maps at three strides, and the boxes they mean."""

from __future__ import annotations

import math

import pytest
import torch

from neurocodec.networks.head_finder import SIZES, STRIDES, HeadFinder, boxes


def test_maps_at_every_stride_and_few_faces_before_training() -> None:
    network = HeadFinder((4, 4, 6, 6, 8), 6, 1).eval()
    with torch.no_grad():
        maps = network(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 5, 64 // s, 96 // s) for s in STRIDES]
    assert all(float(torch.sigmoid(m[:, 0]).max()) < 0.05 for m in maps)


def test_boxes_are_where_the_maps_say() -> None:
    maps = [torch.zeros(1, 5, 64 // s, 96 // s) for s in STRIDES]
    maps[1][0, :, 2, 3] = torch.tensor([3.0, 0.25, -0.5, math.log(0.5), math.log(0.75)])
    found, logits = boxes(maps)
    assert found.shape == (1, 8 * 12 + 4 * 6 + 2 * 3, 4)
    best = int(logits[0].argmax())
    stride = STRIDES[1]
    width, height = SIZES * stride * 0.5, SIZES * stride * 0.75
    expected = [3.75 * stride - width / 2, 2.0 * stride - height / 2, width, height]
    torch.testing.assert_close(found[0, best], torch.tensor(expected))


@pytest.mark.parametrize("wrong", [{"widths": (4, 4, 4)}, {"pyramid": 0}, {"blocks": -1}])
def test_impossible_shapes(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="widths"):
        HeadFinder(**wrong)  # type: ignore[arg-type]
